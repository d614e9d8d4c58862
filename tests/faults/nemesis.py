"""The faults: what is done to the system while clients write. Each by a name, alone; mixtures of them at the end."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, ClassVar

from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from tests.faults.arena import SESSION_S, Arena
from tests.faults.planting import plant

WRITER = ("writer.decided", "writer.committed")
RELAY = ("relay.sent", "relay.acknowledged", "relay.deleted")
SINK = ("sink.folded", "sink.committed")


class Fault:
    """One way to disturb a system; `strike` returns when it is done, and what it broke is healed afterwards."""

    name: ClassVar[str]
    services: Mapping[str, int] = {}
    """How many of a service run at first, where it is not one."""
    mongo_nodes = 1

    def __init__(self, seed: int) -> None:
        self.seed = seed

    async def strike(self, arena: Arena) -> None:
        raise NotImplementedError


class Nothing(Fault):
    """No fault: the suite itself must find nothing wrong then."""

    name = "nothing"

    async def strike(self, arena: Arena) -> None:
        await asyncio.sleep(3)


class KillAtPoints(Fault):
    """kill -9 at commit points, three in a run: in five runs with following seeds each of each service is met."""

    name = "kill-at-points"
    strikes = 3
    PLACES: Sequence[tuple[str, str]] = (
        *((service, point) for point in (*WRITER, *RELAY) for service in ("membership", "convenings")),
        *((service, point) for point in SINK for service in ("metrics", "convenings")),
        ("metrics", "worker.hinting"),
    )

    async def strike(self, arena: Arena) -> None:
        for number in range(self.strikes):
            service, point = self.PLACES[(3 * self.seed + number) % len(self.PLACES)]
            await arena.kill(service)
            few = 3 if point.startswith("worker") else 10
            await arena.start(service, fail=f"{point}:kill@{arena.rng.randint(1, few)}", wait=False)
            await arena.until_dead(service, within=20)
            await arena.stop(service)
            await arena.start(service, wait=False)
            await asyncio.sleep(arena.rng.uniform(0.2, 1))


class KillServices(Fault):
    """kill -9 of any service at any time."""

    name = "kill-services"

    async def strike(self, arena: Arena) -> None:
        victims = ["membership", "convenings", "metrics", "gateway"]
        arena.rng.shuffle(victims)
        for victim in victims:
            await asyncio.sleep(arena.rng.uniform(0.1, 1))
            await arena.kill(victim)
            await asyncio.sleep(arena.rng.uniform(0, 1))
            await arena.start(victim, wait=arena.rng.random() < 0.5)


class PausedWorker(Fault):
    """A metrics worker sleeps longer than its session: before it folds, before it commits, or anywhere."""

    name = "paused-worker"
    services: Mapping[str, int] = {"metrics": 2}

    async def strike(self, arena: Arena) -> None:
        victim = arena.rng.choice(["metrics", "metrics-2"])
        point = ("worker.polled", "sink.folded", None)[self.seed % 3]
        if point:
            await arena.stop(victim)
            await arena.start(victim, fail=f"{point}:stop@{arena.rng.randint(5, 25)}")
            await arena.until_frozen(victim, within=20)
        else:
            await asyncio.sleep(arena.rng.uniform(1, 3))
            await arena.freeze(victim)
        await asyncio.sleep(SESSION_S + 3)
        await arena.thaw(victim)
        await asyncio.sleep(3)


class OnlyAnotherTopic(Fault):
    """A worker knows nothing of facts of one topic, and is then given facts of another of the same partitions.

    It had left these partitions to another meanwhile; in every second run it slept instead.
    """

    name = "only-another-topic"

    async def strike(self, arena: Arena) -> None:
        await asyncio.sleep(3)
        await arena.load.pause()
        await arena.settled()
        if self.seed % 2:
            await arena.freeze("metrics")
        await arena.start("metrics-2")  # beside a sleeping one it has no partitions before that one's session has ended
        await asyncio.sleep(1)
        await arena.load.only("membership")
        await asyncio.sleep(3)
        await arena.load.pause()
        await arena.settled()
        if self.seed % 2:
            await arena.thaw("metrics")
        await arena.stop("metrics-2")
        await arena.load.only("convenings")
        await asyncio.sleep(3)
        await arena.load.all()


class TwoRelays(Fault):
    """The lease of the active relay is taken away again and again; in every second run it sleeps meanwhile."""

    name = "two-relays"
    services: Mapping[str, int] = {"membership": 2}

    async def strike(self, arena: Arena) -> None:
        if self.seed % 2:
            await self._overtaken(arena)
        for _ in range(6):
            await asyncio.sleep(arena.rng.uniform(0.5, 1.5))
            arena.history.note("lease taken away", name="membership")
            with suppress(PyMongoError):
                await arena.client["membership"].leases.delete_one({"_id": "relay"})

    async def _overtaken(self, arena: Arena) -> None:
        """Whoever holds the lease sleeps in the middle of relaying, and wakes when the other has relayed."""
        point = arena.rng.choice(RELAY[:2])
        for name in ("membership", "membership-2"):
            await arena.kill(name)
            await arena.start(name, fail=f"{point}:stop@{arena.rng.randint(3, 20)}")
        names = ("membership", "membership-2")
        frozen = [asyncio.create_task(arena.until_frozen(name, within=15)) for name in names]
        await asyncio.wait(frozen, return_when=asyncio.FIRST_COMPLETED)
        with suppress(PyMongoError):
            await arena.client["membership"].leases.delete_one({"_id": "relay"})
        await asyncio.sleep(4)  # the other takes it within two seconds, and sleeps after its own count
        for name in names:
            await arena.thaw(name)
        await asyncio.gather(*frozen)
        for name in names:
            await arena.thaw(name)


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
    mongo_nodes = 3

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


class JoinAndLeave(Fault):
    """Every two seconds a metrics worker joins, leaves or is killed: one to three of them."""

    name = "join-and-leave"

    async def strike(self, arena: Arena) -> None:
        names = ["metrics", "metrics-2", "metrics-3"]
        for _ in range(7):
            running = [name for name in names if arena.runs(name)]
            name = arena.rng.choice(names)
            if name not in running:
                await arena.start(name, wait=False)
            elif len(running) > 1:
                await (arena.kill if arena.rng.random() < 0.4 else arena.stop)(name)
            await asyncio.sleep(2)


class BadRecords(Fault):
    """What is no fact stands between facts on the topics; facts come twice, out of version order, and with a gap."""

    name = "bad-records"

    async def strike(self, arena: Arena) -> None:
        for _ in range(4):
            await asyncio.sleep(arena.rng.uniform(0.3, 1))
            await plant(arena)


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


FAULTS: dict[str, type[Fault]] = {
    kind.name: kind
    for kind in (
        *(Nothing, KillAtPoints, KillServices, PausedWorker, OnlyAnotherTopic, TwoRelays, KafkaKilled, Primary),
        *(BothAway, JoinAndLeave, BadRecords, KafkaKilledAsServicesAre, BadRecordsAsWorkersLeave),
        *(TwoRelaysWithoutKafka, PrimaryAsServicesAreKilled, BothAwayForLong),
    )
}
