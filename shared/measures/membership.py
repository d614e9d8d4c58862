"""Who belongs: members and completions."""

from collections.abc import Iterator

from shared.measures.measure import WHOLE, Contribution, Cycle, Measure, sweep
from shared.views.records import Affiliation, ParticipationRecord

NOT_STATED = "not-stated"
COARSE = "joined=month-or-year"
"""Those whose day of joining is known to the month or year only; shown in words, not among the parts."""


def affiliation_keys(held: list[Affiliation]) -> set[str]:
    """The parts that affiliations put a person under. Two affiliations at once count under both."""
    keys = set()
    for dimension in ("organisation", "service", "profession"):
        field = "organisation_id" if dimension == "organisation" else dimension
        stated = {value for affiliation in held if (value := getattr(affiliation, field)) is not None}
        keys |= {f"{dimension}={value}" for value in stated or {NOT_STATED}}
    return keys


def _members(record: ParticipationRecord) -> Iterator[Contribution]:
    if not record.memberships:
        return

    def keys_on(day: str) -> set[str]:
        held = [membership for membership in record.memberships if membership.holds(day)]
        if not held:
            return set()
        ways = {f"role={membership.role}" for membership in held} | {f"how={membership.how}" for membership in held}
        ways |= {COARSE} if any(membership.is_coarse for membership in held) else set()
        return {WHOLE} | ways | affiliation_keys(record.affiliated(day))

    spans = [
        *((m.joined_on, m.left_on) for m in record.memberships),
        *((a.began_on, a.ended_on) for a in record.affiliations),
    ]
    yield from sweep((day for span in spans for day in span), keys_on)


MEMBERS = Measure(
    name="members",
    title="Members",
    unit="people",
    counts="People who belong to the community on the day, in any role; from the day they joined up to, not including, "
    "the day they left. Under an organisation, service or profession by their affiliations on that day: somebody with "
    "two counts under both.",
    excludes="People who came without belonging (walk-ins).",
    source="Praxis: shared/measures/membership.py",
    cycle=Cycle.IMMEDIATE,
    mechanisms=("connecting",),
    by=("role", "how", "organisation", "service", "profession"),
    record=ParticipationRecord,
    contributions=_members,
)


def _completions(record: ParticipationRecord) -> Iterator[Contribution]:
    if record.completed_on is not None:
        yield record.completed_on, WHOLE, 1


COMPLETIONS = Measure(
    name="completions",
    title="Completed the course",
    unit="people",
    counts="Members of a cohort who completed its course, by the day they did.",
    excludes="Members of whom no completion is recorded.",
    source="Praxis: shared/measures/membership.py",
    cycle=Cycle.POTENTIAL,
    mechanisms=("developing",),
    record=ParticipationRecord,
    contributions=_completions,
)

DISTINCT_MEMBERS = Measure(
    name="distinct-members",
    title="People who belong to at least one of the communities",
    unit="people",
    counts="People with a membership on the day in at least one of the communities, each once.",
    excludes="Nobody twice: it is a union, not a sum of members.",
    source="Praxis: shared/measures/membership.py",
    cycle=Cycle.IMMEDIATE,
    mechanisms=("connecting",),
    by=("role", "organisation", "service", "profession"),
)
