"""What goes on in the background bears a fault of the driver's own as it bears a database that is away."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from pymongo.errors import AutoReconnect

from shared import running
from shared.lease import Lease
from shared.reading.follower import stop
from shared.running import until_done
from shared.writing import relay
from shared.writing.metrics import OUTBOX_LOOKED_AT
from shared.writing.relay import Relay
from tests.unit.shared.test_transact import LOST_LOCK, in_the_driver


async def still_runs(work: Coroutine[Any, Any, Any], asked: Callable[[], int]) -> bool:
    """Whether it goes on and asks once more after its first question has failed."""
    task = asyncio.create_task(work)
    try:
        async with asyncio.timeout(5):
            while asked() < 2 and not task.done():  # noqa: ASYNC110 - nobody rings
                await asyncio.sleep(0.005)
        return asked() >= 2 and not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class Failing:
    """A collection whose driver fails whatever it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def find(self, *_: object) -> Any:
        self.asked += 1
        in_the_driver(LOST_LOCK)

    async def find_one_and_update(self, *_: object, **__: object) -> Any:
        self.find()


def test_the_age_of_the_outbox_is_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "TELL_EVERY_S", 0.01)
    outbox = Failing()
    database: Any = SimpleNamespace(outbox=outbox)

    async def run() -> bool:
        return await still_runs(Relay(database, "nowhere:1", asyncio.Event()).tell_age(), lambda: outbox.asked)

    assert asyncio.run(run())


class Empty:
    """An outbox of which all is on Kafka, until MongoDB is away."""

    is_away = False

    def find(self, *_: object) -> Any:
        found = SimpleNamespace(to_list=self._nothing)
        found.sort = found.limit = lambda *_: found
        return found

    async def _nothing(self) -> list[Any]:
        if self.is_away:
            raise AutoReconnect("it is away")
        return []

    async def estimated_document_count(self) -> int:
        return len(await self._nothing())


def test_the_age_of_the_outbox_says_when_it_was_looked_at_and_is_old_while_mongodb_is_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(relay, "TELL_EVERY_S", 0.01)
    outbox = Empty()
    database: Any = SimpleNamespace(outbox=outbox)

    async def looked_at_within(seconds: float) -> float:
        await asyncio.sleep(seconds)
        at: float = OUTBOX_LOOKED_AT._value.get()
        return at

    async def run() -> None:
        began = time.time()
        telling = asyncio.create_task(Relay(database, "nowhere:1", asyncio.Event()).tell_age())
        try:
            first = await looked_at_within(0.1)
            assert began <= first <= time.time()
            assert await looked_at_within(0.1) > first
            outbox.is_away = True
            last = await looked_at_within(0.1)
            assert await looked_at_within(0.1) == last
            outbox.is_away = False
            assert await looked_at_within(0.1) > last
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)

    asyncio.run(run())


def test_a_lease_is_asked_for_again() -> None:
    leases = Failing()
    database: Any = SimpleNamespace(leases=leases)
    lease = Lease(database, "relay", "this", lasts=timedelta(milliseconds=20))

    async def work() -> None:
        raise AssertionError("it is never held")

    async def run() -> bool:
        return await still_runs(lease.while_held(work), lambda: leases.asked)

    assert asyncio.run(run())


def test_what_must_be_done_first_is_tried_again() -> None:
    tried = [LOST_LOCK, "pass"]

    async def work() -> None:
        in_the_driver(tried.pop(0))

    asyncio.run(until_done(work, pause=timedelta(0)))
    assert tried == []


@pytest.mark.parametrize("is_ending", [False, True])
def test_work_whose_end_nobody_asked_for_is_no_silent_end(is_ending: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    failures: list[str] = []
    monkeypatch.setattr(running, "_failures", failures)

    async def work() -> None:
        if is_ending:
            await asyncio.Event().wait()
        inner = asyncio.ensure_future(asyncio.sleep(60))
        inner.cancel()
        await inner  # as in a library that ends its own tasks

    async def run() -> None:
        async with running.Tasks() as tasks:
            tasks.start("follower", work())
            await asyncio.sleep(0.01)

    asyncio.run(run())
    assert failures == ([] if is_ending else ["follower: it was cancelled, and nobody here did that"])


def test_a_consumer_that_cannot_be_stopped_cleanly_is_as_good_as_stopped() -> None:
    async def stopping() -> None:
        raise asyncio.CancelledError

    async def run() -> str:
        consumer: Any = SimpleNamespace(stop=stopping)
        await stop(consumer)
        return "goes on"

    assert asyncio.run(run()) == "goes on"


def test_a_fault_of_ones_own_ends_it() -> None:
    async def work() -> None:
        raise RuntimeError("wrong")

    with pytest.raises(RuntimeError, match="wrong"):
        asyncio.run(until_done(work, pause=timedelta(0)))
