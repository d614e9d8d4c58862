"""Several faults at once."""

import asyncio
from collections.abc import Mapping, Sequence

from tests.faults.arena import Arena
from tests.faults.nemesis.engines import KafkaKilled, Primary
from tests.faults.nemesis.fault import Fault
from tests.faults.nemesis.relays import TwoRelays
from tests.faults.nemesis.services import KillServices
from tests.faults.nemesis.topics import BadRecords
from tests.faults.nemesis.workers import JoinAndLeave


class Mixture(Fault):
    """Several faults at once."""

    of: Sequence[type[Fault]]

    async def strike(self, arena: Arena) -> None:
        await asyncio.gather(*(kind(self.seed).strike(arena) for kind in self.of))


class KafkaKilledAsServicesAre(Mixture):
    name = "kafka-killed, kill-services"
    of = (KafkaKilled, KillServices)


class BadRecordsAsWorkersLeave(Mixture):
    name = "bad-records, join-and-leave"
    of = (BadRecords, JoinAndLeave)


class TwoRelaysWithoutKafka(Mixture):
    name = "two-relays, kafka-killed"
    services: Mapping[str, int] = {"membership": 2}
    of = (TwoRelays, KafkaKilled)


class PrimaryAsServicesAreKilled(Mixture):
    name = "primary, kill-services"
    mongo_nodes = 3
    of = (Primary, KillServices)
