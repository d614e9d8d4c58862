"""Faults of any service: its process is killed."""

import asyncio
from collections.abc import Sequence

from tests.faults.arena import Arena
from tests.faults.nemesis.fault import Fault
from tests.faults.planting import plant

WRITER = ("writer.decided", "writer.committed")
RELAY = ("relay.sent", "relay.acknowledged", "relay.deleted")
SINK = ("sink.folded", "sink.committed")


class KillAtPoints(Fault):
    """kill -9 at commit points, three in a run: in seven runs with following seeds each of each service is met."""

    name = "kill-at-points"
    strikes = 3
    PLACES: Sequence[tuple[str, str]] = (
        *((service, point) for point in (*WRITER, *RELAY) for service in ("membership", "convenings")),
        *((service, point) for point in SINK for service in ("metrics", "convenings")),
        ("metrics", "worker.hinting"),
        ("convenings", "follower.hinting"),
        *(("metrics", point) for point in RELAY),
    )

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self._struck = [self.PLACES[(3 * seed + number) % len(self.PLACES)] for number in range(self.strikes)]
        self.of = [f"{service} at {point}" for service, point in self._struck]

    async def strike(self, arena: Arena) -> None:
        for service, point in self._struck:
            await arena.kill(service)
            relays_letters = service == "metrics" and point in RELAY
            times = 1 if relays_letters else arena.rng.randint(1, 3 if point.endswith("hinting") else 10)
            await arena.start(service, fail=f"{point}:kill@{times}", wait=False)
            if relays_letters:
                await plant(arena)
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
