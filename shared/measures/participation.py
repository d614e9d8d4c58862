"""Who came: participants, attendances, first-recorded, registration and what became of it, retention."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from shared.measures.measure import WHOLE, Contribution, Cycle, Measure, firsts, sweep
from shared.measures.membership import OF_A_MERGED_ID, affiliation_keys
from shared.views.records import ConveningRecord, ParticipationRecord, Registration


def _participants(record: ParticipationRecord) -> Iterator[Contribution]:
    return firsts(record.attended.values(), lambda day: affiliation_keys(record.affiliated(day)) | {WHOLE})


PARTICIPANTS = Measure(
    name="participants",
    title="Participants",
    unit="people",
    counts="People with at least one known attendance at a held convening up to the day, each once: ids "
    "that were merged are one person.",
    excludes="Members who never came, and whoever came to convenings whose attendance is unknown. " + OF_A_MERGED_ID,
    source="Health Innovation Network, Communities of Practice: 'participants representing varied organisations'",
    cycle=Cycle.IMMEDIATE,
    mechanisms=("connecting", "collaborating"),
    by=("organisation", "service", "profession"),
    record=ParticipationRecord,
    contributions=_participants,
    rests_on=frozenset({"attended", "affiliations"}),
)

DISTINCT_PARTICIPANTS = Measure(
    name="distinct-participants",
    title="Participants across the communities",
    unit="people",
    counts="People with at least one known attendance at a held convening of any of the communities, each once.",
    excludes="Nobody twice: it is a union over the communities, not a sum. The host's staff is included, and "
    f"stated apart. {OF_A_MERGED_ID}",
    source=PARTICIPANTS.source,
    cycle=Cycle.IMMEDIATE,
    mechanisms=("connecting", "collaborating"),
    by=("organisation", "service", "profession"),
)

HOST_STAFF = Measure(
    name="host-staff-participants",
    title="Host's staff among the participants",
    unit="people",
    counts="Participants who were affiliated with the organisation that hosts the community on a day they came.",
    excludes="Everybody else.",
    source="Praxis: shared/measures/participation.py",
    cycle=Cycle.IMMEDIATE,
)


def _attendances(record: ParticipationRecord) -> Iterator[Contribution]:
    for convening, day in record.attended.items():
        yield day, WHOLE, 1
        yield day, f"convening={convening}", 1
        for affiliation in {a.organisation_id for a in record.affiliated(day)} - {None}:
            yield day, f"organisation={affiliation}", 1


ATTENDANCES = Measure(
    name="attendances",
    title="Attendances",
    unit="attendances",
    counts="Known attendances at held convenings: somebody who came to three counts three times.",
    excludes="Registrations. Convenings whose attendance is unknown, which are counted under unknown.",
    source="Praxis: shared/measures/participation.py",
    cycle=Cycle.IMMEDIATE,
    by=("convening", "organisation"),
    record=ParticipationRecord,
    contributions=_attendances,
    rests_on=frozenset({"attended", "affiliations"}),
    by_convening=True,
)


def _first_recorded(record: ParticipationRecord) -> Iterator[Contribution]:
    if record.attended:
        convening, day = min(record.attended.items(), key=lambda item: (item[1], item[0]))
        yield day, WHOLE, 1
        yield day, f"convening={convening}", 1


FIRST_RECORDED = Measure(
    name="first-recorded",
    title="First recorded attendances",
    unit="people",
    counts="People whose earliest attendance on record in the community is at this convening.",
    excludes="It is not first-time: they may have come before, where earlier attendance is unknown or records begin.",
    source="Praxis: shared/measures/participation.py",
    cycle=Cycle.IMMEDIATE,
    by=("convening",),
    record=ParticipationRecord,
    contributions=_first_recorded,
    rests_on=frozenset({"attended"}),
)


def _stood(convening: str, registrations: Sequence[Registration]) -> Iterator[Contribution]:
    days = [day for one in registrations for day in (one.registered_on, one.withdrawn_on)]
    key = f"convening={convening}"
    return sweep(days, lambda day: {key} if any(one.stands(day) for one in registrations) else set())


def _registrations(record: ParticipationRecord) -> Iterator[Contribution]:
    for convening, registrations in record.registered.items():
        for day, key, delta in _stood(convening, registrations):
            yield day, key, delta
            yield day, WHOLE, delta


REGISTRATIONS = Measure(
    name="registrations",
    title="Registrations",
    unit="registrations",
    counts="Registrations for convenings that were not withdrawn.",
    excludes="Withdrawn ones, and people who came without registering.",
    source="Praxis: shared/measures/participation.py",
    cycle=Cycle.IMMEDIATE,
    by=("convening",),
    record=ParticipationRecord,
    contributions=_registrations,
    rests_on=frozenset({"registered"}),
    by_convening=True,
)


def _came_registered(record: ParticipationRecord, registered: bool) -> Iterator[Contribution]:
    for convening, day in record.attended.items():
        made = record.registered.get(convening)
        stood = made is not None and any(one.withdrawn_on is None for one in made)
        if stood is registered:
            yield day, WHOLE, 1
            yield day, f"convening={convening}", 1


REGISTERED_AND_CAME = Measure(
    name="registered-and-came",
    title="Registered and came",
    unit="attendances",
    counts="Attendances of people whose registration stood.",
    excludes="Walk-ins.",
    source="Praxis: shared/measures/participation.py",
    cycle=Cycle.IMMEDIATE,
    by=("convening",),
    record=ParticipationRecord,
    contributions=lambda record: _came_registered(record, registered=True),
    rests_on=frozenset({"attended", "registered"}),
    by_convening=True,
)

WALK_INS = Measure(
    name="walk-ins",
    title="Walk-ins",
    unit="attendances",
    counts="Attendances without a registration that stood.",
    excludes="Attendances of people who had registered.",
    source="Praxis: shared/measures/participation.py",
    cycle=Cycle.IMMEDIATE,
    by=("convening",),
    record=ParticipationRecord,
    contributions=lambda record: _came_registered(record, registered=False),
    rests_on=frozenset({"attended", "registered"}),
    by_convening=True,
)

SHOW_UP = Measure(
    name="show-up",
    title="Show-up",
    unit="share",
    counts="Registered and came / registrations that were not withdrawn, of one convening.",
    excludes="Walk-ins: it is never attendances over registrations. None where nobody registered, or attendance is "
    "unknown.",
    source="Praxis: shared/measures/participation.py",
    cycle=Cycle.IMMEDIATE,
)

RETENTION = Measure(
    name="retention",
    title="Retention",
    unit="share",
    counts="Of those who came to a held convening and had not left the community when the next was held, the share who "
    "came to that one too. Cancelled ones are skipped; people who never were members have not left.",
    excludes="None for the last convening, and where attendance at either is unknown.",
    source="Praxis: shared/measures/participation.py",
    cycle=Cycle.IMMEDIATE,
)


def in_order(convenings: Iterable[ConveningRecord], as_at: str) -> list[ConveningRecord]:
    """The convenings held up to a day, in order of their days, and of their ids within a day."""
    held = [c for c in convenings if c.held_on is not None and c.held_on <= as_at]
    return sorted(held, key=lambda convening: (convening.held_on or "", convening.convening_id))


class Retained(NamedTuple):
    """Retention after one convening: the share, those it is a share of, and why there is none."""

    share: float | None
    stayed: int = 0
    unknown: int = 0
    """Of the two convenings, those whose attendance is unknown."""
    why_none: str | None = None


def retention(held: Sequence[ConveningRecord], participations: Sequence[ParticipationRecord]) -> dict[str, Retained]:
    """Retention after each convening, by its id. `held` is in order."""
    came: dict[str, list[ParticipationRecord]] = {convening.convening_id: [] for convening in held}
    for participation in participations:
        for convening_id in participation.attended:
            if convening_id in came:
                came[convening_id].append(participation)
    shares = {held[-1].convening_id: Retained(None, why_none="no later convening was held")} if held else {}
    for convening, following in pairwise(held):
        assert following.held_on is not None
        unknown = (not convening.attendance_known) + (not following.attendance_known)
        if unknown:
            shares[convening.convening_id] = Retained(None, unknown=unknown, why_none="attendance is unknown")
            continue
        stayed = [p for p in came[convening.convening_id] if not p.has_left(following.held_on)]
        again = sum(following.convening_id in participation.attended for participation in stayed)
        share = again / len(stayed) if stayed else None
        shares[convening.convening_id] = Retained(share, len(stayed), why_none=None if stayed else "nobody stayed")
    return shares
