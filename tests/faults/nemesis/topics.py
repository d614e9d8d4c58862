"""Faults of the topics: what stands on them is not what should."""

import asyncio

from tests.faults.arena import Arena
from tests.faults.nemesis.fault import Fault
from tests.faults.planting import plant


class BadRecords(Fault):
    """What is no fact stands between facts on the topics; facts come twice, out of version order, and with a gap."""

    name = "bad-records"

    async def strike(self, arena: Arena) -> None:
        for _ in range(4):
            await asyncio.sleep(arena.rng.uniform(0.3, 1))
            await plant(arena)
