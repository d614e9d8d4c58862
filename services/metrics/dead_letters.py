"""Dead letters: records that could not be understood, kept as they were and published on `<topic>.dead`, both in the
transaction that moves the offset past them.
"""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate
from typing import NamedTuple, Self, cast

import structlog
from pymongo import ASCENDING, ReplaceOne, UpdateMany, UpdateOne

from shared.events.fact import MAX_FACT_BYTES, Position
from shared.kafka import Carried, Headers, Message, NotUnderstood, Record, decode
from shared.mongo import Database, Document, Session
from shared.reading.sink import DeadLetter, Halt, Unit
from shared.views.builds import FIRST, Build
from shared.writing.ledger import outgoing

log = structlog.get_logger(__name__)

KEPT_BYTES = 1024 * 1024
"""Of a letter's key, value and headers, each: what a topic takes at most, unless it was compressed on its way."""
HEADER_BYTES = 32
"""What a header takes beside its name and value, at most."""
TOLD_BYTES = MAX_FACT_BYTES
"""The same of what is published, so that all of it together is taken."""


@dataclass(frozen=True)
class Limit:
    """How many are borne. Beyond, the reader is likelier to be wrong than the records."""

    share: float = 0.05
    of_last: int = 1_000
    """Records of a partition number, over all topics."""
    at_least: int = 20
    """Fewer are borne whatever their share."""

    def is_reached(self, letters: int, of: int) -> bool:
        return letters >= self.at_least and letters > self.share * of


USUAL = Limit()


class TooManyDeadLetters(Halt):
    """A release that does not know the language would bury all that comes: it must not."""

    def __init__(self, partition: int, letters: int, of: int, reason: str) -> None:
        super().__init__(
            f"{letters} of the last {of} records of partition {partition} could not be understood, the last one "
            f"because {reason}. Nothing is folded here until this is settled, and no more dead letters are made. If "
            f"this release is too old for them, start one that understands them: it goes on from here, and "
            f"`praxis dead-letters replay --all` folds those before. If the records are broken, discard those that "
            f"`praxis dead-letters list` shows, or bear more of them with PRAXIS_DEAD_LETTER_SHARE"
        )


class Settled(NamedTuple):
    """That somebody has dealt with a letter."""

    by: str
    why: str
    at: datetime

    @classmethod
    def restored(cls, document: Document | None) -> Self | None:
        """What is stored of it, by whatever release; None where nothing is."""
        return cls(document["by"], document["why"], document["at"]) if document else None


@dataclass(frozen=True)
class Letter:
    """A dead letter as it is kept. It is a record as well: the one that it was, but for what was left out."""

    id: str
    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    reason: str
    position: Position | None
    """The version that is missing for it; None where it could not be read."""
    buried_at: datetime
    left_out: tuple[str, ...] = ()
    """Which of key, value and headers were too long to be kept."""
    replayed: Settled | None = None
    discarded: Settled | None = None
    folded_in: tuple[int, ...] | None = None
    """The builds into which its fact came from here, by a replay or by a rebuild that understood it; None where that is
    not known: nobody did, or an earlier release replayed it.
    """
    displaced_in: tuple[int, ...] = ()
    """The builds in which another fact stands in its place."""
    buried_in: tuple[int, ...] | None = None
    """The builds that buried it; None where an earlier release did, which did not say."""

    def is_buried_in(self, build: Build) -> bool:
        return self.buried_in is None or build.number in self.buried_in

    def is_folded_in(self, build: Build) -> bool:
        return build.number in self.folded_in if self.folded_in is not None else bool(self.replayed)

    @classmethod
    def of(cls, letter: DeadLetter, now: datetime) -> Self:
        record, kept = letter.record, _shortened(letter.record, KEPT_BYTES)
        return cls(
            id=letter_id(record),
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            key=kept.key,
            value=kept.value,
            headers=kept.headers,
            reason=letter.reason,
            position=letter.position,
            buried_at=now,
            left_out=kept.left_out,
        )

    @classmethod
    def restored(cls, document: Document) -> Self:
        position = document["position"]
        return cls(
            id=document["_id"],
            topic=document["topic"],
            partition=document["partition"],
            offset=document["offset"],
            key=document["key"],
            value=document["value"],
            headers=tuple((name, value) for name, value in document["headers"]),
            reason=document["reason"],
            position=Position.parse(position) if position else None,
            buried_at=document["buried_at"],
            left_out=tuple(document.get("left_out", ())),
            folded_in=tuple(document["folded_in"]) if "folded_in" in document else None,
            displaced_in=tuple(document.get("displaced_in", ())),
            buried_in=tuple(document["buried_in"]) if "buried_in" in document else None,
            replayed=Settled.restored(document.get("replayed")),
            discarded=Settled.restored(document.get("discarded")),
        )

    def document(self) -> Document:
        return {
            "topic": self.topic,
            "partition": self.partition,
            "offset": self.offset,
            "key": self.key,
            "value": self.value,
            "headers": [list(header) for header in self.headers],
            "position": self.position and str(self.position),
            "buried_at": self.buried_at,
            "left_out": list(self.left_out),
        }


class Discards:
    """The records that somebody decided to do without, each known by its place and by what it was."""

    def __init__(self, ids: Collection[str]) -> None:
        self._ids, self._places = frozenset(ids), frozenset(id.rpartition("-")[0] for id in ids)

    def __contains__(self, record: object) -> bool:
        one = cast(Record, record)
        return bool(self._ids) and _place(one) in self._places and letter_id(one) in self._ids


def letter_id(record: Record) -> str:
    """Of what it was too: in a topic that was made anew, another record may stand at its place."""
    headers = tuple((name, value) for name, value in record.headers)
    what = hashlib.sha256(repr((record.key, record.value, headers)).encode()).hexdigest()
    return f"{_place(record)}-{what[:6]}"


def _place(record: Record) -> str:
    return f"{record.topic.removesuffix('.events')}-{record.partition}-{record.offset}"


def dead_topic(topic: str) -> str:
    return f"{topic}.dead"


async def prepare(db: Database) -> None:
    await db.dead_letters.create_index([("partition", ASCENDING), ("nth", ASCENDING)])
    await db.dead_letters.create_index("position")
    await db.dead_letters.create_index([("topic", ASCENDING), ("partition", ASCENDING), ("offset", ASCENDING)])
    await db.outbox.create_index("topic")


async def discarded(db: Database) -> Discards:
    found = db.dead_letters.find({"discarded": {"$ne": None}}, {"_id": 1})
    return Discards([document["_id"] async for document in found])


def waiting(build: Build) -> Document:
    """Those of a build that nobody has settled yet, and that were not folded into it."""
    return {**_UNSETTLED, "$or": _buried_in(build), "folded_in": {"$ne": build.number}}


def _buried_in(*builds: Build) -> list[Document]:
    """Those of one of these builds, and those of an earlier release, which did not say: either will do."""
    return [{"buried_in": {"$in": [build.number for build in builds]}}, {"buried_in": {"$exists": False}}]


_UNSETTLED: Document = {"replayed": None, "discarded": None}


def folded_in(build: Build) -> Document:
    """Those that were folded into a build: by a replay, or by a rebuild that understood them."""
    return {"$or": [{"folded_in": build.number}, _BY_AN_EARLIER_RELEASE]}


_BY_AN_EARLIER_RELEASE: Document = {"replayed": {"$ne": None}, "folded_in": {"$exists": False}}
"""Those that were replayed, it was not said into which build."""


def kept_in(build: Build) -> Document:
    """Those of them that nobody has decided to do without since."""
    return {**folded_in(build), "discarded": None}


def undone_in(build: Build) -> Document:
    """Those of them that somebody has: a later build is to be without them."""
    return {**folded_in(build), "discarded": {"$ne": None}}


async def claimed(db: Database, which: Document) -> set[Position]:
    """The places of the facts that some letters hold, as far as this release understands them."""
    found = set[Position]()
    async for document in db.dead_letters.find(which):
        with suppress(NotUnderstood):
            found.add(decode(Letter.restored(document)).position)
    return found


async def streams_of(db: Database, which: Document) -> set[str]:
    """The streams of which some letters are, as they claim, whether this release understands them or not."""
    found = {str(position.stream) for position in await claimed(db, {**which, "position": None})}
    async for document in db.dead_letters.find({**which, "position": {"$ne": None}}, {"position": 1}):
        found.add(document["position"].rpartition("@")[0])
    return found


async def given_up(db: Database, builds: Sequence[Build], as_of: Session | None = None) -> list[Position]:
    """The versions that nobody waits for: where a letter was discarded, and none of these builds stands that was not.

    With a session in a snapshot: those that nobody waited for at that time.
    """
    stages: list[Document] = [
        {"$match": {"position": {"$ne": None}, "$or": [{"discarded": {"$ne": None}}, *_buried_in(*builds)]}},
        {"$group": {"_id": "$position", "waits": {"$max": {"$eq": [{"$type": "$discarded"}, "missing"]}}}},
        {"$match": {"waits": False}},
    ]
    found = await db.dead_letters.aggregate(stages, session=as_of)
    return [Position.parse(document["_id"]) async for document in found]


async def note_folded(unit: Unit, records: Sequence[Record], *, builds: tuple[Build, Build]) -> None:
    """Note on the letters of records that a rebuild folds, since it understands them, that it did.

    `builds` are the one that is read and the one that is written.
    """
    offsets = defaultdict[str, list[int]](list)
    for record in records:
        offsets[record.topic].append(record.offset)
    spans = [{"topic": topic, "offset": {"$gte": at[0], "$lte": at[-1]}} for topic, at in offsets.items()]
    there = {"partition": unit.partition.number, "$or": spans}
    letters = unit.db.dead_letters.find(there, {"topic": 1, "offset": 1}, session=unit.session)
    ids = {one["_id"]: (one["topic"], one["offset"]) async for one in letters}
    places = set(ids.values())
    here = [record for record in records if (record.topic, record.offset) in places]
    if these := [id for id in map(letter_id, here) if id in ids]:
        old, new = (build.number for build in builds)
        unsaid, said = {"_id": {"$in": these}, **_BY_AN_EARLIER_RELEASE}, {"$set": {"folded_in": [old]}}
        await unit.db.dead_letters.update_many(unsaid, said, session=unit.session)
        folded = {"$addToSet": {"folded_in": new}}
        await unit.db.dead_letters.update_many({"_id": {"$in": these}}, folded, session=unit.session)


async def bury(unit: Unit, letters: Sequence[DeadLetter], *, limit: Limit = USUAL, build: Build = FIRST) -> None:
    """Keep the letters and put them into the outbox, in the transaction that moves the offset past them.

    Raises:
        TooManyDeadLetters: none of them is buried.
    """
    await keep(unit, letters, limit=limit, build=build)
    # replaced, so that one which still waits there from another time is no lost race, to be run again for ever
    messages = [ReplaceOne({"_id": out["_id"]}, out, upsert=True) for out in map(_outgoing, letters)]
    await unit.db.outbox.bulk_write(messages, ordered=False, session=unit.session)
    for letter in letters:
        place = letter.record
        log.error("fact.dead", topic=place.topic, partition=place.partition, offset=place.offset, reason=letter.reason)


async def keep(unit: Unit, letters: Sequence[DeadLetter], *, limit: Limit = USUAL, build: Build = FIRST) -> None:
    """Keep the letters without publishing them: what a rebuild does, which meets most of them again.

    Raises:
        TooManyDeadLetters: none of them is kept.
    """
    now = datetime.now(UTC)
    kept = {Letter.of(letter, now): _nth(letter.record, unit.partition.next) for letter in letters}
    await _check(unit, kept, limit, build)
    displaced = {letter_id(letter.record) for letter in letters if letter.is_displaced}
    writes = [
        UpdateOne(
            {"_id": letter.id},
            {
                "$set": {"reason": letter.reason},
                "$setOnInsert": {**letter.document(), "nth": nth, "buried_in": [build.number]},
                **({"$addToSet": {"displaced_in": build.number}} if letter.id in displaced else {}),
            },
            upsert=True,
        )
        for letter, nth in kept.items()
    ]
    # one of an earlier release, which did not say, is in all builds
    said = {"_id": {"$in": [letter.id for letter in kept]}, "buried_in": {"$exists": True}}
    also = UpdateMany(said, {"$addToSet": {"buried_in": build.number}})
    await unit.db.dead_letters.bulk_write([*writes, also], session=unit.session)


async def forget(db: Database, build: Build) -> None:
    """Let the letters be gone that were made for a build alone which is given up, and which nobody has settled."""
    await db.dead_letters.delete_many({"buried_in": [build.number], **_UNSETTLED})
    await db.dead_letters.update_many({"buried_in": build.number}, {"$pull": {"buried_in": build.number}})


async def say_folded(db: Database, build: Build) -> None:
    """Say of those that an earlier release replayed that they were folded into a build, and so in none that follows."""
    await db.dead_letters.update_many(_BY_AN_EARLIER_RELEASE, {"$set": {"folded_in": [build.number]}})


async def _check(unit: Unit, letters: Mapping[Letter, int], limit: Limit, build: Build) -> None:
    """Settled ones do not count, so that whoever settles them lets the reader go on."""
    last, newest = max((nth, letter.reason) for letter, nth in letters.items())
    begin = last - limit.of_last
    before = await unit.db.dead_letters.count_documents(
        {
            "partition": unit.partition.number,
            "nth": {"$gt": begin, "$lte": last},
            "_id": {"$nin": [letter.id for letter in letters]},
            **waiting(build),
        },
        session=unit.session,
    )
    count, of = before + sum(nth > begin for nth in letters.values()), min(last + 1, limit.of_last)
    if limit.is_reached(count, of):
        raise TooManyDeadLetters(unit.partition.number, count, of, newest)


def _nth(record: Record, following: Mapping[str, int]) -> int:
    """How many records of its partition number, of all topics, came before it."""
    own = record.topic.removesuffix(".events")
    return record.offset + sum(offset for topic, offset in following.items() if topic != own)


def _outgoing(letter: DeadLetter) -> Document:
    """Short enough for Kafka to take: what cannot be sent would hold up the whole outbox."""
    record, sent = letter.record, _shortened(letter.record, TOLD_BYTES)
    told = {
        "praxis_reason": letter.reason,
        "praxis_topic": record.topic,
        "praxis_partition": str(record.partition),
        "praxis_offset": str(record.offset),
    }
    if sent.left_out:
        told["praxis_left_out"] = ", ".join(sent.left_out)
    headers: Headers = [(name, value) for name, value in sent.headers if value is not None]
    headers += [(name, words.encode()) for name, words in told.items()]
    message = Message(dead_topic(record.topic), sent.key or b"", sent.value or b"", headers)
    return outgoing({"stream": f"dead/{record.topic}/{record.partition}", "version": record.offset}, message)


class _Shortened(NamedTuple):
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    left_out: tuple[str, ...]


def _shortened(record: Carried, most: int) -> _Shortened:
    """The record without a key or value of more than so many bytes, and with the first headers, as far as they fit."""
    key = record.key if len(record.key or b"") <= most else None
    value = record.value if len(record.value or b"") <= most else None
    sizes = accumulate(len(name.encode()) + len(held or b"") + HEADER_BYTES for name, held in record.headers)
    headers = tuple(header for header, size in zip(record.headers, sizes, strict=True) if size <= most)
    kept = {"key": key == record.key, "value": value == record.value, "headers": len(headers) == len(record.headers)}
    return _Shortened(key, value, headers, tuple(part for part, is_whole in kept.items() if not is_whole))
