"""Writes one build beside another: reads the topics from where its own partition documents say, on plain aiokafka, and
never further than the other build has folded, so that the two can be compared at equal offsets and the one take over
where the other ends.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import partial

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.drivers import by_its_name
from shared.events.fact import SOURCE_TOPICS
from shared.kafka import Record, topic_name
from shared.mongo import Database, Document, Session
from shared.reading.follower import AWAY, FIRST_PAUSE_S, LONGEST_PAUSE_S, require_log, stop
from shared.reading.hand import FETCHED_BYTES, Batch, by_partition, in_step
from shared.reading.log import Log, LostLog, cluster_id, learned, look_at, topic_of
from shared.reading.sink import LeavesOut, Sink
from shared.views.builds import Build

log = structlog.get_logger(__name__)

LOOK_EVERY_S = 0.05
"""How often it is looked how far the other build is."""

Offsets = Mapping[TopicPartition, int]


def places(partitions: int) -> list[TopicPartition]:
    return [TopicPartition(topic_name(topic), number) for topic in SOURCE_TOPICS for number in range(partitions)]


async def folded_offsets(
    db: Database, build: Build, partitions: int, session: Session | None = None
) -> dict[TopicPartition, int]:
    """How far a build has folded; where it was closed, if it was."""
    found = {document["_id"]: document async for document in db[build.partitions].find(session=session)}
    nexts = {number: document.get("next") or document.get("closed_at") or {} for number, document in found.items()}
    return {place: nexts.get(place.partition, {}).get(topic_of(place), 0) for place in places(partitions)}


class Beside:
    """Folds into the sink of build `new` what build `old` has folded."""

    def __init__(
        self,
        bootstrap: str,
        db: Database,
        old: Build,
        sink: Sink,
        partitions: int,
        say_away: Callable[[Exception], None],
        *,
        new_topics: bool = False,
    ) -> None:
        """`say_away` is told each time that Kafka or MongoDB is found away.

        `new_topics`: the offsets of the old build are those of topics that are gone, so read all there is.
        """
        self._bootstrap, self._db, self._old, self._sink = bootstrap, db, old, sink
        self._partitions, self._say_away, self._new_topics = partitions, say_away, new_topics
        self._next: dict[TopicPartition, int] = {}
        self._bounds: dict[TopicPartition, int] = {}
        self._stays: Offsets = {}
        self._came: dict[TopicPartition, list[Record]] = defaultdict(list)
        """Records that came and must wait, because the old build has not folded them."""
        self._putting: dict[int, asyncio.Task[None]] = {}
        """What is being folded: one batch of a partition number at a time, several partition numbers at once."""
        self._looked = float("-inf")
        self._moved = asyncio.Event()
        self._read: set[str] | None = None
        self.facts = 0
        """Records folded by this process."""

    @property
    def done(self) -> int:
        return sum(self._next.values())

    @property
    def total(self) -> int:
        """What is to be folded, as far as it was last looked: it grows while facts arrive."""
        return sum(self._bounds.values())

    @property
    def is_reading(self) -> bool:
        """Whether it has begun to."""
        return bool(self._bounds)

    async def run(self) -> None:
        """Follow for ever; while Kafka or MongoDB is away, try again with growing pauses.

        Raises:
            LostLog: the topics do not hold all that is to be read.
            Halt: see `Sink`.
        """
        pause = FIRST_PAUSE_S
        while True:
            before = self.facts
            try:
                await by_its_name(self._follow())
            except AWAY as problem:
                log.warning("rebuild.began_again", reason=repr(problem))
                self._say_away(problem)
            pause = FIRST_PAUSE_S if self.facts > before else min(pause * 2, LONGEST_PAUSE_S)
            await asyncio.sleep(pause)

    def mark(self) -> AbstractSet[str]:
        """The streams of the records that are folded from now on: it grows. The old build folds nothing of others from
        the topics, as none is folded here before it has been there.
        """
        self._read = set()
        return self._read

    async def stay(self, numbers: Iterable[int], offsets: Offsets | None) -> None:
        """Come to these offsets in some partition numbers, and stay there until it may go on.

        They must not be behind it; without any it stays at what was to be folded when it last looked.
        """
        chosen = frozenset(numbers)
        self._stays = {at: to for at, to in (offsets or self._bounds).items() if at.partition in chosen}
        await self._until_folded(self._stays)

    async def catch_up(self) -> None:
        """Fold all that the old build has folded by now."""
        asked = time.monotonic()
        while self._looked < asked:
            await self._has_moved()
        await self._until_folded(self._bounds)  # as it looked then: facts keep coming, and nobody comes to their end

    def go_on(self) -> None:
        self._stays = {}

    async def _until_folded(self, offsets: Offsets) -> None:
        while any(self._next.get(place, 0) < to for place, to in offsets.items()):
            await self._has_moved()

    async def _has_moved(self) -> None:
        self._moved.clear()
        await self._moved.wait()

    async def _follow(self) -> None:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            max_partition_fetch_bytes=FETCHED_BYTES,
        )
        await consumer.start()
        try:
            await self._begin(consumer)
            while True:
                await self._look(consumer)
                await self._poll(consumer)
                for number, batch in self._due().items():
                    self._putting[number] = asyncio.create_task(self._put(consumer, number, batch))
                self._reap()
        finally:
            for task in self._putting.values():
                task.cancel()
            await asyncio.gather(*self._putting.values(), return_exceptions=True)
            self._putting.clear()
            await stop(consumer)

    async def _begin(self, consumer: AIOKafkaConsumer) -> None:
        all_places = places(self._partitions)
        consumer.assign(all_places)
        read = await self._db[self._old.partitions].find({"next": {"$exists": True}}).to_list()
        found = await look_at(consumer, all_places, await cluster_id(self._bootstrap))
        if not self._new_topics:
            _require_read_by_current(read, found)
        stored = await require_log(self._sink, all_places, partial(look_at, consumer, all_places, found.cluster))
        for place, offset in stored.items():
            consumer.seek(place, offset)
        self._next, self._looked = stored, float("-inf")
        self._came.clear()

    async def _look(self, consumer: AIOKafkaConsumer) -> None:
        now = time.monotonic()
        if now - self._looked < LOOK_EVERY_S:
            return
        if self._new_topics:
            self._bounds = await consumer.end_offsets(places(self._partitions))
        else:
            self._bounds = await folded_offsets(self._db, self._old, self._partitions)
        self._looked = now
        self._moved.set()

    async def _poll(self, consumer: AIOKafkaConsumer) -> None:
        """Take what has come of the places where nothing waits; what else was fetched stays where it is."""
        wanted = [place for place in self._next if not self._came.get(place) and place.partition not in self._putting]
        if not wanted:
            if self._putting:
                await asyncio.wait(self._putting.values(), timeout=LOOK_EVERY_S, return_when=asyncio.FIRST_COMPLETED)
            else:  # what has come everywhere waits for the other
                await asyncio.sleep(LOOK_EVERY_S)
            return
        polled = await consumer.getmany(*wanted, timeout_ms=int(LOOK_EVERY_S * 1_000))
        for place, records in polled.items():
            self._came[place] += records

    def _due(self) -> dict[int, Batch]:
        """The next batch of each partition number of which nothing is being folded, taken out of what came."""
        due = dict[int, Batch]()
        for number, waiting in by_partition(self._folded_by_the_other()).items():
            batch = due[number] = in_step(waiting)
            for topic, records in batch.items():
                del self._came[TopicPartition(topic_name(topic), number)][: len(records)]
        return due

    def _folded_by_the_other(self) -> dict[TopicPartition, Sequence[Record]]:
        folded = dict[TopicPartition, Sequence[Record]]()
        for place, records in self._came.items():
            if place.partition not in self._putting:
                bound = self._stays.get(place, self._bounds.get(place, 0))
                count = len(records) if records and records[-1].offset < bound else _count_below(records, bound)
                folded[place] = records[:count]
        return folded

    async def _put(self, consumer: AIOKafkaConsumer, number: int, batch: Batch) -> None:
        if self._read is not None:
            self._read |= _streams(batch)
        try:
            await self._sink.put(number, batch)
        except LeavesOut as beyond:
            self._seek_back(consumer, beyond)
        else:
            for topic, records in batch.items():
                self._next[TopicPartition(topic_name(topic), number)] = records[-1].offset + 1
                self.facts += len(records)
        self._moved.set()

    def _reap(self) -> None:
        for number, task in list(self._putting.items()):
            if task.done():
                del self._putting[number]
                task.result()

    def _seek_back(self, consumer: AIOKafkaConsumer, outcome: LeavesOut) -> None:
        log.warning("rebuild.sought_back", partition=outcome.partition, next=outcome.next)
        for place in [place for place in self._next if place.partition == outcome.partition]:
            self._next[place] = outcome.next[topic_of(place)]
            self._came.pop(place, None)
            consumer.seek(place, self._next[place])


def _streams(batch: Batch) -> set[str]:
    """Those that stand under the keys of records: whatever else a record says, a fact of another stream is none."""
    records = ((topic, record.key) for topic, records in batch.items() for record in records)
    return {f"{topic}/{key.decode(errors='replace')}" for topic, key in records if key is not None}


def _require_read_by_current(documents: Iterable[Document], log: Log) -> None:
    """
    Raises:
        LostLog: the current build has read another log, so the new one could not take over from it.
    """
    try:
        for document in documents:
            learned(document["_id"], document, log)
    except LostLog as problem:
        raise LostLog(
            f"The current build has read another log. {problem}. If the topics are refilled already, say so with "
            f"--new-topics"
        ) from None


def _count_below(records: Iterable[Record], bound: int) -> int:
    return sum(record.offset < bound for record in records)
