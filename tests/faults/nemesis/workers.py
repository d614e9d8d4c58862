"""Faults of the workers of metrics, and of convenings' followers: they sleep, join and leave, and stand still."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

from shared.views.builds import FIRST
from tests.faults.arena import Arena
from tests.faults.commits import CommitsLate
from tests.faults.doors import Manner
from tests.faults.ground import REPLICAS, SESSION_S, Layout
from tests.faults.nemesis.fault import Fault
from tests.faults.planting import break_partitions, discard

FOLDS = f"metrics.{FIRST.partitions}"
"""What is stored with everything that is folded."""
ENOUGH, LONGEST_S = 200, 15
"""Commands, and seconds that they may take."""
ASSIGNED_WITHIN_S = 30.0


class PausedWorker(Fault):
    """A metrics worker sleeps longer than its session: before it folds, before it commits, or anywhere."""

    name = "paused-worker"
    services: Mapping[str, int] = {"metrics": 2}
    points: Sequence[str | None] = ("worker.polled", "sink.folded", None)

    async def strike(self, arena: Arena) -> None:
        ((service, _),) = self.services.items()
        victim = arena.rng.choice([service, f"{service}-2"])
        point = self.points[self.seed % len(self.points)]
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


class PausedFollower(PausedWorker):
    """The same of convenings: before it commits what membership has published, or anywhere."""

    name = "paused-follower"
    services: Mapping[str, int] = {"convenings": 2}
    points = ("sink.folded", None)


class OnlyAnotherTopic(Fault):
    """A worker knows nothing of facts of one topic, and is then given facts of another of the same partitions.

    It had left these partitions to another meanwhile; in every second run it slept instead.
    """

    name = "only-another-topic"

    async def strike(self, arena: Arena) -> None:
        await _written(arena)
        await arena.load.pause()
        await arena.settled()
        if self.seed % 2:
            await arena.freeze("metrics")
        await arena.start("metrics-2")  # beside a sleeping one it has no partitions before that one's session has ended
        await asyncio.sleep(1)
        await arena.load.only("membership")
        await _written(arena)
        await arena.load.pause()
        await arena.settled()
        if self.seed % 2:
            await arena.thaw("metrics")
        await arena.stop("metrics-2")
        await arena.load.only("convenings")
        await _written(arena)
        await arena.load.all()


async def _written(arena: Arena) -> None:
    """Until so much was written that each of a few records is met, however busy the machine is."""
    before, deadline = len(arena.history.acknowledged()), time.monotonic() + LONGEST_S
    while len(arena.history.acknowledged()) - before < ENOUGH and time.monotonic() < deadline:  # noqa: ASYNC110 - nobody rings
        await asyncio.sleep(0.2)


class JoinAndLeave(Fault):
    """Every two seconds a metrics worker joins, leaves or is killed: one to four of them."""

    name = "join-and-leave"
    service = "metrics"

    async def strike(self, arena: Arena) -> None:
        names = [self.service, *(f"{self.service}-{number}" for number in range(2, REPLICAS[self.service] + 1))]
        for _ in range(10):
            running = [name for name in names if arena.runs(name)]
            name = arena.rng.choice(names)
            if name not in running:
                await arena.start(name, wait=False)
            elif len(running) > 1:
                await (arena.kill if arena.rng.random() < 0.4 else arena.stop)(name)
            await asyncio.sleep(2)


class FollowersJoinAndLeave(JoinAndLeave):
    """The same of convenings: one or two of them."""

    name = "followers-join-and-leave"
    service = "convenings"


class StandingStill(Fault):
    """All partitions stand still on too many dead letters, while another worker comes and goes; then the letters are
    discarded. Several times over.
    """

    name = "standing-still"
    layout = Layout(doors=True, dead_letters_borne=1)
    rounds = 5

    async def strike(self, arena: Arena) -> None:
        for _ in range(self.rounds):
            await break_partitions(arena)
            # it is not ready while a partition of it stands still
            await _assigned_anew(arena, partial(arena.start, "metrics-2", wait=False))
            await _assigned_anew(arena, partial(arena.stop, "metrics-2"))
            # what came back is not paused, and finds no turn at once when it is tried again
            arena.open_doors("mongo", manner=CommitsLate(0.5, FOLDS))
            await discard(arena)
            arena.open_doors("mongo", manner=Manner())


async def _assigned_anew(arena: Arena, change: Callable[[], Awaitable[None]]) -> None:
    """Change who works beside the first worker; returns once that one has partitions anew for it."""
    before, deadline = _assignments(arena), time.monotonic() + ASSIGNED_WITHIN_S
    await change()
    while _assignments(arena) == before:
        if time.monotonic() > deadline:
            arena.history.miss("was assigned nothing anew", name="metrics")
            return
        await asyncio.sleep(0.05)


def _assignments(arena: Arena) -> int:
    return arena.system.log_file("metrics").read_text().count("partitions.assigned")
