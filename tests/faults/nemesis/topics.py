"""Faults of the topics: what stands on them is not what should, or is gone."""

import asyncio

from tests.faults import losing
from tests.faults.arena import Arena
from tests.faults.nemesis.fault import Fault
from tests.faults.observed import SOURCES
from tests.faults.planting import discard_in_advance, plant, plant_late


class BadRecords(Fault):
    """What is no fact stands between facts on the topics; facts come twice, out of version order, and with a gap.

    Some stands at versions that are still to come, and is discarded before, while or after they do.
    """

    name = "bad-records"

    async def strike(self, arena: Arena) -> None:
        for _ in range(4):
            await asyncio.sleep(arena.rng.uniform(0.3, 1))
            await plant(arena)
            await plant_late(arena)
            await discard_in_advance(arena)


class TopicRecreated(Fault):
    """A topic is deleted and made anew, longer than it was, while it is read; in every second run while it is not."""

    name = "topic-recreated"

    async def strike(self, arena: Arena) -> None:
        topic = SOURCES[self.seed % len(SOURCES)]
        readers = losing.readers(topic)
        await asyncio.sleep(2)
        await arena.load.pause()
        await arena.settled()
        watched = losing.Watched(arena, topic, "made anew")
        await watched.begin()
        if self.seed % 2:
            for reader in readers:
                await arena.stop(reader)
        await losing.make_longer(arena, topic)
        if self.seed % 2:
            for reader in readers:
                await arena.start(reader)
        await watched.end()
        await arena.load.all()  # facts come onto the new topic before the old ones are there
        await asyncio.sleep(3)
        await losing.remedy(arena)


class LogCut(Fault):
    """All that stands on a topic is deleted; in every second run, some of it before it was read."""

    name = "log-cut"

    async def strike(self, arena: Arena) -> None:
        topic = SOURCES[self.seed % len(SOURCES)]
        readers = losing.readers(topic)
        await asyncio.sleep(2)
        if self.seed % 2:
            await arena.load.pause()  # a reader may be a writer too, which then answers nothing any more
            for reader in readers:
                await arena.stop(reader)
            await arena.load.only("membership" if "convenings" in readers else "convenings")
            await asyncio.sleep(2)
        await arena.load.pause()
        await (losing.relayed(arena) if self.seed % 2 else arena.settled())
        watched = losing.Watched(arena, topic, "cut")
        await watched.begin()
        await losing.cut(arena, topic)
        if self.seed % 2:
            for reader in readers:
                await arena.start(reader)
        await watched.end()
        await losing.delete(arena, topic)
        await arena.load.all()  # facts wait in the outbox, and are first on the new topic
        await asyncio.sleep(3)
        await losing.remedy(arena)
