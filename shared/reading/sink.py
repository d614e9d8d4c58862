"""The exact sink: one MongoDB transaction per batch and partition number holds whatever the batch changes, what was
seen of each stream, and the partition's document, which is matched on all its offsets and updated every time.

Whoever comes with offsets that are not the stored ones changes nothing: a worker that slept through its replacement,
a batch that is read again, a batch that leaves records out. Nothing else has to be right for facts to count once.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import structlog
from pymongo import ReplaceOne
from pymongo.errors import BulkWriteError, OperationFailure, PyMongoError, WriteError

from shared import failpoints, telemetry
from shared.events.fact import Position, Recorded, Stream
from shared.kafka import NotUnderstood, Record, decode, partition_of, present_headers, repeated, topic_name
from shared.mongo import Client, Database, Document, Session, transact
from shared.reading.fetched import Blank
from shared.reading.heads import Seen, TooFarAhead
from shared.reading.log import NO_TIME
from shared.reading.metrics import BATCH_FACTS, BLANKS, COMMIT_SECONDS, DEAD_LETTERS, FACTS, FENCED

log = structlog.get_logger(__name__)

V = TypeVar("V")

MOST_AT_ONCE = 10_000
"""Facts in one transaction: MongoDB ends a transaction that takes too long, and rolls back one that is too large."""
TRANSACTIONS = 2
"""Partitions whose transactions are open at the same time: while MongoDB works for one, Python does for the other."""
TOO_LONG = timedelta(seconds=20)
"""A batch that loses every race for so long may be too large for a transaction: it is halved."""
LONGEST_REASON = 2_000
TOO_LARGE = (10334, 17419, 17420)  # BSONObjectTooLarge, and what an update that makes a document so large is told


def is_of_a_document(problem: Exception) -> bool:
    """Whether MongoDB refuses a document, as one above 16 MB, so that coming again would not help."""
    if isinstance(problem, (BulkWriteError, WriteError)):
        return True
    return isinstance(problem, OperationFailure) and problem.code in TOO_LARGE


class Cache(Generic[V]):
    """What one partition's last commits left of a collection, the least recently used dropped first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: OrderedDict[str, V] = OrderedDict()

    def get(self, id: str) -> V | None:
        value = self._held.get(id)
        if value is not None:
            self._held.move_to_end(id)
        return value

    def update(self, values: Mapping[str, V]) -> None:
        self._held.update(values)
        while len(self._held) > self._most:
            self._held.popitem(last=False)


@dataclass
class Partition:
    """One partition number as the last commit left it: trusted only because that commit succeeded."""

    number: int
    next: dict[str, int]
    """Topic -> the offset of the first record that is not folded yet."""
    stored: dict[str, int] | None
    """The same as it is stored, in its own order and with topics that are not read here; None where nothing is."""
    settled: int | None = None
    """How many missing versions were settled apart from the topics: each settling makes what is cached here stale."""
    caches: dict[str, Cache[Any]] = field(default_factory=dict)


@dataclass
class Unit:
    """One batch's transaction, as a projection sees it."""

    db: Database
    session: Session
    partition: Partition
    cached: int
    """How many documents of a collection may be kept for the next batches; 0 where nobody comes after this one."""
    fresh: dict[str, dict[str, Any]] = field(default_factory=dict)

    async def load(self, collection: str, ids: Collection[str], restore: Callable[[Document], V]) -> dict[str, V]:
        """The documents of these ids that exist, from the cache or in one read."""
        cache = self.partition.caches.get(collection)
        held = {id: value for id in ids if cache and (value := cache.get(id)) is not None}
        absent = [id for id in ids if id not in held]
        if absent:
            found = self.db[collection].find({"_id": {"$in": absent}}, session=self.session)
            held.update({document["_id"]: restore(document) async for document in found})
        return held

    def keep(self, collection: str, values: Mapping[str, Any]) -> None:
        """Let the next batches find these without a read, once this one is committed."""
        if self.cached:
            self.fresh.setdefault(collection, {}).update(values)


class Projection(Protocol):
    """What a reader makes of facts. Everything it changes, it changes in the unit's transaction."""

    async def project(self, unit: Unit, facts: Sequence[Recorded]) -> None: ...


@dataclass(frozen=True)
class DeadLetter:
    """A record that could not be understood, where it stood, and why."""

    record: Record
    reason: str
    """In words, cut where it is very long."""
    position: Position | None
    """The place that stays missing in its stream; None where even that could not be read."""
    is_displaced: bool = False
    """Whether it is a fact, and another one stands in its place."""


Bury = Callable[[Unit, Sequence[DeadLetter]], Awaitable[None]]
"""Puts dead letters where they belong, in the unit's transaction. May raise `Halt`."""
NoteFolded = Callable[[Unit, Sequence[Record]], Awaitable[None]]
"""Is told of the records whose facts are folded, in the unit's transaction."""


class Halt(Exception):
    """Go no further: this record must not be passed, and coming again would not help by itself."""

    records: Mapping[str, Sequence[Record]] = {}
    """The record, by its topic."""


class Closed(Exception):
    """The partition's document was closed for good: another build has taken over, and nothing changes here any more."""

    def __init__(self, partition: int) -> None:
        super().__init__(f"partition {partition}: this build is closed, another one is current")


class LeavesOut(Exception):
    """A batch leaves out records that are not folded yet, before it or within it: seek back to `next`."""

    def __init__(self, partition: int, next: Mapping[str, int]) -> None:
        super().__init__(f"partition {partition}: the next records are those at {dict(next)}")
        self.partition, self.next = partition, dict(next)


class AnotherStandsThere(Exception):
    """Another fact was folded in the place of this one."""

    def __init__(self, position: Position, id: str, other: str | None = None) -> None:
        """`other` is the id of that one, as far as it is known."""
        whose = f", with the id {other}" if other else ""
        super().__init__(
            f"{position} was folded before as another fact{whose}, and this one's id is {id}: one of the two was not "
            f"sent by the service whose stream it is"
        )


def take(seen: Seen, fact: Recorded) -> bool:
    """Take a fact in; False where it was seen before.

    Raises:
        TooFarAhead, AnotherStandsThere: nothing is taken.
    """
    if seen.stands_elsewise(fact.version, fact.id):
        raise AnotherStandsThere(fact.position, fact.id, seen.last)
    return seen.take(fact.version, fact.id)


class _Folded(NamedTuple):
    """What a transaction did, once it is committed."""

    partition: Partition
    facts: Sequence[Recorded] = ()
    letters: int = 0
    blanks: int = 0


class _Fenced(Exception):
    """The stored offsets are not those that were trusted: somebody else has been here."""


class Folding(Protocol):
    """Where records go: a sink, or what stands before one."""

    async def next_offsets(self, number: int) -> dict[str, int]: ...
    async def stored(self, number: int) -> Document | None: ...
    async def learn(self, number: int, fields: Document) -> None: ...
    async def put(self, number: int, records: Mapping[str, Sequence[Record]]) -> None: ...


class Sink:
    """Folds batches into `db`. `names` tells its own two collections apart from another build's."""

    def __init__(
        self,
        client: Client,
        db: Database,
        topics: Sequence[str],
        projection: Projection,
        bury: Bury,
        *,
        heads: str = "heads",
        partitions: str = "partitions",
        cached: int = 0,
        discarded: Container[Record] = (),
        note_folded: NoteFolded | None = None,
        spread_over: int | None = None,
        transactions: int = TRANSACTIONS,
    ) -> None:
        """`discarded` are records that somebody decided to do without: passed by, and missed.

        `spread_over` is how many partitions the topics have. A record that is not where its key belongs is a dead
        letter: two partitions that both hold of a stream know nothing of each other's. None: it may be anywhere.
        `transactions` is how many partitions' are open at the same time.
        """
        self._client, self._db, self._topics = client, db, tuple(topics)
        self._projection, self._bury, self._cached = projection, bury, cached
        self.heads, self.partitions = heads, partitions
        self._discarded, self._note_folded, self._spread_over = discarded, note_folded, spread_over
        self._trusted: dict[int, Partition] = {}
        self._room = asyncio.Semaphore(transactions)

    async def next_offsets(self, number: int) -> dict[str, int]:
        """Topic -> the offset to go on from, 0 where nothing was folded yet.

        Raises:
            Closed: nowhere.
        """
        return self._offsets(await self.stored(number))

    async def stored(self, number: int) -> Document | None:
        """The partition's document, None where nothing was folded yet.

        Raises:
            Closed: another build has taken over.
        """
        return _open(await self._db[self.partitions].find_one({"_id": number}))

    async def learn(self, number: int, fields: Document) -> None:
        """Keep in the partition's document what was found out about its log."""
        await self._db[self.partitions].update_one({"_id": number, "next": {"$exists": True}}, {"$set": fields})

    async def put(self, number: int, records: Mapping[str, Sequence[Record]]) -> None:
        """Fold a partition number's records, by topic and in order of offset; returns once that is committed.

        A batch that cannot be folded is halved until the culprit stands alone, which becomes a dead letter.

        Raises:
            LeavesOut, Closed: nothing was folded, or what stands before in a batch that is halved.
            Halt: what stands before the record that must not be passed is folded, and nothing else.
        """
        if sum(map(len, records.values())) > MOST_AT_ONCE:
            for half in _halves(records):
                await self.put(number, half)
            return
        try:
            async with self._room:
                folded = await self._commit(number, records)
        except (LeavesOut, Closed):
            raise
        except Exception as problem:
            if isinstance(problem, PyMongoError) and not is_of_a_document(problem):
                raise
            if sum(map(len, records.values())) > 1:
                for half in _halves(records):
                    await self.put(number, half)
                return
            if isinstance(problem, Halt):
                raise
            reason = repr(problem)[:LONGEST_REASON]
            trace = None if is_of_a_document(problem) else problem  # MongoDB's repeats the whole document
            log.error("fact.not_folded", partition=number, reason=reason, exc_info=trace)
            async with self._room:
                folded = await self._commit(number, records, unfoldable=reason)
        _tell(number, folded)

    async def _commit(
        self, number: int, records: Mapping[str, Sequence[Record]], *, unfoldable: str | None = None
    ) -> _Folded:
        count = sum(map(len, records.values()))
        while True:
            trusted = number in self._trusted
            try:
                with COMMIT_SECONDS.time():
                    folded = await transact(
                        self._client,
                        lambda session: self._fold(number, records, unfoldable, session),
                        patience=TOO_LONG if count > 1 else None,
                    )
            except LeavesOut:
                if not trusted:
                    raise
                continue  # beyond what was trusted, which somebody else may have moved on
            except Halt as halt:
                halt.records = records
                raise
            except _Fenced:
                FENCED.inc()
                log.warning("partition.fenced", partition=number)
                continue
            failpoints.reached("sink.committed")
            self._trusted[number] = folded.partition
            return folded

    async def _fold(
        self, number: int, records: Mapping[str, Sequence[Record]], unfoldable: str | None, session: Session
    ) -> _Folded:
        # popped: whatever happens now, the cache is trusted again only after a commit
        partition = self._trusted.pop(number, None) or await self._load(number, session)
        news = {topic: self._news(partition, topic, batch) for topic, batch in records.items()}
        news = {topic: batch for topic, batch in news.items() if batch}
        if not news:
            return _Folded(partition)
        unit = Unit(self._db, session, partition, self._cached)
        written = [record for batch in news.values() for record in batch if not isinstance(record, Blank)]
        facts, letters, missed = self._decoded(written, unfoldable)
        seen = await self._seen(unit, {fact.stream for _, fact in facts} | {position.stream for position in missed})
        folded, fresh = list[Record](), list[Recorded]()
        for record, fact in facts:
            try:
                if take(seen[fact.stream], fact):
                    folded.append(record)
                    fresh.append(fact)
            except (TooFarAhead, AnotherStandsThere) as problem:
                reason, is_displaced = str(problem)[:LONGEST_REASON], isinstance(problem, AnotherStandsThere)
                letters.append(DeadLetter(record, reason, fact.position, is_displaced))
        for position in missed:
            seen[position.stream].miss(position.version)
        if fresh:
            await self._projection.project(unit, fresh)
            if self._note_folded:
                await self._note_folded(unit, folded)
        if letters:
            await self._bury(unit, letters)
        firsts = {
            topic: max(batch[0].timestamp, NO_TIME)
            for topic, batch in news.items()
            if batch[0].offset == 0 and not isinstance(batch[0], Blank)
        }
        blanks = sum(map(len, news.values())) - len(written)
        await self._note(unit, seen, {topic: batch[-1].offset + 1 for topic, batch in news.items()}, firsts)
        failpoints.reached("sink.folded")
        return _Folded(partition, fresh, len(letters), blanks)

    def _news(self, partition: Partition, topic: str, batch: Sequence[Record]) -> Sequence[Record]:
        """Those that are not folded yet: every offset from the first one on, each once."""
        news, following = list[Record](), partition.next[topic]
        for record in batch:
            if record.offset > following:
                raise LeavesOut(partition.number, partition.next)
            if record.offset == following:
                news.append(record)
                following += 1
        return news

    async def _load(self, number: int, session: Session) -> Partition:
        document = _open(await self._db[self.partitions].find_one({"_id": number}, session=session))
        stored, settled = (document["next"], document.get("settled")) if document else (None, None)
        return Partition(number, self._offsets(document), stored, settled)

    def _offsets(self, document: Document | None) -> dict[str, int]:
        stored = document["next"] if document else {}
        return {topic: stored.get(topic, 0) for topic in self._topics}

    def _decoded(
        self, records: Iterable[Record], unfoldable: str | None
    ) -> tuple[list[tuple[Record, Recorded]], list[DeadLetter], list[Position]]:
        """The facts, the new dead letters, and the positions of all that is no fact to be folded."""
        facts, letters, missed = list[tuple[Record, Recorded]](), list[DeadLetter](), list[Position]()
        for record in records:
            misplaced = self._misplaced(record)
            reason = unfoldable or misplaced
            if not reason and record not in self._discarded:
                try:
                    facts.append((record, decode(record)))
                    continue
                except NotUnderstood as problem:
                    reason = str(problem)[:LONGEST_REASON]
            position = None if misplaced else _position(record)
            if position:
                missed.append(position)
            if reason:
                letters.append(DeadLetter(record, reason, position))
        return facts, letters, missed

    def _misplaced(self, record: Record) -> str | None:
        """Where it should be, in words, if it is not there."""
        if self._spread_over is None or record.key is None:
            return None
        right = partition_of(record.key, self._spread_over)
        if right == record.partition:
            return None
        return (
            f"it stands in partition {record.partition}, and its key belongs in {right}: whoever sent it chooses "
            f"partitions in another way than Kafka's own clients"
        )

    async def _seen(self, unit: Unit, streams: Collection[Stream]) -> dict[Stream, Seen]:
        known = await unit.load(self.heads, [str(stream) for stream in streams], Seen.restored)
        return {stream: known.get(str(stream)) or Seen() for stream in streams}

    async def _note(
        self, unit: Unit, seen: Mapping[Stream, Seen], moved: Mapping[str, int], firsts: Mapping[str, int]
    ) -> None:
        partition, session = unit.partition, unit.session
        if seen:
            replacements = [
                ReplaceOne(
                    {"_id": str(stream)},
                    {"_id": str(stream), "partition": partition.number, **head.document()},
                    upsert=True,
                )
                for stream, head in seen.items()
            ]
            await self._db[self.heads].bulk_write(replacements, ordered=False, session=session)
        unit.keep(self.heads, {str(stream): head for stream, head in seen.items()})
        following = {**(partition.stored or {}), **partition.next, **moved}
        if partition.stored is not None:
            result = await self._db[self.partitions].update_one(
                {"_id": partition.number, "next": partition.stored, "settled": partition.settled},
                {"$set": {"next": following, **{f"log.firsts.{topic}": at for topic, at in firsts.items()}}},
                session=session,
            )
            if not result.matched_count:
                raise _Fenced
        else:
            document = {"_id": partition.number, "next": following, "log": {"firsts": dict(firsts)}}
            await self._db[self.partitions].insert_one(document, session=session)
        for collection, values in unit.fresh.items():
            partition.caches.setdefault(collection, Cache(self._cached)).update(values)
        partition.next, partition.stored = following, following


def _open(document: Document | None) -> Document | None:
    """A partition's document; one that was closed has no offsets, so that whoever trusts some finds others."""
    if document is not None and "next" not in document:
        raise Closed(document["_id"])
    return document


def _tell(number: int, folded: _Folded) -> None:
    """Say what was done: after the commit, so that it cannot be mistaken for a fact that cannot be folded."""
    FACTS.inc(len(folded.facts))
    BATCH_FACTS.observe(len(folded.facts))
    DEAD_LETTERS.inc(folded.letters)
    BLANKS.inc(folded.blanks)
    if folded.facts:
        traces = telemetry.trace_ids(fact.trace for fact in folded.facts)
        log.info("batch.folded", partition=number, count=len(folded.facts), traces=traces)


def _halves(records: Mapping[str, Sequence[Record]]) -> Iterator[dict[str, Sequence[Record]]]:
    """The batch in two parts, which keep the order within each topic."""
    middle = sum(map(len, records.values())) // 2
    first, second = dict[str, Sequence[Record]](), dict[str, Sequence[Record]]()
    for topic, batch in records.items():
        first[topic], second[topic] = batch[:middle], batch[middle:]
        middle = max(middle - len(batch), 0)
    yield {topic: batch for topic, batch in first.items() if batch}
    yield {topic: batch for topic, batch in second.items() if batch}


def _position(record: Record) -> Position | None:
    headers = present_headers(record)
    if len(headers) < len(record.headers) and repeated(record) & {"ce_subject", "ce_sequence"}:
        return None
    try:
        position = Position.parse(f"{headers['ce_subject'].decode()}@{headers['ce_sequence'].decode()}")
    except (KeyError, ValueError):
        return None
    stream = position.stream
    stands_there = record.key == stream.key.encode() and record.topic == topic_name(stream.topic)
    return position if stands_there else None
