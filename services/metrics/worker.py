"""The worker: takes what the stream hands over, and puts it into the sink."""

import asyncio
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from functools import partial

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from services.metrics.stream import Stream
from shared import failpoints
from shared.drivers import by_its_name
from shared.kafka import topic_name
from shared.mongo import Document
from shared.reading.hand import Batch, Hand, Later
from shared.reading.sink import Folding, Halt, LeavesOut
from shared.running import until_done

log = structlog.get_logger(__name__)

HINT_EVERY_S = 1.0
AGAIN_AFTER_S = 5.0
HALTED = "halted"
"""In a partition's document: when it was tried last although it stands still, and why it does."""


class Worker:
    """Folds each partition number by itself: one that stops, or waits for a lock, leaves the others going."""

    def __init__(self, stream: Stream, sink: Folding) -> None:
        self._stream, self._sink = stream, sink
        self._folded: dict[TopicPartition, int] = {}
        self._halted: dict[int, str] = {}

    @property
    def stopped(self) -> str | None:
        """Why nothing more of a partition is folded until somebody does something about it."""
        return next(iter(self._halted.values()), None)

    @property
    def halted(self) -> AbstractSet[int]:
        """The partition numbers of which nothing more is folded."""
        return self._halted.keys()

    async def run(self) -> None:
        async with Hand(self._fold) as hand:
            self._stream.full = hand.full
            while True:
                await hand.room()
                self._stream.wanted.set()
                generation, records = await self._stream.polls.get()
                if generation == self._stream.consumer_generation_id:
                    failpoints.reached("worker.polled")
                    hand.take(records)

    async def _fold(self, hand: Hand, number: int, batch: Batch) -> None:
        """Put a batch into the sink; where that is halted, stop there, loudly, until it is not any more."""
        try:
            await self._sink.put(number, batch)
        except LeavesOut as outcome:
            log.warning("partition.sought_back", partition=number, next=outcome.next)
            if self._halted.pop(number, None):
                await self._tell(number, None)
            await self._read_from(outcome.next, hand, number)
        except Halt as halt:
            if number not in self._halted:
                log.critical("worker.stopped", partition=number, reason=str(halt))
            self._halted[number] = str(halt)
            self._stream.batches.pause(number)  # each time, as it may have gone and come back since
            await self._tell(number, {"at": datetime.now(UTC), "reason": str(halt)})
            raise Later(AGAIN_AFTER_S, halt.records) from halt
        else:
            if self._halted.pop(number, None):
                log.warning("worker.went_on", partition=number)
                await self._tell(number, None)
                await until_done(partial(self._go_on, hand, number))
            for topic, records in batch.items():
                self._folded[TopicPartition(topic_name(topic), number)] = records[-1].offset + 1

    async def _tell(self, number: int, halted: Document | None) -> None:
        """Say in the partition's document that it stands still: other workers see that it lags, and not why."""
        await until_done(partial(self._sink.learn, number, {HALTED: halted}))

    async def _go_on(self, hand: Hand, number: int) -> None:
        """Read again what was dropped while it stood still."""
        await self._read_from(await self._sink.next_offsets(number), hand, number)

    async def _read_from(self, next: Mapping[str, int], hand: Hand, number: int) -> None:
        hand.drop(number)
        await self._stream.batches.seek_back(number, next)
        self._stream.batches.go_on(number)

    async def hint(self) -> None:
        """Tell Kafka about once a second how far we are: a hint for lag displays, never what reading goes on from."""
        while True:
            await asyncio.sleep(HINT_EVERY_S)
            assigned = self._stream.batches.assignment()
            hints = {place: offset for place, offset in self._folded.items() if place in assigned}
            self._folded.clear()
            try:
                if hints:
                    failpoints.reached("worker.hinting")
                    await by_its_name(self._stream.batches.hint(hints))
            except KafkaError as problem:
                log.debug("worker.no_hint", reason=repr(problem))
