"""The worker: whatever arrived while the last transactions were in flight is the next batch."""

import asyncio
from collections.abc import Mapping, Sequence

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from services.metrics.stream import Poll, Stream
from shared import failpoints
from shared.kafka import Record, topic_name
from shared.reading.follower import by_partition
from shared.reading.sink import BeginsBeyond, Folding, Halt

log = structlog.get_logger(__name__)

HINT_EVERY_S = 1.0
AGAIN_AFTER_S = 5.0


class Worker:
    """Takes what the stream hands over and puts it into the sink, a transaction per partition number at once."""

    def __init__(self, stream: Stream, sink: Folding) -> None:
        self._stream, self._sink = stream, sink
        self._folded: dict[TopicPartition, int] = {}
        self._halted: dict[int, str] = {}

    @property
    def stopped(self) -> str | None:
        """Why nothing more is folded until somebody does something about it."""
        return next(iter(self._halted.values()), None)

    async def run(self) -> None:
        while True:
            self._stream.wanted.set()
            generation, records = await self._stream.polls.get()
            if generation == self._stream.consumer_generation_id:
                failpoints.reached("worker.polled")
                await self._fold(records)

    async def _fold(self, records: Poll) -> None:
        batches = by_partition(records)
        outcomes = await asyncio.gather(
            *(self._put(number, batch) for number, batch in batches.items()), return_exceptions=True
        )
        for (number, batch), outcome in zip(batches.items(), outcomes, strict=True):
            match outcome:
                case None:
                    self._note(number, batch)
                case BeginsBeyond():
                    await self._seek_back(outcome)
                case BaseException():
                    raise outcome

    async def _put(self, number: int, batch: Mapping[str, Sequence[Record]]) -> None:
        """Put a batch into the sink; where that is halted, stop there, loudly, until it is not any more."""
        while True:
            try:
                await self._sink.put(number, batch)
            except Halt as halt:
                if number not in self._halted:
                    log.critical("worker.stopped", partition=number, reason=str(halt))
                self._halted[number] = str(halt)
                await asyncio.sleep(AGAIN_AFTER_S)
            else:
                if self._halted.pop(number, None):
                    log.warning("worker.went_on", partition=number)
                return

    def _note(self, number: int, batch: Mapping[str, Sequence[Record]]) -> None:
        for topic, records in batch.items():
            self._folded[TopicPartition(topic_name(topic), number)] = records[-1].offset + 1

    async def _seek_back(self, outcome: BeginsBeyond) -> None:
        log.warning("partition.sought_back", partition=outcome.partition, next=outcome.next)
        assigned = self._stream.batches.assignment()
        places = {TopicPartition(topic_name(topic), outcome.partition): at for topic, at in outcome.next.items()}
        await self._stream.batches.seek_wait({place: at for place, at in places.items() if place in assigned})

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
                    await self._stream.batches.hint(hints)
            except KafkaError as problem:
                log.debug("worker.no_hint", reason=repr(problem))
