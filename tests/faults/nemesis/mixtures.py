"""Several faults at once."""

import asyncio
from collections.abc import Mapping, Sequence

from tests.faults.arena import Arena
from tests.faults.ground import Layout
from tests.faults.nemesis.engines import KafkaKilled, Primary
from tests.faults.nemesis.fault import Fault
from tests.faults.nemesis.relays import OnePartitionRefused, TwoRelays
from tests.faults.nemesis.services import KillServices
from tests.faults.nemesis.slow import SlowKafka, SlowMongo
from tests.faults.nemesis.topics import BadRecords
from tests.faults.nemesis.workers import JoinAndLeave
from tests.faults.nemesis.writers import UnknownCommit


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


class SlowKafkaAsServicesAreKilled(Mixture):
    name = "slow-kafka, kill-services"
    layout = Layout(doors=True)
    of = (SlowKafka, KillServices)


class SlowMongoAsWorkersLeave(Mixture):
    name = "slow-mongo, join-and-leave"
    layout = Layout(doors=True)
    of = (SlowMongo, JoinAndLeave)


class OnePartitionRefusedAmongOthers(OnePartitionRefused):
    others_within = None


class OnePartitionRefusedToTwoRelays(Mixture):
    name = "one-partition-refused, two-relays"
    services: Mapping[str, int] = {"membership": 2}
    layout = Layout(doors=True)
    of = (OnePartitionRefusedAmongOthers, TwoRelays)


class UnknownCommitAsServicesAreKilled(Mixture):
    name = "unknown-commit, kill-services"
    layout = Layout(mongo_nodes=3, doors=True)
    of = (UnknownCommit, KillServices)


class PrimaryAsServicesAreKilled(Mixture):
    name = "primary, kill-services"
    layout = Layout(mongo_nodes=3)
    of = (Primary, KillServices)
