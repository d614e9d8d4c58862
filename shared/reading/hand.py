"""What a reader has in hand: polled, and not folded yet."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import chain
from types import TracebackType
from typing import Any, Self, TypeVar

from aiokafka import TopicPartition

from shared.kafka import Record, topic_name
from shared.reading.log import topic_of
from shared.reading.sink import MOST_AT_ONCE, TRANSACTIONS

P = TypeVar("P", bound=tuple[Any, ...])
R = TypeVar("R")

FETCHED_BYTES = 2 * 1024 * 1024
"""Of a partition at once: some 4,000 facts."""
MOST_POLLED = 2_000
"""So that no topic gets far ahead of its share by one poll."""
MOST_IN_HAND = 8 * MOST_AT_ONCE
"""Records: what is being folded, and as much for each of the next ones that its topics can be in step. The rest waits
as fetched bytes.
"""
MOST_BYTES = 64_000_000
"""In hand, too: a fact may be hundreds of times as long as most are."""
FEW = 1_000
"""Waiting records of a partition number that are folded as they are, whichever came onto Kafka first."""
LONGEST_POLL_S, POLL_AGAIN_S = 1.0, 0.05
"""A poll waits for so long; where some places are left out of it, no longer than they may be full."""

Batch = Mapping[str, Sequence[Record]]
"""Records of one partition number by topic, in order of offset."""


def by_partition(records: Mapping[TopicPartition, Sequence[Record]]) -> dict[int, Batch]:
    """A poll's records by partition number and topic: what goes into one transaction."""
    grouped: dict[int, dict[str, Sequence[Record]]] = defaultdict(dict)
    for place, batch in records.items():
        if batch:
            grouped[place.partition][topic_of(place)] = batch
    return dict(grouped)


def in_step(waiting: Batch) -> dict[str, Sequence[Record]]:
    """Of each topic's waiting records those that come next, by the times at which they were sent to Kafka: a batch.

    None is taken that is later than all that waits of another topic: more of that one may come which is earlier. So
    facts about one person meet in a batch, in whatever topic each is, and their record is written once. Senders' clocks
    may differ, so the times may go back; where some waits, some comes next.
    """
    times = {topic: [record.timestamp for record in records] for topic, records in waiting.items() if records}
    if sum(map(len, times.values())) <= FEW:
        return {topic: waiting[topic] for topic in times}
    until = min(map(max, times.values()))
    if sum(map(len, times.values())) > MOST_AT_ONCE:
        until = min(until, sorted(chain.from_iterable(times.values()))[MOST_AT_ONCE - 1])
    until = max(until, min(those[0] for those in times.values()))
    batch, room = dict[str, Sequence[Record]](), MOST_AT_ONCE
    for topic, those in times.items():
        if count := min(_count_until(until, those), room):  # many may be of one millisecond
            batch[topic] = waiting[topic][:count]
            room -= count
    return batch


def _count_until(until: int, times: Sequence[int]) -> int:
    """How many come before the first that is later: the order of offsets is kept, whatever the times say."""
    return next((count for count, at in enumerate(times) if at > until), len(times))


def poll_s(full: AbstractSet[TopicPartition]) -> float:
    """How long a poll of all places but these waits, in seconds."""
    return POLL_AGAIN_S if full else LONGEST_POLL_S


async def polled(
    places: AbstractSet[P], full: AbstractSet[TopicPartition], poll: Callable[[set[P], float], Awaitable[Mapping[P, R]]]
) -> Mapping[P, R]:
    """What `poll` finds, within some seconds, of these places but those that are full."""
    wanted = set(places - full)
    if full and not wanted:
        await asyncio.sleep(poll_s(full))
        return {}
    return await poll(wanted, poll_s(full))


class Later(Exception):
    """This of the batch is to be folded again in so many seconds. Meanwhile it is the turn of others.

    The hand is not kept full by what must wait: all else of the partition number is dropped, and to be read again.
    """

    def __init__(self, seconds: float, batch: Batch) -> None:
        super().__init__(seconds)
        self.seconds, self.batch = seconds, batch


class Hand:
    """Folds one batch of a partition number at a time, several partition numbers at once. What came of one while its
    last transaction was in flight is its next batch, its topics in step; so none waits for another.
    """

    def __init__(self, fold: Callable[["Hand", int, Batch], Awaitable[None]]) -> None:
        """`fold` may `drop` what waits of the same partition number, and raise `Later`."""
        self._fold = fold
        self._waiting: dict[int, dict[str, list[Record]]] = {}
        """By partition number, of those that are being folded: what is next."""
        self._count = self._bytes = 0
        self._room = asyncio.Event()
        self._folding = asyncio.TaskGroup()
        self._turn = asyncio.Semaphore(TRANSACTIONS)
        """For it is waited before a batch is taken, not after: so the batch is larger."""

    async def __aenter__(self) -> Self:
        await self._folding.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """What a fold raised is raised here, and ends the other folds and whatever is done in the context."""
        try:
            await self._folding.__aexit__(kind, error, trace)
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None

    async def room(self) -> None:
        """Wait until there is room for another poll."""
        while self._count >= MOST_IN_HAND or self._bytes >= MOST_BYTES:
            self._room.clear()
            await self._room.wait()

    def full(self) -> AbstractSet[TopicPartition]:
        """The places of which enough waits, so that others are to be polled: those that are busy share the room, else
        the records of one topic might fill it while another's, which belong to them, wait on Kafka.
        """
        waiting = {
            TopicPartition(topic_name(topic), number): len(records)
            for number, topics in self._waiting.items()
            for topic, records in topics.items()
            if records
        }
        share = min(MOST_IN_HAND // max(len(waiting), 1), MOST_AT_ONCE)
        return {place for place, count in waiting.items() if count >= share}

    def take(self, records: Mapping[TopicPartition, Sequence[Record]]) -> None:
        for number, batch in by_partition(records).items():
            self._put_on(batch)
            being_folded = number in self._waiting
            waiting = self._waiting.setdefault(number, {})
            for topic, those in batch.items():
                waiting.setdefault(topic, []).extend(those)
            if not being_folded:
                self._folding.create_task(self._fold_all(number))

    def drop(self, number: int) -> None:
        """Do without what waits of a partition number that is being folded: it is read again."""
        self._take_off(self._waiting[number])
        self._waiting[number] = {}

    async def _fold_all(self, number: int) -> None:
        again: Later | None = None
        while again or self._waiting[number]:
            async with self._turn:
                if again:
                    self.drop(number)  # it comes alone: between it and what came since, there was what was dropped
                batch = again.batch if again else self._next(number)
                try:
                    await self._fold(self, number, batch)
                    again = None
                except Later as later:
                    again = later
            self._take_off(batch)
            if again:
                self.drop(number)
                self._put_on(again.batch)
                await asyncio.sleep(again.seconds)
        del self._waiting[number]

    def _next(self, number: int) -> dict[str, Sequence[Record]]:
        """Take the next batch out of what waits."""
        waiting = self._waiting[number]
        batch = in_step(waiting)
        rest = {topic: records[len(batch.get(topic, ())) :] for topic, records in waiting.items()}
        self._waiting[number] = {topic: records for topic, records in rest.items() if records}
        return batch

    def _put_on(self, batch: Batch) -> None:
        self._count += _count(batch)
        self._bytes += _bytes(batch)

    def _take_off(self, batch: Batch) -> None:
        self._count -= _count(batch)
        self._bytes -= _bytes(batch)
        self._room.set()


def _count(batch: Batch) -> int:
    return sum(map(len, batch.values()))


def _bytes(batch: Batch) -> int:
    return sum(len(record.value or b"") for records in batch.values() for record in records)
