"""Looks, every few seconds, how far reading is behind and what is missing; tells Prometheus and the watchdog.

It asks Kafka by a consumer of its own and MongoDB for what is folded: what Faust believes of itself may be wrong.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import AsyncExitStack
from functools import partial
from typing import TypeVar

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import UnknownTopicOrPartitionError

from services.metrics.beside import folded_offsets, places
from services.metrics.builds import CurrentBuild
from services.metrics.dead_letters import waiting
from services.metrics.lag import Offsets, Trend, behind
from services.metrics.metrics import (
    ASSIGNED,
    DEAD_LETTERS_WAITING,
    LAG_FACTS,
    LAG_SECONDS,
    LAG_TREND,
    LOOKED_AT,
    MISSING,
    STOPPED,
    STUCK_SECONDS,
)
from services.metrics.settings import Settings
from services.metrics.stream import Stream
from services.metrics.watchdog import Watchdog
from services.metrics.worker import AGAIN_AFTER_S, HALTED, Worker
from shared.drivers import by_its_name
from shared.mongo import Database, Document
from shared.reading.follower import AWAY, in_words, require_log, stop
from shared.reading.log import NO_TIME, REMEDY, cluster_id, look_at, open_transaction
from shared.views.builds import Build

log = structlog.get_logger(__name__)

T = TypeVar("T")

HALTED_FOR_S = 6 * AGAIN_AFTER_S
"""For so long it is believed that a partition stands still because of its dead letters, if nobody says so again."""
SHOWN = 3
"""Streams that are named of those that are incomplete."""
LOOK_AT_GAPS = "`praxis dead-letters list` names what was not understood, `praxis dead-letters gaps` what did not come"
FETCHED_BYTES = 32 * 1024
"""Of each partition that is behind: one batch of the relay's, of which the first record tells the time."""


class Watching:
    """Watches one worker. What keeps it from reading is no fault of its own, and no lack of progress: Kafka or MongoDB
    that is away, a transaction of another producer that is open.
    """

    def __init__(self, settings: Settings, db: Database, current: CurrentBuild, stream: Stream, worker: Worker) -> None:
        self._bootstrap, self._partitions = settings.kafka, settings.partitions
        self._db, self._current, self._stream, self._worker = db, current, stream, worker
        # so that the watchdog hears of an engine that does not answer before its patience ends
        self._every_s = min(settings.stuck_after.total_seconds() / 12, 5.0)
        self._within_s = min(settings.stuck_after.total_seconds() / 6, 10.0)
        self._folded: Offsets = {}
        self._trends: dict[TopicPartition, Trend] = defaultdict(Trend)
        self._told: set[TopicPartition] = set()
        self._held: Offsets = {}
        self._missing: Mapping[str, int] = {}
        self._told_halted: Mapping[int, Document | None] = {}
        self._told_at: dict[int, float] = {}
        """By partition number: when something else was said of its standing still."""
        self.problem: str | None = None
        """Why it cannot be told how far reading is behind, or what else keeps facts from being read."""

    async def run(self, watchdog: Watchdog) -> None:
        while True:
            try:
                async with AsyncExitStack() as stack:
                    consumer = await self._started(stack, "read_uncommitted")
                    as_read = await self._started(stack, "read_committed")
                    cluster = await self._in_time(cluster_id(self._bootstrap))
                    while True:
                        await self._look(consumer, as_read, cluster, watchdog)
                        await asyncio.sleep(self._every_s)
            except AWAY as problem:
                self.problem = f"it cannot be told how far reading is behind: {in_words(problem)}"
                log.warning("watching.out_of_reach", reason=repr(problem))
                watchdog.all_is_well()
            await asyncio.sleep(self._every_s)

    async def _started(self, stack: AsyncExitStack, isolation: str) -> AIOKafkaConsumer:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            group_id=None,
            max_partition_fetch_bytes=FETCHED_BYTES,
            isolation_level=isolation,
        )
        stack.push_async_callback(stop, consumer)
        await self._in_time(consumer.start())
        return consumer

    async def _look(
        self, consumer: AIOKafkaConsumer, as_read: AIOKafkaConsumer, cluster: str, watchdog: Watchdog
    ) -> None:
        """
        Raises:
            *AWAY: Kafka or MongoDB does not answer, so nothing can be said about progress.
            LostLog: a topic was deleted and made anew, or cut, while it was read.
        """
        everywhere = places(self._partitions)  # a topic that is deleted is nobody's
        if absent := {place.topic for place in everywhere} - await self._in_time(consumer.topics()):
            raise UnknownTopicOrPartitionError(f"{', '.join(sorted(absent))} is not on Kafka any more: {REMEDY}")
        await self._in_time(require_log(self._current, everywhere, partial(look_at, consumer, everywhere, cluster)))
        build = self._current.build
        ends: Offsets = await self._in_time(consumer.end_offsets(everywhere))
        readable: Offsets = await self._in_time(as_read.end_offsets(everywhere))
        folded = await self._in_time(folded_offsets(self._db, build, self._partitions))
        lag = behind(folded, ends)
        halted = self._worker.halted if self._stream.places else await self._in_time(self._halted_elsewhere(build))
        self._judge(behind(folded, readable), folded, halted, watchdog)
        self.problem = self._held_up({place: folded[place] for place in lag if folded[place] >= readable[place]})
        try:
            await self._in_time(self._tell(consumer, build, lag, folded))
        except AWAY as problem:
            log.warning("watching.not_told", reason=repr(problem))

    async def _tell(self, consumer: AIOKafkaConsumer, build: Build, lag: Offsets, folded: Offsets) -> None:
        mine = set(self._stream.places)
        self._forget(self._told - mine)
        self._told = mine
        ASSIGNED.set(len(mine))
        for place in mine:
            LAG_FACTS.labels(*place).set(lag.get(place, 0))
        await self._tell_missing(build)
        appended_at = await _appended_at(consumer, {place: folded[place] for place in lag if place in mine})
        now = time.time()
        for place in mine:
            seconds = max(now - appended_at.get(place, now), 0.0)
            LAG_SECONDS.labels(*place).set(seconds)
            LAG_TREND.labels(*place).set(self._trends[place].add(time.monotonic(), seconds))
        LOOKED_AT.set(now)

    def _held_up(self, held: Offsets) -> str | None:
        """What to do about a place where all that can be read is folded, and there is more, at two looks running."""
        stands = [place for place, offset in sorted(held.items()) if self._held.get(place) == offset]
        self._held = held
        if not stands:
            return None
        place = stands[0]
        problem = open_transaction(place, held[place], self._bootstrap)
        if problem != self.problem:
            log.warning("partition.held_up", topic=place.topic, partition=place.partition, reason=problem)
        return problem

    async def _halted_elsewhere(self, build: Build) -> AbstractSet[int]:
        """The partition numbers of which another worker was seen to say, of late, that they stand still.

        What it says is compared with what it said before: so it does not matter whose clock is right, nor whether it
        died before it took that back.
        """
        now = time.monotonic()
        told = {document["_id"]: document.get(HALTED) async for document in self._db[build.partitions].find()}
        self._told_at |= {number: now for number, halted in told.items() if halted != self._told_halted.get(number)}
        self._told_halted = told
        return {number for number, halted in told.items() if halted and now - self._told_at[number] < HALTED_FOR_S}

    def _judge(self, lag: Offsets, folded: Offsets, halted: AbstractSet[int], watchdog: Watchdog) -> None:
        """`lag` is of what can be read. One that has no partitions may have lost them for good: it looks at all, at
        which others work as well. Partition numbers that stand still for their dead letters are somebody else's
        business, the others are not.
        """
        concerned = [place for place in self._stream.places or folded if place.partition not in halted]
        of_mine = [place for place in lag if place in concerned]
        moved = any(folded[place] != self._folded.get(place) for place in concerned)
        self._folded = folded
        if moved or not of_mine:
            watchdog.all_is_well()
        else:
            first = of_mine[0]
            facts, where = sum(lag[place] for place in of_mine), f"{first.topic}, partition {first.partition}"
            watchdog.worry(f"{facts} facts wait, from offset {folded[first]} of {where} on, and nothing is folded")
            log.warning("worker.makes_no_progress", facts=facts, since_s=watchdog.silent_s)
        STUCK_SECONDS.set(watchdog.silent_s)
        STOPPED.set(bool(self._worker.stopped))

    def _forget(self, places: Iterable[TopicPartition]) -> None:
        """So that those who sum over workers do not count what others have taken over."""
        for place in places:
            self._trends.pop(place, None)
            for gauge in (LAG_FACTS, LAG_SECONDS, LAG_TREND):
                gauge.remove(*place)

    async def _in_time(self, answer: Awaitable[T]) -> T:
        return await by_its_name(asyncio.wait_for(answer, self._within_s))

    async def _tell_missing(self, build: Build) -> None:
        incomplete = self._db[build.heads].find({"missing.0": {"$exists": True}}, {"missing": 1})
        missing = {head["_id"]: len(head["missing"]) async for head in incomplete}
        if more := sorted(stream for stream, count in missing.items() if count > self._missing.get(stream, 0)):
            log.warning("versions.missing", streams=len(more), of=more[:SHOWN], remedy=LOOK_AT_GAPS)
        self._missing = missing
        MISSING.set(sum(missing.values()))
        DEAD_LETTERS_WAITING.set(await self._db.dead_letters.count_documents(waiting(build)))


async def _appended_at(consumer: AIOKafkaConsumer, offsets: Offsets) -> dict[TopicPartition, float]:
    """When the records at these offsets came onto Kafka, in seconds since 1970; now, where one states no time."""
    if not offsets:
        return {}
    consumer.assign(list(offsets))
    for place, offset in offsets.items():
        consumer.seek(place, offset)
    found: dict[TopicPartition, float] = {}
    while still := [place for place in offsets if place not in found]:
        for place, records in (await consumer.getmany(*still, timeout_ms=1_000)).items():
            if records:
                found[place] = time.time() if records[0].timestamp <= NO_TIME else records[0].timestamp / 1_000
    consumer.assign([])
    return found
