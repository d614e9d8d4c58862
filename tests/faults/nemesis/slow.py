"""Faults of the ways to the engines: what passes is late, stands still for seconds, or breaks off."""

import asyncio
from contextlib import suppress

import psutil

from tests.faults.arena import Arena
from tests.faults.doors import Slow
from tests.faults.ground import Layout
from tests.faults.nemesis.fault import Fault
from tests.faults.planting import flood

MAY_GROW_BY = 150
"""MB that a worker may take beyond what it has, however much waits for it."""
FLOOD = 300
"""MB that wait for it."""


class SlowKafka(Fault):
    """Whatever passes between Kafka and others takes 0.1 to 1.5 seconds there and back, now and then more."""

    name = "slow-kafka"
    layout = Layout(doors=True)
    seconds = 15.0

    async def strike(self, arena: Arena) -> None:
        await asyncio.sleep(arena.rng.uniform(0, 1))
        arena.open_doors("kafka", manner=Slow(self.seed, 0.05, 0.75, stalls=0.01, cuts=0.01))
        await asyncio.sleep(self.seconds)


class SlowMongo(Fault):
    """The same of MongoDB, which is asked more often. First it stands still while much comes that waits for the worker,
    which must not take more memory for that.
    """

    name = "slow-mongo"
    layout = Layout(doors=True)
    seconds = 15.0

    async def strike(self, arena: Arena) -> None:
        watching = asyncio.create_task(_watch(arena, (_mb(arena) or 0) + MAY_GROW_BY))
        await arena.freeze("mongo")  # so that what is polled is not folded
        await flood(arena, FLOOD * 1_000_000)
        await arena.thaw("mongo")
        await self.slow_down(arena)
        watching.cancel()

    async def slow_down(self, arena: Arena) -> None:
        arena.open_doors("mongo", manner=Slow(self.seed, 0.01, 0.2, stalls=0.005, cuts=0.005))
        await asyncio.sleep(self.seconds)


async def _watch(arena: Arena, most: int) -> None:
    """Note what the worker takes, and what it may take."""
    while True:
        await asyncio.sleep(0.5)
        if (mb := _mb(arena)) is not None:
            arena.history.note("memory", name="metrics", mb=mb, most=most)


def _mb(arena: Arena) -> int | None:
    """What the worker holds of the machine's memory; nothing if it does not run."""
    pid = arena.system.pid("metrics")
    with suppress(psutil.NoSuchProcess):
        return int(psutil.Process(pid).memory_info().rss / 1e6) if pid else None
    return None
