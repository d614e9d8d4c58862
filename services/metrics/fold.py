"""Folds facts into records and sums, in the transaction of the sink: what the projections make of a batch, stored."""

from collections.abc import Mapping, Sequence

from pymongo import ASCENDING, IndexModel, InsertOne, UpdateOne

from services.metrics.projections import Held, News, Placed, SumId, concerned, fold, folded_again, with_them
from shared.events.fact import FACTS, Recorded
from shared.kafka import to_json
from shared.mongo import Database, Document
from shared.reading.sink import Unit
from shared.views.builds import Build
from shared.views.records import AdoptionRecord, CommunityRecord, ParticipationRecord, PersonRecord, Record

FOUND_BY: tuple[tuple[type[Record], str], ...] = (
    (CommunityRecord, "programme_id"),
    (ParticipationRecord, "affiliations.organisation_id"),
    (AdoptionRecord, "organisation_id"),
    (PersonRecord, "merged_into"),
)
"""What readers look for, beside ids, which hold together what is in a scope. An index holds one kind only: there are
many more participations than all else.
"""


class Fold:
    """The projection of one build."""

    def __init__(self, build: Build) -> None:
        self._build = build

    async def project(self, unit: Unit, facts: Sequence[Recorded]) -> None:
        about = concerned(facts)
        held = await unit.load(self._build.records, about, Held.restored)
        further = held
        while others := with_them(further) - held.keys():
            further = await unit.load(self._build.records, others, Held.restored)
            held |= further
        changes = fold(about, held, await self._earlier(unit, folded_again(about, held)))
        number = unit.partition.number
        records = [
            _changed(id, about[id], held[id], after) if id in held else _begun(id, about[id], number, after)
            for id, after in changes.records.items()
        ]
        await unit.db[self._build.records].bulk_write(records, ordered=False, session=unit.session)
        if changes.sums:
            additions = [_addition(sum_id, days, number) for sum_id, days in changes.sums.items()]
            await unit.db[self._build.sums].bulk_write(additions, ordered=False, session=unit.session)
        unit.keep(self._build.records, changes.records)

    async def _earlier(self, unit: Unit, ids: Sequence[str]) -> dict[str, list[Placed]]:
        """The facts that are in these records already."""
        if not ids:
            return {}
        found = unit.db[self._build.records].find({"_id": {"$in": list(ids)}}, {"facts": 1}, session=unit.session)
        return {document["_id"]: [_placed(line) for line in document["facts"]] async for document in found}

    async def prepare(self, db: Database) -> None:
        """Make the collections, which a transaction cannot always do, and the indexes that readers use."""
        by_record = [
            IndexModel([(f"value.{field}", ASCENDING)], partialFilterExpression={"kind": kind.kind})
            for kind, field in FOUND_BY
        ]
        await db[self._build.records].create_indexes(by_record)
        by_sum = [
            IndexModel([("scope", ASCENDING), ("measure", ASCENDING), ("year", ASCENDING)]),
            IndexModel([("measure", ASCENDING), ("key", ASCENDING), ("year", ASCENDING)]),
        ]
        await db[self._build.sums].create_indexes(by_sum)
        for name in (self._build.heads, self._build.partitions):
            await db[name].create_index("partition")
        incomplete = {"missing.0": {"$exists": True}}
        await db[self._build.heads].create_index("head", name="incomplete", partialFilterExpression=incomplete)


def _begun(id: str, news: News, partition: int, held: Held) -> InsertOne[Document]:
    """A record that is not there, as this transaction sees it: where another put it there since, it runs again."""
    return InsertOne(
        {
            "_id": id,
            "kind": held.record.kind,
            "scope": news.scope,
            "partition": partition,
            "value": held.record.to_store(),
            "seen": held.seen,
            "facts": [_line(recorded) for recorded in news.facts],
        }
    )


def _changed(id: str, news: News, before: Held, after: Held) -> UpdateOne:
    """Only the fields that are others now are set: an index of one that stays has nothing to do."""
    known, gone = after.record.changes_from(before.record)
    changes: Document = {
        "$set": {**{f"value.{name}": value for name, value in known.items()}, "seen": after.seen},
        "$push": {"facts": {"$each": [_line(recorded) for recorded in news.facts]}},
    }
    if gone:
        changes["$unset"] = {f"value.{name}": "" for name in gone}
    return UpdateOne({"_id": id}, changes)


def _addition(sum_id: SumId, days: Mapping[str, int], partition: int) -> UpdateOne:
    scope, measure, key, year = sum_id
    described = {"scope": scope, "measure": measure, "key": key, "year": year, "partition": partition}
    return UpdateOne(
        {"_id": "|".join(sum_id)},
        {"$inc": {f"days.{day}": delta for day, delta in days.items()}, "$setOnInsert": described},
        upsert=True,
    )


def _line(recorded: Recorded) -> str:
    """A fact as a record keeps it, so that a figure can be traced and a late fact folded in its place."""
    fact, words = recorded.fact, recorded.words or to_json(recorded.fact)
    at = recorded.recorded_at.isoformat()
    return f"{recorded.stream.topic}@{recorded.version} {at} {fact.type} {words.decode()}"


def _placed(line: str) -> Placed:
    place, _, type, words = line.split(" ", 3)
    topic, _, version = place.partition("@")
    return Placed(topic, int(version), FACTS[type].model_validate_json(words))
