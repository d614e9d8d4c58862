"""Faults of who somebody is: people are merged and erased while they join elsewhere."""

import asyncio
from collections.abc import Mapping

from tests.faults.arena import Arena
from tests.faults.commands import crossing, meeting
from tests.faults.nemesis.fault import Fault

ROUNDS, AT_ONCE = 6, 3


class MergeAndErase(Fault):
    """Each of a few people joins and comes everywhere while they are merged into each other and the last is erased; or
    takes part in design groups and is registered again while they are erased. In every second run the services are
    killed meanwhile.
    """

    name = "merge-and-erase"
    services: Mapping[str, int] = {"membership": 2}

    async def strike(self, arena: Arena) -> None:
        for number in range(ROUNDS):
            crossed = asyncio.create_task(self._cross(arena, number))
            if self.seed % 2:
                victim = arena.rng.choice(["membership", "membership-2", "convenings"])
                await asyncio.sleep(arena.rng.uniform(0.2, 0.8))
                await arena.kill(victim)
                await arena.start(victim)
            await crossed

    async def _cross(self, arena: Arena, number: int) -> None:
        for how in (crossing, meeting):
            await arena.load.cross(how, number, AT_ONCE)
