"""Faults of who somebody is: people are merged and erased while they join elsewhere."""

import asyncio
from collections.abc import Mapping

from tests.faults.arena import Arena
from tests.faults.nemesis.fault import Fault

ROUNDS, AT_ONCE = 6, 3


class MergeAndErase(Fault):
    """Each of a few people joins and comes everywhere while they are merged into each other and the last is erased; in
    every second run the services are killed meanwhile.
    """

    name = "merge-and-erase"
    services: Mapping[str, int] = {"membership": 2}

    async def strike(self, arena: Arena) -> None:
        for number in range(ROUNDS):
            crossing = asyncio.create_task(arena.load.cross(number, AT_ONCE))
            if self.seed % 2:
                victim = arena.rng.choice(["membership", "membership-2", "convenings"])
                await asyncio.sleep(arena.rng.uniform(0.2, 0.8))
                await arena.kill(victim)
                await arena.start(victim)
            await crossing
