"""Faults of the engines: Kafka and MongoDB are killed, and a primary is stepped down."""

import asyncio
from contextlib import suppress
from typing import Any

from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from tests.faults.arena import Arena
from tests.faults.ground import Layout
from tests.faults.nemesis.fault import Fault


class KafkaKilled(Fault):
    """kill -9 of Kafka, twice, and back."""

    name = "kafka-killed"
    strikes = 2

    async def strike(self, arena: Arena) -> None:
        for _ in range(self.strikes):
            await asyncio.sleep(arena.rng.uniform(0.5, 2))
            await arena.kill("kafka")
            await asyncio.sleep(arena.rng.uniform(0, 4))
            await arena.start("kafka")


class Primary(Fault):
    """The primary of three is stepped down, then killed."""

    name = "primary"
    layout = Layout(mongo_nodes=3)

    async def strike(self, arena: Arena) -> None:
        await asyncio.sleep(arena.rng.uniform(0.5, 2))
        await _step_down(arena)
        await asyncio.sleep(arena.rng.uniform(3, 5))
        primary = await asyncio.to_thread(arena.primary)
        await arena.kill(primary)
        await asyncio.sleep(arena.rng.uniform(3, 6))
        await arena.start(primary)
        await asyncio.sleep(2)


async def _step_down(arena: Arena) -> None:
    primary = await asyncio.to_thread(arena.primary)
    port = arena.system.child(primary).listens[0].port
    arena.history.note("stepped down", name=primary)
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(f"mongodb://127.0.0.1:{port}", directConnection=True)
    async with client:
        with suppress(PyMongoError):
            await client.admin.command({"replSetStepDown": 10, "secondaryCatchUpPeriodSecs": 5})


class BothAway(Fault):
    """Kafka and MongoDB are gone at once for a while, under load."""

    name = "both-away"
    seconds = 8.0

    async def strike(self, arena: Arena) -> None:
        await asyncio.sleep(arena.rng.uniform(0.5, 2))
        both = ["kafka", "mongo"]
        arena.rng.shuffle(both)
        for name in both:
            await arena.kill(name)
        await asyncio.sleep(self.seconds)
        arena.rng.shuffle(both)
        for name in both:
            await arena.start(name)


class BothAwayForLong(BothAway):
    name = "both-away-for-long"
    seconds = 120.0
