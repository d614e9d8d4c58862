"""Faults of the relays: two of them believe that they are the one, and Kafka refuses what they send."""

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress

from pymongo.errors import PyMongoError

from shared.kafka import partition_of
from tests.faults.arena import Arena
from tests.faults.doors import Manner
from tests.faults.ground import PARTITIONS, Layout
from tests.faults.nemesis.fault import Fault
from tests.faults.nemesis.services import RELAY
from tests.faults.observed import ends_of
from tests.faults.refusing import PartitionRefused


class TwoRelays(Fault):
    """The lease of the active relay is taken away again and again; in every second run it sleeps meanwhile."""

    name = "two-relays"
    services: Mapping[str, int] = {"membership": 2}

    async def strike(self, arena: Arena) -> None:
        ((service, _),) = self.services.items()
        if self.seed % 2:
            await self._overtaken(arena, service)
        for _ in range(6):
            await asyncio.sleep(arena.rng.uniform(0.5, 1.5))
            arena.history.note("lease taken away", name=service)
            await _take_lease_away(arena, service)

    async def _overtaken(self, arena: Arena, service: str) -> None:
        """Whoever holds the lease sleeps in the middle of relaying, and wakes when the other has relayed."""
        point = arena.rng.choice(RELAY[:2])
        names = (service, f"{service}-2")
        for name in names:
            await arena.kill(name)
            # it may sleep before it is ready
            await arena.start(name, fail=f"{point}:stop@{arena.rng.randint(3, 20)}", wait=False)
        frozen = [asyncio.create_task(arena.until_frozen(name, within=30)) for name in names]
        await asyncio.wait(frozen, return_when=asyncio.FIRST_COMPLETED)
        await _take_lease_away(arena, service)
        await asyncio.sleep(4)  # the other takes it within two seconds, and sleeps after its own count
        for name in names:
            await arena.thaw(name)
        await asyncio.gather(*frozen)
        for name in names:
            await arena.thaw(name)


class TwoRelaysOfConvenings(TwoRelays):
    """The same of convenings, which relays what people come to be known by, too."""

    name = "two-relays-of-convenings"
    services: Mapping[str, int] = {"convenings": 2}


async def _take_lease_away(arena: Arena, service: str) -> None:
    with suppress(PyMongoError):
        await arena.client[service].leases.delete_one({"_id": "relay"})


class OnePartitionRefused(Fault):
    """Kafka refuses records of one partition for some seconds, by an error that is tried again or by one that is not.

    Meanwhile what is of other partitions goes on.
    """

    name = "one-partition-refused"
    layout = Layout(doors=True)
    others_within: float | None = 3.0
    """Seconds; None where something else may hold them up."""
    ERRORS = {"not enough replicas": 19, "leader not available": 5, "invalid record": 87, "not authorised": 29}

    async def strike(self, arena: Arena) -> None:
        for number in range(2):
            await asyncio.sleep(arena.rng.uniform(0.5, 1.5))
            what = list(self.ERRORS)[(2 * self.seed + number + self.seed // 2) % len(self.ERRORS)]
            community = f"{arena.history.about['run']}-community-{arena.rng.randint(0, 4)}"
            partition = partition_of(f"community.{community}".encode(), PARTITIONS)
            manner = PartitionRefused(partition, self.ERRORS[what])
            since = time.time()
            arena.open_doors("kafka", manner=manner)
            await asyncio.sleep(arena.rng.uniform(6, 9))
            until, ends = time.time(), await ends_of(arena.system.kafka)
            arena.open_doors("kafka", manner=Manner())
            arena.history.note(
                "partition refused",
                partition=partition,
                error=what,
                since=since,
                until=until,
                others_within=self.others_within,
                ends=[[place.topic, place.partition, end] for place, end in ends.items()],
                batches={"refused": manner.refused, "passed": manner.passed},
            )
            if not manner.refused:
                arena.history.miss("nothing came for that partition", partition=partition)
