"""Who belongs: members and completions."""

from collections.abc import Iterable, Iterator
from functools import lru_cache

from shared.measures.measure import WHOLE, Contribution, Cycle, Measure, sweep
from shared.views.records import Affiliation, ParticipationRecord

NOT_STATED = "not-stated"
COARSE = "joined=month-or-year"
"""Those whose day of joining is known to the month or year only; shown in words, not among the parts."""

OF_A_MERGED_ID = "Affiliations that were stated only of an id that was merged, and never took part there."


def affiliation_keys(held: Iterable[Affiliation]) -> frozenset[str]:
    """The parts that affiliations put a person under. Two affiliations at once count under both."""
    return _keys_of(*((a.organisation_id, a.service, a.profession) for a in held))


@lru_cache(maxsize=65_536)
def _keys_of(*held: tuple[str | None, str | None, str | None]) -> frozenset[str]:
    """`held`: organisation, service and profession of each affiliation. The same ones come for many people."""
    keys = set[str]()
    for number, dimension in enumerate(("organisation", "service", "profession")):
        stated = {value for one in held if (value := one[number]) is not None}
        keys |= {f"{dimension}={value}" for value in stated or {NOT_STATED}}
    return frozenset(keys)


def _members(record: ParticipationRecord) -> Iterator[Contribution]:
    if not record.memberships:
        return

    def keys_on(day: str) -> set[str]:
        held = [membership for membership in record.memberships if membership.holds(day)]
        if not held:
            return set()
        keys = {WHOLE, *affiliation_keys(record.affiliated(day))}
        for membership in held:
            keys.add(f"role={membership.role}")
            keys.add(f"how={membership.how}")
            if membership.is_coarse:
                keys.add(COARSE)
        return keys

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
    "two counts under both. Ids that were merged are one person, on every day.",
    excludes=f"People who came without belonging (walk-ins). {OF_A_MERGED_ID}",
    source="Praxis: shared/measures/membership.py",
    cycle=Cycle.IMMEDIATE,
    mechanisms=("connecting",),
    by=("role", "how", "organisation", "service", "profession"),
    record=ParticipationRecord,
    contributions=_members,
    rests_on=frozenset({"memberships", "affiliations"}),
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
    rests_on=frozenset({"completed_on"}),
)

DISTINCT_MEMBERS = Measure(
    name="distinct-members",
    title="People who belong to at least one of the communities",
    unit="people",
    counts="People with a membership on the day in at least one of the communities, each once.",
    excludes=f"Nobody twice: it is a union, not a sum of members. {OF_A_MERGED_ID}",
    source="Praxis: shared/measures/membership.py",
    cycle=Cycle.IMMEDIATE,
    mechanisms=("connecting",),
    by=("role", "organisation", "service", "profession"),
)
