"""Facts a second, CPU and memory of programs that fold the same facts on Kafka to the same few figures in MongoDB.

Each runs alone, in a group and a database of its own, and what it has made is compared with a count from the history.
Its rate is that of the facts between the first commit that is seen and the last, and its costs are those of that time.
Starting is not measured, a JVM that warms up is: a million facts say more than a few.

How far it is, is read from what it commits: the offsets in MongoDB of whoever uses the exact sink; of Kafka Streams the
versions that each community's view tells, so its rate begins with its first view and ends when the views are as
expected. All in Python run on uvloop and look for cyclic garbage seldom, as our worker does, save the two that run as
Python comes: neither is part of Faust, FastStream or the sink. Kafka Streams writes a document per community to MongoDB
and keeps participations to itself; the others write both.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient
from rich.progress import Progress

from bench import expected
from bench.contenders import kafka_streams
from bench.expected import Expected, WrongFigures
from bench.figures import COMMUNITIES
from bench.history import history, publish
from bench.metering import Cost, Meter
from bench.options import Options
from bench.table import Sheet, ratio
from deploy.local.settings import REPOSITORY, free_ports
from deploy.local.system import System
from shared.events.fact import SOURCE_TOPICS, Fact, Stream
from shared.kafka import ensure_topics, topic_name
from shared.mongo import Client, Database, connect
from shared.views.builds import FIRST

PARTITIONS = 12
IN_COMMUNITIES = 40
FACTS_OF_A_PERSON = 5.2
"""On average, in one community: see `bench.history`."""
TOPICS = [topic_name(topic) for topic in SOURCE_TOPICS]
LOOK_EVERY_S = 0.05
STALLED_AFTER_S = 60.0

Folded = Callable[[Database], Awaitable[int]]


async def by_offsets(db: Database) -> int:
    partitions = db[FIRST.partitions].find({}, {"next": 1})
    return sum([sum(partition["next"].values()) async for partition in partitions])


async def by_views(db: Database) -> int:
    communities = db[COMMUNITIES].find({}, {"seen": 1})
    return sum([sum(community["seen"].values()) async for community in communities])


Command = Callable[[System, str, Path], Sequence[str]]
"""What starts a contender, for a database of its own and with a folder of its own."""


@dataclass(frozen=True)
class Contender:
    title: str
    command: Command
    processes: int = 1
    read: expected.Read = expected.of_communities
    folded: Folded = by_offsets


def _python(module: str, *arguments: str) -> Command:
    return lambda *_: [sys.executable, "-m", module, *arguments]


def _kafka_streams(threads: int) -> Command:
    return lambda system, database, home: kafka_streams.command(system, database, home, threads)


CONTENDERS: dict[str, Contender] = {
    "worker-2": Contender("worker, 2 processes", _python("bench.contenders.worker"), processes=2),
    "worker": Contender("worker, 1 process", _python("bench.contenders.worker")),
    "production-2": Contender(
        "worker in production, 2 processes", _python("services.metrics"), processes=2, read=expected.of_records
    ),
    "production": Contender("worker in production, 1 process", _python("services.metrics"), read=expected.of_records),
    "bare": Contender("bare aiokafka loop, same sink", _python("bench.contenders.bare")),
    "take": Contender("Faust as it comes (take), same sink", _python("bench.contenders.take")),
    "faststream": Contender("FastStream in batches, same sink", _python("bench.contenders.fast_stream")),
    "take-plain": Contender("Faust (take), Python as it comes", _python("bench.contenders.take", "plain")),
    "faststream-plain": Contender("FastStream, Python as it comes", _python("bench.contenders.fast_stream", "plain")),
    "faststream-undecoded": Contender(
        "FastStream, bodies not decoded twice", _python("bench.contenders.fast_stream", "undecoded")
    ),
    "kafka-streams-2": Contender("Kafka Streams, 2 threads", _kafka_streams(2), folded=by_views),
    "kafka-streams": Contender("Kafka Streams, 1 thread", _kafka_streams(1), folded=by_views),
}
COMPARED = [
    ("worker-2", "kafka-streams-2", "x Kafka Streams", 1.2),
    ("worker", "kafka-streams", "x Kafka Streams", 1.2),
    ("worker-2", "faststream", "x FastStream", 3),
    ("worker", "faststream", "x FastStream", 3),
    ("worker", "faststream-undecoded", "x FastStream that decodes nothing", 1),
    ("worker-2", "take", "x Faust as it comes", 6),
    ("worker", "take", "x Faust as it comes", 6),
    ("worker-2", "faststream-plain", "x FastStream on Python as it comes", 3),
    ("worker", "faststream-plain", "x FastStream on Python as it comes", 3),
    ("worker-2", "take-plain", "x Faust and Python as they come", 6),
    ("worker", "take-plain", "x Faust and Python as they come", 6),
    ("worker-2", "bare", "x the bare loop", 0.9),
    ("worker", "bare", "x the bare loop", 0.9),
    ("production-2", "worker-2", "x the worker with few figures", 0.5),
    ("production", "worker", "x the worker with few figures", 0.5),
]
"""One, beside another, in words, and the aim of the ratio of their rates."""


@dataclass
class Run:
    facts: int
    """Between the first commit that was seen and the last."""
    seconds: float
    cost: Cost

    @property
    def rate(self) -> float:
        return self.facts / self.seconds

    def micros(self, part: str) -> float:
        return self.cost.cpu[part] / self.facts * 1e6


@dataclass
class Published:
    """What all contenders read."""

    total: int
    figures: expected.ByCommunity


@dataclass
class Started:
    """A contender's processes, with their logs."""

    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    logs: list[Path] = field(default_factory=list)

    def check(self) -> None:
        for process in self.processes:
            if process.poll() is not None:
                raise RuntimeError(f"it ended with {process.returncode}; {self.last_lines()}")

    def last_lines(self) -> str:
        lines = [line for log in self.logs for line in log.read_text(errors="replace").splitlines()[-20:]]
        return "\n".join(["its last lines:", *lines])

    def kill(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()


async def run(system: System, options: Options, progress: Progress) -> list[Sheet]:
    names = options.only or tuple(CONTENDERS)
    client = connect(system.mongo)
    runs: dict[str, list[Run]] = {name: [] for name in names}
    try:
        published = await put_on_kafka(system, options.facts, progress)
        for number in range(options.rounds):
            for name in names:
                runs[name].append(await fold_all(system, client, name, f"bench_{name}_{number}", published, progress))
    finally:
        await client.close()
        await remove_topics(system.kafka, lambda topic: topic in TOPICS)
    title = (
        f"{published.total:,} facts, rounds: {options.rounds}; figures as expected of all; Kafka Streams commits every "
        f"{kafka_streams.COMMIT_MS} ms, with {kafka_streams.CACHE_BYTES // 1024 // 1024} MB of cache"
    )
    return [Sheet(title, [_row(CONTENDERS[name], found) for name, found in runs.items()], HEADINGS), _ratios(runs)]


async def put_on_kafka(system: System, facts: int, progress: Progress) -> Published:
    """Publish a history once for all, and count what must come of it."""
    await ensure_topics(system.kafka, TOPICS, partitions=PARTITIONS, replication=1)
    counted = Expected()
    bar = progress.add_task("publishing", total=facts)

    def noted() -> Iterator[tuple[Stream, Fact]]:
        members = max(round(facts / FACTS_OF_A_PERSON / IN_COMMUNITIES), 1)
        for number, (stream, fact) in enumerate(history(IN_COMMUNITIES, members)):
            counted.note(stream, fact)
            if number % 1_000 == 0:
                progress.update(bar, completed=number)
            yield stream, fact

    total = (await publish(system.kafka, noted())).total()
    progress.remove_task(bar)
    return Published(total, counted.figures())


async def fold_all(
    system: System, client: Client, name: str, database: str, published: Published, progress: Progress
) -> Run:
    """Run one contender from the first fact to the last, and compare what it has made.

    Raises:
        WrongFigures: it is not what the history says.
    """
    contender, db = CONTENDERS[name], client[database]
    await client.drop_database(database)
    bar = progress.add_task(contender.title, total=published.total)
    started = start(system, contender, database)
    try:
        found = await measured(
            system, contender, db, started, published.total, lambda n: progress.update(bar, completed=n)
        )
    finally:
        started.kill()
        progress.remove_task(bar)
        await remove_topics(system.kafka, lambda topic: topic.startswith(database))
    figures = await contender.read(db)
    await client.drop_database(database)
    if figures != published.figures:
        raise WrongFigures(name, figures, published.figures)
    return found


def start(system: System, contender: Contender, database: str) -> Started:
    """Start its processes, each with a folder and a port of its own."""
    started = Started()
    for number, port in enumerate(free_ports(contender.processes)):
        home = system.home / database / str(number)
        home.mkdir(parents=True, exist_ok=True)
        log = home / "log"
        own = {
            "PRAXIS_KAFKA": system.kafka,
            "PRAXIS_MONGO": system.mongo,
            "PRAXIS_DATABASE": database,
            "PRAXIS_GROUP": database,
            "PRAXIS_PORT": str(port),
            "PRAXIS_PARTITIONS": str(PARTITIONS),
            "PRAXIS_DATA_DIR": str(home / "data"),
        }
        command, environment = contender.command(system, database, home), {**os.environ, **own}
        with log.open("wb") as to:
            process = subprocess.Popen(
                command,
                cwd=REPOSITORY,
                env=environment,
                stdout=to,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C at the terminal is not for it
            )
        started.processes.append(process)
        started.logs.append(log)
    return started


async def measured(
    system: System, contender: Contender, db: Database, started: Started, total: int, tell: Callable[[int], None]
) -> Run:
    """What it does, and what that costs, from the first commit that is seen to the last."""
    own = [process.pid for process in started.processes]
    engines = {name: [pid for pid in [system.pid(name)] if pid] for name in ("mongo", "kafka")}
    meter = Meter({"own": own, **engines}, "own")
    began, first, mark = 0.0, 0, dict[str, float]()
    moved, last = time.perf_counter(), 0
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        folded, now = await contender.folded(db), time.perf_counter()
        if folded and not began:
            began, first, mark = now, folded, meter.mark()
        if folded >= total:
            return Run(total - first, now - began, meter.since(mark))
        if folded > last:
            moved, last = now, folded
            tell(folded)
        elif now - moved > STALLED_AFTER_S:
            raise RuntimeError(f"{contender.title} stands at {folded:,} of {total:,} facts; {started.last_lines()}")
        meter.sample()
        started.check()


async def remove_topics(kafka: str, unwanted: Callable[[str], bool]) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        if topics := list(filter(unwanted, await admin.list_topics())):
            await admin.delete_topics(topics)
    finally:
        await admin.close()


HEADINGS = ("", "facts/s", "CPU µs/fact", "MongoDB µs/fact", "Kafka µs/fact", "peak memory")


def _row(contender: Contender, runs: Sequence[Run]) -> list[str]:
    def median(of: Callable[[Run], float]) -> float:
        return statistics.median(map(of, runs))

    return [
        contender.title,
        f"{median(lambda run: run.rate):,.0f}",
        *(f"{median(lambda run, part=part: run.micros(part)):.1f}" for part in ("own", "mongo", "kafka")),  # type: ignore[misc]
        f"{median(lambda run: run.cost.peak_memory) / 1e6:,.0f} MB",
    ]


def _ratios(runs: Mapping[str, Sequence[Run]]) -> Sheet:
    rows = []
    for one, other, words, aim in COMPARED:
        if one in runs and other in runs:
            ratios = [mine.rate / theirs.rate for mine, theirs in zip(runs[one], runs[other], strict=True)]
            rows.append((CONTENDERS[one].title, ratio(statistics.median(ratios), 1, words, aim=aim)))
    return Sheet("Side by side", rows, ("", "ratio of facts/s"))
