"""What a batch of facts makes of records, and of the sums that rest on them. Pure.

A record is evolved by the facts that come, in order; one that comes late makes it fold all its facts again. What is of
one person under ids that were merged adds to the sums together, as one.
"""

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from msgspec import Struct

from services.metrics.projections.differences import Differences, SumId
from services.metrics.projections.identity import Identity, also_about, identity_of
from services.metrics.projections.record import evolve
from shared.events.fact import Fact, Recorded
from shared.measures.united import absent, united
from shared.views.builds import scope_of
from shared.views.records import RECORDS, ParticipationRecord, Record


class Held(Struct, frozen=True, gc=False):
    """A record, and up to which version of each topic its facts are in it."""

    record: Record
    seen: Mapping[str, int]

    @classmethod
    def restored(cls, document: Mapping[str, Any]) -> "Held":
        return cls(RECORDS[document["kind"]].restored(document["value"]), document["seen"])


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
    differences = Differences()
    for id, news in about.items():
        before = held.get(id)
        after = records[id] = _evolved(before or Held(news.identity.empty(), {}), news, earlier.get(id))
        if before:
            differences.changed(news.scope, before.record, after.record)
        else:
            differences.began(news.scope, after.record)
    if _merged(records):
        for person in united(_merged(held)):
            differences.gone(scope_of("community", person.community_id), person)
        for person in united(_merged({**held, **records})):
            differences.came(scope_of("community", person.community_id), person)
    return Changes(records, differences.by_year())


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
    return Held(record, seen)


def _merged(held: Mapping[str, Held]) -> list[ParticipationRecord]:
    return [one.record for one in held.values() if isinstance(one.record, ParticipationRecord) and one.record.is_merged]
