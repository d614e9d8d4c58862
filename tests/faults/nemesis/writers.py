"""Faults of the writers: the outcome of a commit stays unknown, and commands fail."""

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from tests.faults.arena import Arena
from tests.faults.commits import CommitsCutOff, CommitsCutShort
from tests.faults.doors import Manner
from tests.faults.ground import Layout
from tests.faults.nemesis.fault import Fault
from tests.faults.nemesis.workers import FOLDS

PLACES = ("membership.receipts", "convenings.receipts", FOLDS)
"""What is stored with every command, and with everything that is folded."""


class UnknownCommit(Fault):
    """The connection is cut, or the primary of three dies, in a commit: the server never has it, or is not heard. Or it
    says of one that it has carried out that its time was over.

    The driver commits again by itself, once: that is cut off as well, so that the rest is for the service to do.
    """

    name = "unknown-commit"
    layout = Layout(mongo_nodes=3, doors=True)
    cuts, deaths = 6, 1

    async def strike(self, arena: Arena) -> None:
        for number in range(self.cuts):
            await self._cut(arena, PLACES[number % len(PLACES)], carried=(number + self.seed) % 4 != 0)
        for place in PLACES:
            await self._cut_short(arena, place)
        for number in range(self.deaths):
            await self._die(arena, PLACES[(self.seed + number) % 2], carried=(self.seed + number) % 3 != 0)

    async def _cut(self, arena: Arena, place: str, *, carried: bool) -> None:
        await asyncio.sleep(arena.rng.uniform(0.2, 0.6))
        manner = CommitsCutOff(place, carried=carried, times=arena.rng.randint(2, 4))
        arena.open_doors("mongo", manner=manner)
        await _within(arena, 10, manner.over, f"commits to {place} cut off", carried=carried)
        arena.open_doors("mongo", manner=Manner())

    async def _cut_short(self, arena: Arena, place: str) -> None:
        manner = CommitsCutShort(place, times=arena.rng.randint(2, 4))
        arena.open_doors("mongo", manner=manner)
        await _within(arena, 10, manner.over, f"commits to {place} said to be cut short", carried=True)
        arena.open_doors("mongo", manner=Manner())

    async def _die(self, arena: Arena, place: str, *, carried: bool) -> None:
        primary = await asyncio.to_thread(arena.primary)
        manner = CommitsCutOff(place, carried=carried, times=2, held=2.0)
        arena.open_doors("mongo", manner=manner)
        await _within(arena, 10, manner.met, f"a commit to {place} held up", carried=carried)
        await arena.kill(primary)
        await _within(arena, 10, manner.over, "it was committed again", carried=carried)
        arena.open_doors("mongo", manner=Manner())
        await asyncio.sleep(arena.rng.uniform(1, 3))
        await arena.start(primary)


class FailingCommand(Fault):
    """Each tenth command fails unexpectedly: in being decided, or in being stored, for MongoDB refuses its receipt."""

    name = "failing-command"
    words: Sequence[str] = ("-not-to-be-decided", "-not-to-be-stored")

    async def strike(self, arena: Arena) -> None:
        decided, stored = self.words
        refused = {"_id": {"$not": {"$regex": stored}}}
        await self._prepare(arena, refused, fail=f"writer.deciding:fail@{decided}")
        arena.history.note("commands fail", words=self.words)
        arena.load.spoilt = self.words
        await asyncio.sleep(6)
        arena.load.spoilt = ()
        await arena.load.pause()  # those that were begun are answered
        await self._prepare(arena, {}, fail=None)
        await arena.load.all()

    async def _prepare(self, arena: Arena, validator: Mapping[str, Any], *, fail: str | None) -> None:
        """Both services start anew with this fail point, and MongoDB takes receipts that are so."""

        async def prepare(service: str) -> None:
            await arena.stop(service)
            await arena.start(service, fail=fail)
            await arena.client[service].command({"collMod": "receipts", "validator": validator})

        await asyncio.gather(*map(prepare, ("membership", "convenings")))


async def _within(arena: Arena, seconds: float, met: Future[None], what: str, *, carried: bool) -> None:
    """Wait for it, and note it, or that it did not come."""
    try:
        await asyncio.wait_for(asyncio.wrap_future(met), seconds)
        arena.history.note(what, carried=carried)
    except TimeoutError:
        arena.history.miss(f"did not happen: {what}")
