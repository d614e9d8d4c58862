"""Folds facts into records and sums, in the transaction of the sink.

A record is evolved by the facts that come, in order; one that comes late makes it fold all its facts again. Its
measures' old contributions are taken back and the new ones added in the same transaction.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pymongo import ASCENDING, IndexModel, UpdateOne

from services.metrics.projections import Identity, evolve, identities
from shared.events.fact import FACTS, Fact, Recorded
from shared.kafka import to_json
from shared.measures.catalogue import SUMMED
from shared.measures.measure import contributions
from shared.mongo import Database, Document
from shared.reading.sink import Unit
from shared.views.builds import Build
from shared.views.records import RECORDS, Record

SumId = tuple[str, str, str, str]
"""(scope, measure, key, year)"""


@dataclass(frozen=True, slots=True)
class Held:
    """A record, and up to which version of each topic its facts are in it."""

    record: Record
    seen: Mapping[str, int]

    @classmethod
    def restored(cls, document: Document) -> "Held":
        return cls(RECORDS[document["kind"]].model_validate(document["value"]), document["seen"])


class Fold:
    """The projection of one build."""

    def __init__(self, build: Build) -> None:
        self._build = build

    async def project(self, unit: Unit, facts: Sequence[Recorded]) -> None:
        about: dict[str, tuple[Identity, list[Recorded]]] = {}
        for recorded in facts:
            for identity in identities(recorded.stream, recorded.fact):
                about.setdefault(str(identity), (identity, []))[1].append(recorded)
        held = await unit.load(self._build.records, about, Held.restored)
        late = [id for id, (_, news) in about.items() if id in held and _is_late(held[id], news)]
        earlier = await self._earlier(unit, late)
        changes, sums = list[UpdateOne](), defaultdict[SumId, dict[str, int]](lambda: defaultdict(int))
        after: dict[str, Held] = {}
        for id, (identity, news) in about.items():
            before = held.get(id) or Held(identity.empty(), {})
            after[id] = _evolved(before, identity, news, earlier.get(id))
            scope = news[0].stream.key
            _add_difference(sums, scope, before.record, after[id].record)
            changes.append(_change(id, scope, unit.partition.number, after[id], news))
        await unit.db[self._build.records].bulk_write(changes, ordered=False, session=unit.session)
        if sums:
            additions = [_addition(sum_id, days, unit.partition.number) for sum_id, days in sums.items()]
            await unit.db[self._build.sums].bulk_write(additions, ordered=False, session=unit.session)
        unit.keep(self._build.records, after)

    async def _earlier(self, unit: Unit, ids: Sequence[str]) -> dict[str, list[tuple[str, int, Fact]]]:
        """The facts that are in these records already, as (topic, version, fact)."""
        if not ids:
            return {}
        found = unit.db[self._build.records].find({"_id": {"$in": list(ids)}}, {"facts": 1}, session=unit.session)
        return {document["_id"]: [_fact(stored) for stored in document["facts"]] async for document in found}

    async def prepare(self, db: Database) -> None:
        """Make the collections, which a transaction cannot always do, and the indexes that readers use."""
        by_record = [
            IndexModel([("scope", ASCENDING), ("kind", ASCENDING)]),
            IndexModel([("kind", ASCENDING), ("value.programme_id", ASCENDING)]),
            IndexModel([("kind", ASCENDING), ("value.organisation_id", ASCENDING)]),
            IndexModel([("kind", ASCENDING), ("value.affiliations.organisation_id", ASCENDING)]),
            IndexModel([("kind", ASCENDING), ("value.person_id", ASCENDING)]),
        ]
        await db[self._build.records].create_indexes(by_record)
        by_sum = [
            IndexModel([("scope", ASCENDING), ("measure", ASCENDING), ("year", ASCENDING)]),
            IndexModel([("measure", ASCENDING), ("key", ASCENDING), ("year", ASCENDING)]),
        ]
        await db[self._build.sums].create_indexes(by_sum)
        for name in (self._build.heads, self._build.partitions):
            await db[name].create_index("partition")


def _is_late(held: Held, news: Sequence[Recorded]) -> bool:
    return any(recorded.version < held.seen.get(recorded.stream.topic, 0) for recorded in news)


def _evolved(
    held: Held, identity: Identity, news: Sequence[Recorded], earlier: list[tuple[str, int, Fact]] | None
) -> Held:
    facts: list[tuple[str, int, Fact]] = [(recorded.stream.topic, recorded.version, recorded.fact) for recorded in news]
    record = held.record
    if earlier is not None:
        record, facts = identity.empty(), earlier + facts
    facts.sort(key=lambda placed: placed[:2])
    seen = dict(held.seen)
    for topic, version, fact in facts:
        record = evolve(record, fact)
        seen[topic] = max(version, seen.get(topic, 0))
    return Held(record, seen)


def _add_difference(sums: defaultdict[SumId, dict[str, int]], scope: str, before: Record, after: Record) -> None:
    measures = SUMMED.get(type(after))
    if not measures:
        return
    old, new = contributions(before, measures), contributions(after, measures)
    for place in old.keys() | new.keys():
        if delta := new.get(place, 0) - old.get(place, 0):
            measure, key, day = place
            sums[scope, measure, key, day[:4]][day] += delta


def _change(id: str, scope: str, partition: int, held: Held, news: Sequence[Recorded]) -> UpdateOne:
    return UpdateOne(
        {"_id": id},
        {
            "$set": {"value": held.record.model_dump(mode="json"), "seen": held.seen},
            "$push": {"facts": {"$each": [_stored(recorded) for recorded in news]}},
            "$setOnInsert": {"kind": held.record.kind, "scope": scope, "partition": partition},
        },
        upsert=True,
    )


def _addition(sum_id: SumId, days: Mapping[str, int], partition: int) -> UpdateOne:
    scope, measure, key, year = sum_id
    described = {"scope": scope, "measure": measure, "key": key, "year": year, "partition": partition}
    return UpdateOne(
        {"_id": "|".join(sum_id)},
        {"$inc": {f"days.{day}": delta for day, delta in days.items()}, "$setOnInsert": described},
        upsert=True,
    )


def _stored(recorded: Recorded) -> Document:
    """A fact as a record keeps it, so that a figure can be traced and a late fact folded in its place."""
    return {
        "position": str(recorded.position),
        "topic": recorded.stream.topic,
        "version": recorded.version,
        "type": recorded.fact.type,
        "recorded_at": recorded.recorded_at,
        "data": to_json(recorded.fact).decode(),
    }


def _fact(stored: Mapping[str, Any]) -> tuple[str, int, Fact]:
    return stored["topic"], stored["version"], FACTS[stored["type"]].model_validate_json(stored["data"])
