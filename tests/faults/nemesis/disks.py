"""Faults of the disks: there is no room left."""

import asyncio
from typing import Literal

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
        arena.history.note("disk filled", free=arena.disk.free)
        for _ in range(int(self.seconds * 2)):
            await asyncio.to_thread(arena.disk.fill)  # again: what ended, gave room back
            await asyncio.sleep(0.5)
        arena.disk.empty()
        arena.history.note("disk emptied", free=arena.disk.free)


class MongoDiskFull(KafkaDiskFull):
    """The same of MongoDB."""

    name = "disk-full-mongo"
    layout = Layout(small_disk="mongo")
    engine = "mongo"
