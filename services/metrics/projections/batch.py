"""What a batch of facts makes of records, and of the sums that rest on them. Pure.

A record is evolved by the facts that come, in order; one that comes late makes it fold all its facts again. Its
measures' old contributions are taken back and the new ones added. What is of one person under ids that were merged adds
to the sums together, as one.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, NamedTuple

from services.metrics.projections.identity import Identity, also_about, identity_of
from services.metrics.projections.record import evolve
from shared.events.fact import Fact, Recorded
from shared.measures.catalogue import SUMMED
from shared.measures.measure import Measure, contributions
from shared.measures.united import absent, united
from shared.views.builds import scope_of
from shared.views.records import RECORDS, ParticipationRecord, Record

Added = Mapping[str, Mapping[tuple[str, str], int]]
"""What a record adds to the sums: measure -> (key, day) -> delta."""


@dataclass(frozen=True, slots=True)
class Held:
    """A record, up to which version of each topic its facts are in it, and what it adds to the sums by itself."""

    record: Record
    seen: Mapping[str, int]
    added: Added

    @classmethod
    def nothing(cls, identity: Identity) -> "Held":
        """Before its first fact: it adds nothing then, whatever the measures."""
        return cls(identity.empty(), {}, {})

    @classmethod
    def restored(cls, document: Mapping[str, Any]) -> "Held":
        record = RECORDS[document["kind"]].restored(document["value"])
        return cls(record, document["seen"], {measure.name: contributions(record, measure) for measure in _of(record)})

    def after(self, record: Record, seen: Mapping[str, int]) -> "Held":
        """What it is with more facts. What a measure added stays, where nothing changed that it rests on."""
        changed = record.others_than(self.record)
        added = {
            measure.name: self.added.get(measure.name, {})
            if measure.is_untouched(changed)
            else contributions(record, measure)
            for measure in _of(record)
        }
        return Held(record, seen, added)


def _of(record: Record) -> Sequence[Measure]:
    """The measures to whose sums it adds by itself. What is of merged people adds to them together."""
    if isinstance(record, ParticipationRecord) and record.is_merged:
        return ()
    return SUMMED.get(type(record), ())


class Placed(NamedTuple):
    """A fact in its place among those of its record: by topic, then by version."""

    topic: str
    version: int
    fact: Fact


class News(NamedTuple):
    """The facts of a batch that are about one record."""

    identity: Identity
    facts: list[Recorded]

    @property
    def scope(self) -> str:
        return self.facts[0].stream.key

    def is_late_for(self, held: Held) -> bool:
        return any(recorded.version < held.seen.get(recorded.stream.topic, 0) for recorded in self.facts)


class SumId(NamedTuple):
    scope: str
    measure: str
    key: str
    year: str


class Changes(NamedTuple):
    """The records after a batch, by id, and what it adds to the sums, by day."""

    records: dict[str, Held]
    sums: dict[SumId, dict[str, int]]


def concerned(facts: Sequence[Recorded]) -> dict[str, News]:
    """The records that facts are about, by id."""
    about: dict[Identity, News] = {}
    for recorded in facts:
        identity = identity_of(recorded.stream, recorded.fact)
        news = about.get(identity)
        if news is None:
            news = about[identity] = News(identity, [])
        news.facts.append(recorded)
        if (other := also_about(recorded.stream, recorded.fact)) is not None:
            about.setdefault(other, News(other, [])).facts.append(recorded)
    return {str(identity): news for identity, news in about.items()}


def folded_again(about: Mapping[str, News], held: Mapping[str, Held]) -> list[str]:
    """The records that must be folded from all their facts: something came late for them."""
    return [id for id, news in about.items() if id in held and news.is_late_for(held[id])]


def with_them(held: Mapping[str, Held]) -> set[str]:
    """The records of the same people as those held, and not among them: they add to the sums together."""
    return {str(Identity(ParticipationRecord, key)) for key in absent(_merged(held))}


def fold(about: Mapping[str, News], held: Mapping[str, Held], earlier: Mapping[str, Sequence[Placed]]) -> Changes:
    """What a batch changes. `held` are the records that it is about, and those `with_them`; `earlier` are all the facts
    so far of those that must be folded again.
    """
    records = dict[str, Held]()
    added: Differences = defaultdict(dict)
    for id, news in about.items():
        before = held.get(id) or Held.nothing(news.identity)
        after = records[id] = _evolved(before, news, earlier.get(id))
        _add_difference(added, news.scope, before.added, after.added)
    if _merged(records):  # a merge is never undone
        for person in united(_merged(held)):
            _add_difference(added, scope_of("community", person.community_id), _added_together(person), {})
        for person in united(_merged({**held, **records})):
            _add_difference(added, scope_of("community", person.community_id), {}, _added_together(person))
    return Changes(records, _by_year(added))


def _evolved(held: Held, news: News, earlier: Sequence[Placed] | None) -> Held:
    facts = [Placed(recorded.stream.topic, recorded.version, recorded.fact) for recorded in news.facts]
    record = held.record
    if earlier is not None:
        record, facts = news.identity.empty(), [*earlier, *facts]
    facts.sort(key=itemgetter(0, 1))
    seen = dict(held.seen)
    for topic, version, fact in facts:
        record = evolve(record, fact)
        seen[topic] = max(version, seen.get(topic, 0))
    return held.after(record, seen)


def _merged(held: Mapping[str, Held]) -> list[ParticipationRecord]:
    return [one.record for one in held.values() if isinstance(one.record, ParticipationRecord) and one.record.is_merged]


def _added_together(person: ParticipationRecord) -> Added:
    return {measure.name: contributions(person, measure) for measure in SUMMED[ParticipationRecord]}


Differences = defaultdict[tuple[str, str], dict[tuple[str, str], int]]
"""(scope, measure) -> (key, day) -> delta."""


def _add_difference(into: Differences, scope: str, old: Added, new: Added) -> None:
    for measure in old.keys() | new.keys():
        before, after = old.get(measure, {}), new.get(measure, {})
        if before is after:
            continue
        sums = into[scope, measure]
        for place, delta in after.items():
            sums[place] = sums.get(place, 0) + delta
        for place, delta in before.items():
            sums[place] = sums.get(place, 0) - delta


def _by_year(added: Differences) -> dict[SumId, dict[str, int]]:
    """Without what adds nothing: most of what a record contributes it contributed before."""
    sums = defaultdict[SumId, dict[str, int]](dict)
    for (scope, measure), places in added.items():
        for (key, day), delta in places.items():
            if delta:
                sums[SumId(scope, measure, key, day[:4])][day] = delta
    return sums
