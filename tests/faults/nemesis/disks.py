"""Faults of the disks: there is no room left."""

import asyncio
import time
from contextlib import suppress
from typing import Literal

from pymongo.errors import PyMongoError

from tests.faults.arena import Arena
from tests.faults.ground import Layout
from tests.faults.nemesis.fault import Fault


class KafkaDiskFull(Fault):
    """The disk under Kafka's data is full to the brim for a while; a Kafka that ended is started again, and ends."""

    name = "disk-full-kafka"
    layout = Layout(small_disk="kafka")
    engine: Literal["kafka", "mongo"] = "kafka"
    seconds = 10.0

    async def strike(self, arena: Arena) -> None:
        assert arena.disk
        await arena.start(self.engine)  # it runs: from now on it is started again when it ends
        await asyncio.sleep(arena.rng.uniform(0.5, 2))
        arena.history.note("disk filled", engine=self.engine, free=arena.disk.free)
        looking = asyncio.create_task(_look(arena))
        until = time.monotonic() + self.seconds
        while time.monotonic() < until:
            await asyncio.to_thread(arena.disk.fill)  # again: what ended, gave room back
            await self._write_down(arena)
            await asyncio.sleep(0.5)
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        arena.disk.empty()
        arena.history.note("disk emptied", free=arena.disk.free)

    async def _write_down(self, arena: Arena) -> None:
        """Let the engine write what it would write by and by."""


class MongoDiskFull(KafkaDiskFull):
    """The same of MongoDB."""

    name = "disk-full-mongo"
    layout = Layout(small_disk="mongo")
    engine = "mongo"

    async def _write_down(self, arena: Arena) -> None:
        """A checkpoint, as comes once a minute: until then the journal has the room that it took before."""
        with suppress(PyMongoError, TimeoutError):
            await asyncio.wait_for(arena.client.admin.command("fsync"), 1)


async def _look(arena: Arena) -> None:
    while True:
        await arena.look()
        await asyncio.sleep(0.5)
