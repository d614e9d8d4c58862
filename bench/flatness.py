"""What a fact costs the worker in production, in small and large communities, and after few and many facts.

A worker that runs is held, so many facts about new members are put on Kafka, and it is let go: its CPU time and the
facts a second are measured from then until all are folded. All communities of a point are on one partition, so that
their number does not tell; ten of them, or one of the largest, so that they stay about as large as they are said to be.
It is done several times at each point, and the middle one tells: one alone may meet a collection of garbage or a
neighbour of the machine.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from rich.progress import Progress, TaskID

from bench.figures import ParticipationFact
from bench.history import history, publish
from bench.metering import Meter
from bench.options import Options
from bench.streams import CONTENDERS, FACTS_OF_A_PERSON, PARTITIONS, TOPICS, Started, by_offsets, start
from bench.table import Sheet, ratio
from deploy.local.system import System
from shared.events.fact import Fact, Stream
from shared.kafka import ensure_topics, partition_of
from shared.mongo import Database, connect

DATABASE = "bench_flatness"
MEASURED = 10_000
"""Facts of a measurement."""
TIMES = 5
"""Measurements at each point."""
TOGETHER = 10
MOST_MEMBERS = 100_000
"""Of the communities of a point together."""
MEMBERS_OF_MANY = 500
"""Of each community where the facts before are counted, not the members."""
LOOK_EVERY_S = 0.02
AIM = 1.3


class Measured(NamedTuple):
    facts: int
    seconds: float
    cpu: float
    memory: int

    @property
    def micros(self) -> float:
        return self.cpu / self.facts * 1e6


class Point(NamedTuple):
    """What was measured at one size, in the order of the CPU that a fact took."""

    times: Sequence[Measured]

    @property
    def middle(self) -> Measured:
        return self.times[len(self.times) // 2]

    @property
    def memory(self) -> int:
        return max(one.memory for one in self.times)


async def run(system: System, options: Options, progress: Progress) -> list[Sheet]:
    await ensure_topics(system.kafka, TOPICS, partitions=PARTITIONS, replication=1)
    client = connect(system.mongo)
    started = start(system, CONTENDERS["production"], DATABASE)
    flat = _Flatness(system, client[DATABASE], started, progress)
    try:
        fewest, *more = sorted(options.before)
        by_facts = {fewest: await flat.after(fewest)}  # before there are those of the largest communities
        by_members = {members: await flat.in_communities_of(members) for members in options.members}
        by_facts |= {before: await flat.after(before) for before in more}
    finally:
        started.kill()
        await client.drop_database(DATABASE)
        await client.close()
    return [
        _sheet("A fact in communities of so many members", "members", by_members),
        _sheet("A fact after so many others", "facts before", by_facts),
    ]


class _Flatness:
    def __init__(self, system: System, db: Database, started: Started, progress: Progress) -> None:
        self._system, self._db, self._started, self._progress = system, db, started, progress
        self._versions: Counter[Stream] = Counter()
        self._published = 0

    async def in_communities_of(self, members: int) -> Point:
        count = min(TOGETHER, max(MOST_MEMBERS // members, 1))
        grows = members < MEASURED  # by each measurement, so that the next one takes others
        names = _on_one_partition(f"of-{members}", count * TIMES if grows else count)
        await self._preload(f"{len(names)} communities of {members:,}", names, members)
        return await self._measured([names[n * count : (n + 1) * count] if grows else names for n in range(TIMES)])

    async def after(self, facts: int) -> Point:
        """As many facts as are lacking come in other communities first."""
        lacking = max(facts - self._published, 0)
        count = max(round(lacking / FACTS_OF_A_PERSON / MEMBERS_OF_MANY), 1)
        names = [f"after-{facts}-{number}" for number in range(count)]
        if lacking:
            await self._preload(f"{facts:,} facts", names, MEMBERS_OF_MANY)
        own = _on_one_partition(f"measured-after-{facts}", TOGETHER * TIMES)
        await self._preload(f"after {facts:,} facts", own, MEMBERS_OF_MANY)
        return await self._measured([own[n * TOGETHER : (n + 1) * TOGETHER] for n in range(TIMES)])

    async def _preload(self, words: str, names: list[str], members: int) -> None:
        bar = self._progress.add_task(words, total=round(len(names) * members * FACTS_OF_A_PERSON))
        facts = _named(history(len(names), members, seed=1), names)
        before = self._published
        self._published += (await publish(self._system.kafka, self._noted(bar, facts), self._versions)).total()
        self._progress.reset(bar, total=self._published - before)
        while (folded := await by_offsets(self._db)) < self._published:
            self._progress.update(bar, completed=folded - before)
            self._started.check()
            await asyncio.sleep(0.2)
        self._progress.remove_task(bar)

    def _noted(self, bar: TaskID, facts: Iterable[tuple[Stream, Fact]]) -> Iterator[tuple[Stream, Fact]]:
        for number, pair in enumerate(facts):
            if number % 1_000 == 0:
                self._progress.update(bar, completed=number)
            yield pair

    async def _measured(self, sets: Iterable[list[str]]) -> Point:
        """Each time other people join: those of one time are members the next."""
        times = [await self._measure(names, seed) for seed, names in enumerate(sets, start=2)]
        return Point(sorted(times, key=lambda one: one.micros))

    async def _measure(self, names: list[str], seed: int) -> Measured:
        """The worker is held for less than its session lasts."""
        people = round(MEASURED / FACTS_OF_A_PERSON / len(names))
        (worker,) = self._started.processes
        meter = Meter({"worker": [worker.pid]}, "worker")
        facts = (
            (s, f) for s, f in _named(history(len(names), people, seed), names) if isinstance(f, ParticipationFact)
        )
        meter.hold()
        try:
            count = (await publish(self._system.kafka, facts, self._versions)).total()
        finally:
            meter.let_go()
        self._published += count
        began, mark = time.perf_counter(), meter.mark()
        while await by_offsets(self._db) < self._published:
            self._started.check()
            await asyncio.sleep(LOOK_EVERY_S)
        cost = meter.since(mark)
        return Measured(count, time.perf_counter() - began, cost.cpu["worker"], cost.peak_memory)


def _on_one_partition(prefix: str, count: int) -> list[str]:
    names: list[str] = []
    number = 0
    while len(names) < count:
        name = f"{prefix}-{number}"
        number += 1
        if partition_of(Stream("membership", "community", name).key.encode(), PARTITIONS) == 0:
            names.append(name)
    return names


def _named(facts: Iterable[tuple[Stream, Fact]], names: list[str]) -> Iterator[tuple[Stream, Fact]]:
    """The history under other names: `community-0` is the first of them."""
    for stream, fact in facts:
        yield stream._replace(id=names[int(stream.id.removeprefix("community-"))]), fact


def _sheet(title: str, what: str, points: dict[int, Point]) -> Sheet:
    smallest = points[min(points)]
    rows = [
        (
            f"{size:,}",
            f"{point.middle.facts / point.middle.seconds:,.0f}",
            f"{point.middle.micros:.1f} ({point.times[0].micros:.1f} to {point.times[-1].micros:.1f})",
            f"{point.memory / 1e6:,.0f} MB",
            ratio(point.middle.micros, smallest.middle.micros, "x the CPU of the smallest", aim=AIM, at_most=True),
        )
        for size, point in points.items()
    ]
    return Sheet(title, rows, (what, "facts/s", "CPU µs/fact", "memory", "ratio"))
