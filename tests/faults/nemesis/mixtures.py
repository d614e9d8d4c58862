"""Several faults at once, drawn by the seed."""

import asyncio
import random
from collections.abc import Sequence
from itertools import combinations

from tests.faults.arena import Arena
from tests.faults.ground import Layout
from tests.faults.nemesis.engines import KafkaKilled, Primary
from tests.faults.nemesis.fault import Fault
from tests.faults.nemesis.people import MergeAndErase
from tests.faults.nemesis.relays import OnePartitionRefused, TwoRelays
from tests.faults.nemesis.services import KillAtPoints, KillServices
from tests.faults.nemesis.slow import SlowKafka, SlowMongo
from tests.faults.nemesis.topics import BadRecords
from tests.faults.nemesis.workers import JoinAndLeave, PausedWorker
from tests.faults.nemesis.writers import UnknownCommit


class OnePartitionRefusedAmongOthers(OnePartitionRefused):
    others_within = None  # something else may hold them up


class PrimaryNotAhead(Primary):
    is_ahead = False  # who plants something meanwhile waits for MongoDB no longer than for an election


class SlowMongoOnly(SlowMongo):
    """Without what waits meanwhile: nobody says how much a worker may take that others have disturbed."""

    async def strike(self, arena: Arena) -> None:
        await self.slow_down(arena)


GROUPS: Sequence[Sequence[type[Fault]]] = (
    (KillServices, KillAtPoints, TwoRelays),
    (JoinAndLeave, PausedWorker),
    (KafkaKilled, SlowKafka, OnePartitionRefusedAmongOthers),
    (PrimaryNotAhead, UnknownCommit, SlowMongoOnly),
    (BadRecords, MergeAndErase),
)
"""What is done to services, to workers of metrics, to Kafka, to MongoDB, to what is written: two of one group would
undo each other.
"""
TOGETHER = 3


class Mixture(Fault):
    """Three faults at once, of three groups. Ten runs with following seeds draw from each three groups once."""

    name = "mixture"
    layout = Layout(mongo_nodes=3, doors=True)

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        drawn = list(combinations(GROUPS, TOGETHER))[seed % 10]
        rng = random.Random(f"{self.name}/{seed}")
        self._faults = [rng.choice(group)(seed) for group in drawn]
        self.of = [fault.name for fault in self._faults]
        self.services = {
            service: max(fault.services.get(service, 1) for fault in self._faults)
            for service in {service for fault in self._faults for service in fault.services}
        }

    async def strike(self, arena: Arena) -> None:
        arena.history.note("mixed", of=self.of)
        await asyncio.gather(*(fault.strike(arena) for fault in self._faults))
