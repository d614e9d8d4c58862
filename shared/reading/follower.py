"""Follows topics with plain aiokafka and folds what comes into a sink."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError
from pymongo.errors import OperationFailure, PyMongoError

from shared import failpoints
from shared.drivers import by_its_name
from shared.kafka import Record, topic_name
from shared.mongo import Database, Document
from shared.reading.hand import FETCHED_BYTES, MOST_POLLED, Batch, Hand, polled
from shared.reading.log import Log, LostLog, cluster_id, learned, look_at, topic_of
from shared.reading.sink import Folding, LeavesOut
from shared.running import told_to_end

log = structlog.get_logger(__name__)

HINT_EVERY_S = 1.0
LONGEST_WITHOUT_POLL = timedelta(days=7)
"""While MongoDB is away nothing is polled. Beyond this a consumer leaves its group; Faust's then never comes back."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0
AWAY = (KafkaError, PyMongoError, OSError)
STOPPED_WITHIN_S = 10.0
LOOK_EVERY_S = 5.0
"""A topic may be deleted and made anew while it is read, and nothing else tells."""
ANSWERS_WITHIN_S = 1.0  # else Kafka is taken to be away: aiokafka itself would go on asking for 40 s


def in_words(problem: Exception) -> str:
    """What is away, for whom it keeps waiting; what the driver says of it belongs in the log."""
    if isinstance(problem, OperationFailure):
        return f"MongoDB refuses: {(problem.details or {}).get('errmsg') or problem}"
    if isinstance(problem, PyMongoError):
        return "MongoDB does not answer"
    if isinstance(problem, TimeoutError):
        return "Kafka or MongoDB does not answer in time"
    return str(problem) or repr(problem)


async def stored_offsets(sink: Folding, places: Collection[TopicPartition]) -> dict[TopicPartition, int]:
    """Where MongoDB says that reading goes on."""
    stored = {number: await sink.next_offsets(number) for number in {place.partition for place in places}}
    return {place: stored[place.partition][topic_of(place)] for place in places}


async def require_log(
    sink: Folding, places: Collection[TopicPartition], look: Callable[[], Awaitable[Log]]
) -> dict[TopicPartition, int]:
    """Where reading goes on, if what `look` finds on Kafka is the log that was read; what is new of it is kept.

    Raises:
        LostLog: it is not.
    """
    # first what is stored: what is folded while Kafka is asked would lie beyond the end that it tells
    stored = {number: await sink.stored(number) for number in {place.partition for place in places}}
    log = await look()
    for number, document in stored.items():
        if fields := learned(number, document, log):
            await sink.learn(number, fields)
    offsets = {number: document["next"] if document else {} for number, document in stored.items()}
    return {place: offsets[place.partition].get(topic_of(place), 0) for place in places}


async def read_anew(db: Database, topics: Collection[str], partitions: str = "partitions") -> None:
    """Let the readers of a database begin at the beginning of topics that were made anew.

    What they have seen before they know by its version, so nothing counts twice. The number of the log stands among the
    offsets, so that whoever slept since the old log finds others than they trust, however far the new one has come.
    """
    anew: Document = {f"next.{topic}": 0 for topic in topics}
    changes: list[Document] = [
        {"$set": {**anew, "next.log": {"$add": [{"$ifNull": ["$next.log", 1]}, 1]}}},
        {"$unset": ["log.cluster", *(f"log.firsts.{topic}" for topic in topics)]},
    ]
    await db[partitions].update_many({}, changes)


async def stop(consumer: AIOKafkaConsumer) -> None:
    """Stop it, whatever comes of that: while Kafka is away, the end of its own tasks comes out as if it were ours."""
    with suppress(TimeoutError):
        await asyncio.wait_for(asyncio.gather(consumer.stop(), return_exceptions=True), STOPPED_WITHIN_S)


class Follower:
    """Reads `topics` in the group `group` for ever; several processes share the partitions among them."""

    def __init__(
        self,
        bootstrap: str,
        topics: Sequence[str],
        group: str,
        sink: Folding,
        *,
        session: timedelta = timedelta(seconds=10),
    ) -> None:
        """`session` is how long a process may be silent before its partitions go to others, or to its successor."""
        self._bootstrap, self._topics, self._group = bootstrap, list(topics), group
        self._sink, self._session = sink, session
        self._consumer: AIOKafkaConsumer | None = None
        self._asked: AIOKafkaConsumer | None = None
        """It tells of what cannot be read yet, too: of a transaction that is open."""
        self._first_ends: dict[TopicPartition, int] | None = None
        self.waits_for: str | None = "Kafka"

    async def run(self) -> None:
        """Follow for ever; while Kafka or MongoDB is away, try again with growing pauses.

        Raises:
            LostLog: see `require_log`.
        """
        pause = FIRST_PAUSE_S
        while not told_to_end():
            try:
                await by_its_name(self._follow())
            except AWAY as problem:
                if self.waits_for is None:  # it had gone well
                    pause = FIRST_PAUSE_S
                self.waits_for = "MongoDB" if isinstance(problem, PyMongoError) else "Kafka"
                log.warning("follower.began_again", group=self._group, reason=repr(problem))
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_S)

    async def _follow(self) -> None:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            max_partition_fetch_bytes=FETCHED_BYTES,
            max_poll_records=MOST_POLLED,
            fetch_max_wait_ms=500,
            session_timeout_ms=self._session // timedelta(milliseconds=1),
            heartbeat_interval_ms=self._session / 5 // timedelta(milliseconds=1),
            max_poll_interval_ms=LONGEST_WITHOUT_POLL // timedelta(milliseconds=1),
            # a topic that was deleted is in no assignment, and comes back, made anew, when this has passed
            metadata_max_age_ms=int(LOOK_EVERY_S * 1_000),
        )
        assignment = _Assignment(self._bootstrap, consumer, self._sink)
        consumer.subscribe([topic_name(topic) for topic in self._topics], listener=assignment)
        asked = AIOKafkaConsumer(bootstrap_servers=self._bootstrap, group_id=None)
        hinting = asyncio.create_task(self._hint(consumer))
        try:
            await asked.start()
            await consumer.start()
            self._consumer, self._asked, look_at_s = consumer, asked, time.monotonic() + LOOK_EVERY_S
            async with Hand(partial(self._put, consumer)) as hand:
                while True:
                    await hand.room()
                    records = await polled(consumer.assignment(), hand.full(), partial(_getmany, consumer))
                    if assignment.problem:
                        raise assignment.problem
                    if assignment.settled:
                        self.waits_for = None
                    hand.take(records)
                    if assignment.settled and time.monotonic() > look_at_s:
                        await self._look_again(consumer, assignment)
                        look_at_s = time.monotonic() + LOOK_EVERY_S
        finally:
            self._consumer = self._asked = None
            hinting.cancel()
            await asyncio.gather(hinting, return_exceptions=True)
            await asyncio.gather(stop(consumer), stop(asked))

    async def _look_again(self, consumer: AIOKafkaConsumer, assignment: "_Assignment") -> None:
        places = consumer.assignment()
        try:
            await self._require_log(places, partial(look_at, consumer, places, assignment.cluster))
        except LostLog:
            await self._require_log(places, partial(assignment.look, places))  # where it is another cluster, say that
            raise
        except AWAY as problem:
            log.warning("follower.not_looked", group=self._group, reason=repr(problem))

    async def _require_log(self, places: Collection[TopicPartition], look: Callable[[], Awaitable[Log]]) -> None:
        await by_its_name(require_log(self._sink, places, look))

    async def _put(self, consumer: AIOKafkaConsumer, hand: Hand, number: int, batch: Batch) -> None:
        try:
            await self._sink.put(number, batch)
        except LeavesOut as outcome:
            log.warning("follower.sought_back", partition=outcome.partition, next=outcome.next)
            hand.drop(number)
            for topic, offset in outcome.next.items():
                place = TopicPartition(topic_name(topic), number)
                if place in consumer.assignment():
                    consumer.seek(place, offset)

    async def _hint(self, consumer: AIOKafkaConsumer) -> None:
        """Tell Kafka where we are, for lag displays only: MongoDB's offsets are the ones that count."""
        while True:
            await asyncio.sleep(HINT_EVERY_S)
            try:
                failpoints.reached("follower.hinting")
                await by_its_name(consumer.commit())
            except KafkaError as problem:
                log.debug("follower.no_hint", reason=repr(problem))

    async def is_behind(self) -> bool:
        """Whether there is something on the topics that nobody of the group has folded yet, or nobody can tell."""
        ends = await self._ends(self._asked)
        return ends is None or not await self._has_reached(ends)

    async def has_caught_up(self) -> bool:
        """Whether all is folded that could be read when this was first asked: once it is, for good."""
        if self._first_ends is None:
            self._first_ends = await self._ends(self._consumer)
        if self._first_ends and await self._has_reached(self._first_ends):
            self._first_ends = {}
        return self._first_ends == {}

    async def _ends(self, asked: AIOKafkaConsumer | None) -> dict[TopicPartition, int] | None:
        """Where the topics end; None where nobody can tell."""
        if self._consumer is None or asked is None:
            return None
        names, numbers_of = [topic_name(topic) for topic in self._topics], self._consumer.partitions_for_topic
        places = [TopicPartition(name, number) for name in names for number in numbers_of(name) or ()]
        try:
            ends: dict[TopicPartition, int] = await by_its_name(
                asyncio.wait_for(asked.end_offsets(places), ANSWERS_WITHIN_S)
            )
        except (KafkaError, TimeoutError):
            return None
        return ends or None

    async def _has_reached(self, ends: Mapping[TopicPartition, int]) -> bool:
        try:
            stored = await by_its_name(stored_offsets(self._sink, ends))
        except PyMongoError:
            return False
        return all(stored[place] >= end for place, end in ends.items())


async def _getmany(
    consumer: AIOKafkaConsumer, places: set[TopicPartition], within_s: float
) -> Mapping[TopicPartition, Sequence[Record]]:
    records: Mapping[TopicPartition, Sequence[Record]] = await consumer.getmany(
        *places, timeout_ms=int(within_s * 1_000)
    )
    return records


class _Assignment(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, bootstrap: str, consumer: AIOKafkaConsumer, sink: Folding) -> None:
        self._bootstrap, self._consumer, self._sink = bootstrap, consumer, sink
        self.settled = False
        self.problem: Exception | None = None
        self.cluster: str | None = None

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        self.settled = False

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        try:
            stored = await require_log(self._sink, assigned, partial(self.look, assigned))
            for place, offset in stored.items():
                self._consumer.seek(place, offset)
            self.settled = True
        except Exception as problem:
            self.problem = problem

    async def look(self, assigned: Collection[TopicPartition]) -> Log:
        self.cluster = await cluster_id(self._bootstrap)
        return await look_at(self._consumer, assigned, self.cluster)
