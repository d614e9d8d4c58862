"""What a batch of facts makes of records, and of the sums that rest on them. Pure.

A record is evolved by the facts that come, in order; one that comes late makes it fold all its facts again. Its
measures' old contributions are taken back and the new ones added.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, NamedTuple

from services.metrics.projections.identity import Identity, identities
from services.metrics.projections.record import evolve
from shared.events.fact import Fact, Recorded
from shared.measures.catalogue import SUMMED
from shared.measures.measure import contributions
from shared.views.records import RECORDS, Record

Place = tuple[str, str, str]
"""Where something is added: measure, key, day."""
Added = Mapping[Place, int]
"""What a record adds to the sums."""


@dataclass(frozen=True, slots=True)
class Held:
    """A record, up to which version of each topic its facts are in it, and what it adds to the sums."""

    record: Record
    seen: Mapping[str, int]
    added: Added

    @classmethod
    def of(cls, record: Record, seen: Mapping[str, int]) -> "Held":
        return cls(record, seen, contributions(record, SUMMED.get(type(record), ())))

    @classmethod
    def nothing(cls, identity: Identity) -> "Held":
        """Before its first fact: it adds nothing then, whatever the measures."""
        return cls(identity.empty(), {}, {})

    @classmethod
    def restored(cls, document: Mapping[str, Any]) -> "Held":
        return cls.of(RECORDS[document["kind"]].restored(document["value"]), document["seen"])


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
    about: dict[str, News] = {}
    for recorded in facts:
        for identity in identities(recorded.stream, recorded.fact):
            about.setdefault(str(identity), News(identity, [])).facts.append(recorded)
    return about


def folded_again(about: Mapping[str, News], held: Mapping[str, Held]) -> list[str]:
    """The records that must be folded from all their facts: something came late for them."""
    return [id for id, news in about.items() if id in held and news.is_late_for(held[id])]


def fold(about: Mapping[str, News], held: Mapping[str, Held], earlier: Mapping[str, Sequence[Placed]]) -> Changes:
    """What a batch changes. `earlier` are all the facts so far of the records that must be folded again."""
    records = dict[str, Held]()
    added = defaultdict[str, dict[Place, int]](dict)
    for id, news in about.items():
        before = held.get(id) or Held.nothing(news.identity)
        after = records[id] = _evolved(before, news, earlier.get(id))
        _add_difference(added[news.scope], before.added, after.added)
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
    return Held.of(record, seen)


def _add_difference(sums: dict[Place, int], old: Added, new: Added) -> None:
    for place, delta in new.items():
        sums[place] = sums.get(place, 0) + delta
    for place, delta in old.items():
        sums[place] = sums.get(place, 0) - delta


def _by_year(added: Mapping[str, Mapping[Place, int]]) -> dict[SumId, dict[str, int]]:
    """Without what adds nothing: most of what a record contributes it contributed before."""
    sums = defaultdict[SumId, dict[str, int]](dict)
    for scope, places in added.items():
        for (measure, key, day), delta in places.items():
            if delta:
                sums[SumId(scope, measure, key, day[:4])][day] = delta
    return sums
