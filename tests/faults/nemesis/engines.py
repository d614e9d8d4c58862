"""Faults of the engines: Kafka and MongoDB are killed, and a primary is stepped down."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from tests.faults.arena import Arena, engines
from tests.faults.commits import CommitsLate
from tests.faults.doors import Manner
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


TRANSACTIONS_LAST_S = 3
"""At most, while MongoDB is frozen for longer: the sooner it is struck again."""
HELD_BACK_S = 1.2
"""Shorter by a heartbeat than what a primary without followers waits until it steps down."""


class Primary(Fault):
    """The primary of three is stepped down, then killed; then once more, with what nobody had from it yet."""

    name = "primary"
    layout = Layout(mongo_nodes=3)
    is_ahead = True
    """Whether it dies with what nobody had yet: all three are away then, for some seconds."""

    async def strike(self, arena: Arena) -> None:
        await asyncio.sleep(arena.rng.uniform(0.5, 2))
        await _step_down(arena)
        await asyncio.sleep(arena.rng.uniform(3, 5))
        primary = await asyncio.to_thread(arena.primary)
        await arena.kill(primary)
        await asyncio.sleep(arena.rng.uniform(3, 6))
        await arena.start(primary)
        await asyncio.sleep(2)
        if self.is_ahead:
            await _kill_ahead_of_others(arena)


async def _kill_ahead_of_others(arena: Arena) -> None:
    """The others sleep, and die with the primary, so that they have nothing of what it was about to tell them; they
    are back, and have gone on, before it is.
    """
    primary = await asyncio.to_thread(arena.primary)
    others = [name for name in engines(arena.system) if name.startswith("mongo") and name != primary]
    for name in others:
        await arena.freeze(name)
    await asyncio.sleep(HELD_BACK_S)
    for name in (primary, *others):
        await arena.kill(name)
    for name in others:
        await arena.start(name, wait=False)
    await asyncio.to_thread(arena.primary)
    await asyncio.sleep(arena.rng.uniform(1, 2))
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


class FrozenMongo(Fault):
    """MongoDB stands still for longer than a transaction may last, while commits are under way; several times over.

    When it goes on, it answers them that this was too long, also some that it has carried out.
    """

    name = "frozen-mongo"
    services: Mapping[str, int] = {"membership": 2, "convenings": 2, "metrics": 2}
    layout = Layout(doors=True)
    strikes = 8

    async def strike(self, arena: Arena) -> None:
        before = await _let_transactions_last(arena, TRANSACTIONS_LAST_S)
        for _ in range(self.strikes):
            await asyncio.sleep(arena.rng.uniform(1, 2))
            arena.open_doors("mongo", manner=CommitsLate(1.0))
            await asyncio.sleep(0.9)
            await arena.freeze("mongo")  # those that are late come to it then
            await asyncio.sleep(TRANSACTIONS_LAST_S + arena.rng.uniform(0.5, 1))
            arena.open_doors("mongo", manner=Manner())
            await arena.thaw("mongo")
        await _let_transactions_last(arena, before)


async def _let_transactions_last(arena: Arena, seconds: int) -> int:
    """At most so long; how long it was before."""
    answer = await arena.client.admin.command({"setParameter": 1, "transactionLifetimeLimitSeconds": seconds})
    return int(answer["was"])


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
