"""What a reader has in hand: whose turn it is, and what becomes of what comes meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

import pytest
from aiokafka import ConsumerRecord, TopicPartition

from shared.reading.hand import FEW, MOST_BYTES, MOST_IN_HAND, Batch, Hand, Later, in_step, poll_s
from shared.reading.sink import MOST_AT_ONCE, TRANSACTIONS

Poll = dict[TopicPartition, list[ConsumerRecord]]


def polled(*offsets: int, number: int = 0, topic: str = "membership") -> Poll:
    place = TopicPartition(f"{topic}.events", number)
    return {place: [ConsumerRecord(*place, offset, 0, 0, b"", b"", None, 0, 0, ()) for offset in offsets]}


def waiting(**times: Iterable[int]) -> dict[str, list[ConsumerRecord]]:
    """Records that came onto Kafka at these times, by topic."""
    return {
        topic: [
            ConsumerRecord(f"{topic}.events", 0, offset, at, 0, b"", b"", None, 0, 0, ())
            for offset, at in enumerate(those)
        ]
        for topic, those in times.items()
    }


def next_of(records: dict[str, list[ConsumerRecord]]) -> dict[str, int]:
    """How many of each topic come next: the first ones, in order of offset."""
    batch = in_step(records)
    for those in batch.values():
        assert [record.offset for record in those] == list(range(len(those)))
    return {topic: len(those) for topic, those in batch.items()}


class Folds:
    """Folds when it is told to, partition number by partition number."""

    def __init__(self) -> None:
        self.begun: list[tuple[int, list[int]]] = []
        self.may_end: dict[int, asyncio.Event] = {}

    async def __call__(self, _: Hand, number: int, batch: Batch) -> None:
        self.begun.append((number, [record.offset for records in batch.values() for record in records]))
        await self.may_end.setdefault(number, asyncio.Event()).wait()

    def let_go(self, number: int) -> None:
        self.may_end[number].set()


async def as_far_as_it_goes() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_what_comes_in_a_transaction_is_the_next_batch() -> None:
    folds = Folds()
    async with Hand(folds) as hand:
        hand.take(polled(0, 1))
        await as_far_as_it_goes()
        hand.take(polled(2))
        hand.take({**polled(3), **polled(0, topic="convenings")})
        await as_far_as_it_goes()
        assert folds.begun == [(0, [0, 1])]
        folds.let_go(0)
    assert folds.begun == [(0, [0, 1]), (0, [2, 3, 0])]


async def test_long_facts_take_the_room_of_many() -> None:
    folds = Folds()
    async with Hand(folds) as hand:
        place = TopicPartition("membership.events", 0)
        value = bytes(MOST_BYTES // 2)
        for offset in (0, 1):
            await asyncio.wait_for(hand.room(), 1)
            hand.take({place: [ConsumerRecord(*place, offset, 0, 0, b"", value, None, 0, 0, ())]})
            await as_far_as_it_goes()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(hand.room(), 0.05)
        folds.let_go(0)
        await asyncio.wait_for(hand.room(), 1)


async def test_none_waits_for_another() -> None:
    folds = Folds()
    async with Hand(folds) as hand:
        hand.take(polled(0, number=1))
        await as_far_as_it_goes()
        hand.take({**polled(1, number=1), **polled(0, number=2)})
        await as_far_as_it_goes()
        assert folds.begun == [(1, [0]), (2, [0])]
        folds.let_go(2)
        folds.let_go(1)


async def test_what_was_dropped_is_not_folded() -> None:
    folds = Folds()
    async with Hand(folds) as hand:
        hand.take(polled(0))
        await as_far_as_it_goes()
        hand.take(polled(5, 6))
        hand.drop(0)
        folds.let_go(0)
        await as_far_as_it_goes()
        hand.take(polled(1))
    assert folds.begun == [(0, [0]), (0, [1])]


async def test_a_full_hand_takes_nothing_until_there_is_room() -> None:
    folds = Folds()
    async with Hand(folds) as hand:
        hand.take(polled(*range(MOST_IN_HAND)))
        room = asyncio.create_task(hand.room())
        await as_far_as_it_goes()
        assert not room.done()
        folds.let_go(0)
        await asyncio.wait_for(room, 1)


async def test_what_is_dropped_makes_room() -> None:
    folds = Folds()
    async with Hand(folds) as hand:
        hand.take(polled(0))
        await as_far_as_it_goes()
        hand.take(polled(*range(1, MOST_IN_HAND + 1)))
        room = asyncio.create_task(hand.room())
        await as_far_as_it_goes()
        hand.drop(0)
        await asyncio.wait_for(room, 1)
        folds.let_go(0)


async def test_what_must_wait_is_folded_again_and_leaves_its_turn_and_its_room_to_others() -> None:
    came = list[tuple[int, list[int]]]()

    async def fold(_: Hand, number: int, batch: Batch) -> None:
        came.append((number, [record.offset for records in batch.values() for record in records]))
        if number < TRANSACTIONS and len(came) <= TRANSACTIONS:
            raise Later(1, {topic: records[1:2] for topic, records in batch.items()})

    async with Hand(fold) as hand:
        for number in range(TRANSACTIONS + 1):
            hand.take(polled(*range(MOST_IN_HAND // TRANSACTIONS), number=number))
        await as_far_as_it_goes()
        assert not hand.full()
        await asyncio.wait_for(hand.room(), 1)
        hand.take(polled(MOST_IN_HAND))
    first = list(range(MOST_AT_ONCE))
    assert came[: TRANSACTIONS + 1] == [(number, first) for number in range(TRANSACTIONS + 1)]
    assert [one for one in came if one[0] < TRANSACTIONS][TRANSACTIONS:] == [(n, [1]) for n in range(TRANSACTIONS)]


async def test_what_must_wait_comes_alone_although_more_came_while_it_waited_for_its_turn() -> None:
    came = list[tuple[int, list[int]]]()
    busy, may_end = asyncio.Event(), asyncio.Event()

    async def fold(_: Hand, number: int, batch: Batch) -> None:
        came.append((number, [record.offset for records in batch.values() for record in records]))
        if number:
            busy.set()
            await may_end.wait()
        elif len(came) == 1:
            raise Later(0.1, {topic: records[1:2] for topic, records in batch.items()})

    async with Hand(fold) as hand:
        hand.take(polled(0, 1, 2))
        await as_far_as_it_goes()
        hand.take(polled(3, 4))  # of what is dropped, and read again
        for number in range(1, TRANSACTIONS + 1):
            hand.take(polled(0, number=number))
        await busy.wait()
        await asyncio.sleep(0.2)
        hand.take(polled(5, 6))
        may_end.set()
    assert [offsets for number, offsets in came if not number] == [[0, 1, 2], [1]]


async def test_what_a_fold_raises_ends_it_all() -> None:
    async def fold(_: Hand, number: int, __: Batch) -> None:
        if number:
            raise LookupError("this one")
        await asyncio.Event().wait()

    with pytest.raises(LookupError, match="this one"):
        await in_hand(fold, {**polled(0), **polled(0, number=1)})


def test_no_topic_goes_ahead_of_what_may_still_come_of_another() -> None:
    ahead, behind = range(2 * FEW), range(FEW // 2)
    assert next_of(waiting(membership=ahead, convenings=behind)) == {"membership": FEW // 2, "convenings": FEW // 2}
    assert next_of(waiting(membership=ahead)) == {"membership": 2 * FEW}


def test_a_topic_that_is_ahead_waits_for_the_other_to_come_up() -> None:
    assert next_of(waiting(membership=range(5_000, 7_000), convenings=range(100))) == {"convenings": 100}


def test_few_are_folded_as_they_are() -> None:
    assert next_of(waiting(membership=range(FEW - 1), convenings=[10])) == {"membership": FEW - 1, "convenings": 1}


@pytest.mark.parametrize("every", [1, 1_000_000], ids=["each at its time", "all of one time"])
def test_no_more_come_next_than_a_transaction_bears_and_always_some(every: int) -> None:
    times = [number // every for number in range(MOST_AT_ONCE)]
    counts = next_of(waiting(membership=times, convenings=times, feedback=times))
    assert 0 < sum(counts.values()) <= MOST_AT_ONCE


def test_some_come_next_although_the_first_is_the_latest_of_too_many() -> None:
    times = [2 * MOST_AT_ONCE, *range(MOST_AT_ONCE + 1)]
    assert next_of(waiting(membership=times)) == {"membership": MOST_AT_ONCE}


def test_the_order_of_offsets_is_kept_whatever_the_times_say() -> None:
    times = [5_000, *range(2 * FEW)]
    assert next_of(waiting(membership=times, convenings=[4_999])) == {"convenings": 1}


async def test_those_of_which_enough_waits_are_left_out_of_polls_until_they_are_folded() -> None:
    folds = Folds()
    async with Hand(folds) as hand:
        hand.take(polled(0))
        await as_far_as_it_goes()
        assert (hand.full(), poll_s(hand.full())) == (set(), 1.0)
        hand.take({**polled(*range(1, MOST_AT_ONCE + 1)), **polled(0, topic="convenings")})
        assert hand.full() == {TopicPartition("membership.events", 0)}
        assert poll_s(hand.full()) < 0.1
        folds.let_go(0)
    assert hand.full() == set()


async def test_what_comes_next_is_taken_out_of_what_waits_until_nothing_does() -> None:
    folds = Folds()
    async with Hand(folds) as hand:
        hand.take(polled(0))
        await as_far_as_it_goes()
        ahead, behind = waiting(membership=range(2 * FEW), convenings=range(FEW)).values()
        hand.take({TopicPartition("membership.events", 0): ahead, TopicPartition("convenings.events", 0): behind})
        folds.let_go(0)
    assert [len(offsets) for _, offsets in folds.begun] == [1, 2 * FEW, FEW]


async def in_hand(fold: Callable[[Hand, int, Batch], Awaitable[None]], records: Poll) -> None:
    async with Hand(fold) as hand:
        hand.take(records)
        await asyncio.Event().wait()
