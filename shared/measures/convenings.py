"""What was convened, and what of a commission was delivered."""

import calendar
from collections.abc import Iterator, Sequence

from shared.measures.measure import WHOLE, Contribution, Cycle, Measure
from shared.views.records import ConveningRecord

SOURCE = "Praxis: shared/measures/convenings.py"


CALLED_BY = {True: "members", False: "facilitators", None: "not-stated"}


def _held(record: ConveningRecord) -> Iterator[Contribution]:
    if record.held_on is not None:
        yield record.held_on, WHOLE, 1
        yield record.held_on, f"called-by={CALLED_BY[record.called_by_members]}", 1


HELD = Measure(
    name="convenings-held",
    title="Convenings held",
    unit="convenings",
    counts="Convenings that took place up to the day.",
    excludes="Cancelled ones, and those that are only scheduled.",
    source=SOURCE,
    cycle=Cycle.IMMEDIATE,
    by=("called-by",),
    record=ConveningRecord,
    contributions=_held,
)


def _attendance_unknown(record: ConveningRecord) -> Iterator[Contribution]:
    if record.held_on is not None and not record.attendance_known:
        yield record.held_on, WHOLE, 1


ATTENDANCE_UNKNOWN = Measure(
    name="attendance-unknown",
    title="Convenings whose attendance is unknown",
    unit="convenings",
    counts="Held convenings without an attendance record.",
    excludes="Convenings of which it is recorded that nobody came.",
    source=SOURCE,
    cycle=Cycle.IMMEDIATE,
    record=ConveningRecord,
    contributions=_attendance_unknown,
)


def _cancelled(record: ConveningRecord) -> Iterator[Contribution]:
    if record.cancelled_on is not None:
        yield record.cancelled_on, WHOLE, 1


CANCELLED = Measure(
    name="convenings-cancelled",
    title="Convenings cancelled",
    unit="convenings",
    counts="Convenings that were called off.",
    excludes="Rescheduled ones.",
    source=SOURCE,
    cycle=Cycle.IMMEDIATE,
    record=ConveningRecord,
    contributions=_cancelled,
)


def _commission(name: str, title: str, counts: str, excludes: str) -> Measure:
    return Measure(name, title, "convenings", counts, excludes, SOURCE, Cycle.IMMEDIATE)


COMMISSIONED = _commission(
    "convenings-commissioned",
    "Convenings commissioned",
    "Communities commissioned times convenings each, from the day of the commission.",
    "Commissions that state no number: then it is unknown.",
)
DUE = _commission(
    "convenings-due",
    "Convenings due",
    "Convenings of the programme's communities whose day has come; all that were commissioned once the period is over.",
    "Cancelled ones, unless the period is over.",
)
LATE = _commission(
    "convenings-late", "Convenings late", "Convenings due that were not held.", "Those whose day is still to come."
)
AT_RISK = _commission(
    "convenings-at-risk",
    "Convenings at risk",
    "Convenings commissioned that are neither held, nor late, nor scheduled for a day within the period.",
    "Once the period is over nothing is at risk any more: it is late.",
)


def months_after(day: str, months: int) -> str:
    """The same day some months later, or the last of that month where it has no such day."""
    year, month = divmod(int(day[:4]) * 12 + int(day[5:7]) - 1 + months, 12)
    return f"{year:04d}-{month + 1:02d}-{min(int(day[8:]), calendar.monthrange(year, month + 1)[1]):02d}"


def delivery(
    commissioned: int | None, ends_on: str | None, convenings: Sequence[ConveningRecord], as_at: str
) -> dict[str, int | None]:
    """What became of a commission by a day: due, late and at risk, by the names of their measures."""
    held = sum(c.held_on is not None and c.held_on <= as_at for c in convenings)
    standing = [c for c in convenings if c.cancelled_on is None or c.cancelled_on > as_at]
    planned = [(c.held_on or c.scheduled_on or "9999-12-31") for c in standing]
    over = ends_on is not None and as_at >= ends_on
    come = sum(day <= as_at for day in planned)
    due = max(come, commissioned) if over and commissioned is not None else come
    late = max(due - held, 0)
    ahead = sum(as_at < day and (ends_on is None or day <= ends_on) for day in planned)
    at_risk = None if commissioned is None else 0 if over else max(commissioned - held - late - ahead, 0)
    return {DUE.name: due, LATE.name: late, AT_RISK.name: at_risk}
