"""What Praxis changes of the driver: its lock is free again after somebody was cancelled in the wait for a server."""

import asyncio

import pymongo.lock
import pytest

from shared import mongo


@pytest.mark.parametrize("waits_s", [10.0, 0.01], ids=["told twice to end", "told to end when its time is over"])
def test_a_lock_is_free_again_after_somebody_was_cancelled_in_the_wait_for_a_server(waits_s: float) -> None:
    assert vars(pymongo.lock)["wait_for"] is mongo._wait_for

    async def run() -> bool:
        lock = pymongo.lock._async_create_lock()
        changed = pymongo.lock._async_create_condition(lock)

        async def wait() -> None:
            async with lock:
                await pymongo.lock._async_cond_wait(changed, waits_s)

        waiting = asyncio.create_task(wait())
        await asyncio.sleep(0)
        await lock.acquire()  # another one, who looks at the servers
        if waits_s > 1:
            waiting.cancel()
        await asyncio.sleep(0.05)
        waiting.cancel()
        lock.release()
        await asyncio.gather(waiting, return_exceptions=True)
        await asyncio.sleep(0.05)
        return not lock.locked()

    assert asyncio.run(run())
