"""Faults of the relays: two of them believe that they are the one."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from pymongo.errors import PyMongoError

from tests.faults.arena import Arena
from tests.faults.nemesis.fault import Fault
from tests.faults.nemesis.services import RELAY


class TwoRelays(Fault):
    """The lease of the active relay is taken away again and again; in every second run it sleeps meanwhile."""

    name = "two-relays"
    services: Mapping[str, int] = {"membership": 2}

    async def strike(self, arena: Arena) -> None:
        if self.seed % 2:
            await self._overtaken(arena)
        for _ in range(6):
            await asyncio.sleep(arena.rng.uniform(0.5, 1.5))
            arena.history.note("lease taken away", name="membership")
            with suppress(PyMongoError):
                await arena.client["membership"].leases.delete_one({"_id": "relay"})

    async def _overtaken(self, arena: Arena) -> None:
        """Whoever holds the lease sleeps in the middle of relaying, and wakes when the other has relayed."""
        point = arena.rng.choice(RELAY[:2])
        for name in ("membership", "membership-2"):
            await arena.kill(name)
            await arena.start(name, fail=f"{point}:stop@{arena.rng.randint(3, 20)}")
        names = ("membership", "membership-2")
        frozen = [asyncio.create_task(arena.until_frozen(name, within=15)) for name in names]
        await asyncio.wait(frozen, return_when=asyncio.FIRST_COMPLETED)
        with suppress(PyMongoError):
            await arena.client["membership"].leases.delete_one({"_id": "relay"})
        await asyncio.sleep(4)  # the other takes it within two seconds, and sleeps after its own count
        for name in names:
            await arena.thaw(name)
        await asyncio.gather(*frozen)
        for name in names:
            await arena.thaw(name)
