"""`praxis refill`: facts of the services' databases put on Kafka again."""

import asyncio
import json
import logging
import os
import socket
import time
from functools import partial
from typing import Annotated

import structlog
import typer
from aiokafka.errors import KafkaError
from pymongo.errors import PyMongoError
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from deploy.cli.importing import AsJson
from deploy.cli.printing import err, out
from deploy.local.failures import Failure
from deploy.local.system import System
from shared.events.fact import SOURCE_TOPICS, Topic
from shared.kafka import WrongPartitions, ensure_topics, topic_name
from shared.lease import HeldElsewhere
from shared.mongo import Client, connect
from shared.reading.follower import read_anew
from shared.writing.refill import Refill, Refilled

KAFKA_WITHIN_S = 30.0
PUBLISHERS: dict[Topic, str] = {"membership": "membership", "convenings": "convenings", "feedback": "convenings"}
"""Topic -> the database of the service that publishes it."""
FOLLOWERS: dict[Topic, str] = {"membership": "convenings"}
"""Topic -> the database of the service that follows it, besides metrics, which is rebuilt."""


def refill(
    topic: Annotated[
        list[str] | None,
        typer.Option("--topic", help=f"One of {', '.join(SOURCE_TOPICS)}; all of them if left out.", metavar="TOPIC"),
    ] = None,
    new_topics: Annotated[
        bool, typer.Option("--new-topics", help="The topics are empty ones: services that follow them begin anew.")
    ] = False,
    partitions: Annotated[
        int, typer.Option(envvar="PRAXIS_PARTITIONS", help="How many partitions topics get that are not there.", min=1)
    ] = 12,
    replication: Annotated[
        int, typer.Option(envvar="PRAXIS_REPLICATION", help="How many copies of them are kept.", min=1)
    ] = 1,
    as_json: AsJson = False,
) -> None:
    """Put all facts on record on Kafka again, in the order of their streams, while writing goes on.

    What is there already comes again and counts once. Ended half way, it goes on where it was when it is run again.
    """
    chosen = [known for known in SOURCE_TOPICS if not topic or known in topic]
    if unknown := set(topic or ()) - set(SOURCE_TOPICS):
        there = f"there are {', '.join(SOURCE_TOPICS)}"
        raise typer.BadParameter(f"no topic is called {', '.join(sorted(unknown))}; {there}", param_hint="--topic")
    system = System.from_environment()
    _log_to(system)
    begun = time.monotonic()
    try:
        refilled = asyncio.run(_refill(system, chosen, new_topics, partitions, replication))
    except WrongPartitions as problem:
        raise Failure(
            f"{problem.what}.",
            f"say --partitions {problem.count}, or delete the topics first if they are to be made anew with "
            f"{problem.wanted} (docs/how-to/refill.md).",
        ) from None
    except HeldElsewhere as problem:
        remedy = "nothing, once that one is done; if it is ended, run this again: it goes on where that one was."
        raise Failure(f"The refill stopped: {problem}.", remedy) from None
    except (PyMongoError, KafkaError, OSError) as problem:
        raise Failure(f"The refill stopped: {problem}.", "run it again: it goes on where it was.") from None
    except KeyboardInterrupt:
        raise Failure("Interrupted.", "run it again: it goes on where it was.") from None
    seconds = time.monotonic() - begun
    if as_json:
        facts = {topic: one.facts for topic, one in refilled.items()}
        put_earlier = {topic: one.earlier for topic, one in refilled.items()}
        out.print_json(json.dumps({"facts": facts, "earlier": put_earlier, "seconds": round(seconds, 1)}))
        return
    total = sum(one.facts for one in refilled.values())
    earlier = sum(one.earlier for one in refilled.values())
    before = f", {earlier:,} of them since an earlier run" if earlier else ""
    speed = f"{seconds:.1f} s, {(total - earlier) / seconds:,.0f} a second"
    out.print(f"{total:,} facts are on Kafka again{before} ({speed})")
    if new_topics:
        out.print("now `praxis rebuild --new-topics`, so that the figures are folded from the new topics")


async def _refill(
    system: System, topics: list[Topic], new_topics: bool, partitions: int, replication: int
) -> dict[str, Refilled]:
    names = [topic_name(topic) for topic in topics]
    try:
        async with asyncio.timeout(KAFKA_WITHIN_S):
            await ensure_topics(system.kafka, names, partitions=partitions, replication=replication)
    except TimeoutError:
        remedy = "`praxis status` says what runs; another address is given with PRAXIS_KAFKA. Then run it again."
        raise Failure(f"Kafka does not answer at {system.kafka}.", remedy) from None
    holder = f"{socket.gethostname()}:{os.getpid()}"
    refilled: dict[str, Refilled] = {}
    client = connect(system.mongo)
    try:
        if new_topics:
            await _begin_followers_anew(client, topics)
        with _bars() as bars:
            for topic in topics:
                bar = bars.add_task(topic, total=None)
                one = Refill(client[PUBLISHERS[topic]], system.kafka, topic, holder)
                refilled[topic] = await one.run(partial(_advance, bars, bar))
    finally:
        await client.close()
    return refilled


def _advance(bars: Progress, bar: TaskID, done: int, of: int) -> None:
    bars.update(bar, completed=done, total=of)


async def _begin_followers_anew(client: Client, topics: list[Topic]) -> None:
    for topic in topics:
        if follower := FOLLOWERS.get(topic):
            await read_anew(client[follower], [topic])


def _bars() -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TaskProgressColumn("{task.speed:,.0f} facts/s", show_speed=True),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=err, disable=not err.is_terminal)


def _log_to(system: System) -> None:
    """Keep what the parts that run here log out of what the command says."""
    file = (system.logs() / "refill.log").open("a")
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(file))
    logging.basicConfig(stream=file, level=logging.WARNING)
