"""Commands a second through the writer, rules and receipts included: many callers on one stream against one caller
alone, and against a bulk insert of the very documents that it wrote.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterator
from itertools import count

from prometheus_client import REGISTRY
from rich.progress import Progress
from ulid import ULID

from bench.options import Options
from bench.table import Row, Sheet, ratio
from deploy.local.system import System
from services.membership.domain.communities import Found, communities
from services.membership.domain.memberships import Join, memberships
from services.membership.domain.people import Register, people
from shared.events.membership import CommunityKind, Role
from shared.events.words import CoarseDate
from shared.mongo import Client, Database, Document, connect
from shared.writing.writer import Envelope, Writer

COMMUNITY = "rehabilitation"
WRITTEN = ("events", "outbox", "memberships", "people", "receipts")
ALONE, TOGETHER = 300, 6_000
_keys = count()


def _envelope() -> Envelope:
    key = f"command-{next(_keys)}"
    return Envelope(idempotency_key=key, digest=key)


async def run(system: System, _: Options, __: Progress) -> list[Sheet]:
    client = connect(system.mongo)
    await client.drop_database("bench_writer")
    db = client["bench_writer"]
    for collection in ("streams", *WRITTEN):
        await db.create_collection(collection)
    writer = Writer(client, db)
    writing = asyncio.create_task(writer.run())
    try:
        return [Sheet("Commands through the writer, rules and receipts included", await _measure(client, db, writer))]
    finally:
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        await client.drop_database("bench_writer")
        await client.close()


async def _measure(client: Client, db: Database, writer: Writer) -> list[Row]:
    found = Found(title="Rehabilitation", kind=CommunityKind.PRACTICE)
    await writer(communities, (COMMUNITY,), found, _envelope())
    persons = [str(ULID()).lower() for _ in range(2 * ALONE + 2 * TOGETHER)]
    for start in range(0, len(persons), 1_000):
        part = persons[start : start + 1_000]
        await asyncio.gather(*(writer(people, (person, None), Register(), _envelope()) for person in part))
    waiting = iter(persons)
    alone = await _joins(writer, waiting, callers=1, commands=ALONE)
    reruns = _reruns()
    few = await _joins(writer, waiting, callers=32, commands=TOGETHER)
    before = {name: await db[name].count_documents({}) for name in WRITTEN}
    many = await _joins(writer, waiting, callers=128, commands=TOGETHER)
    conflicts = _reruns() - reruns
    alone = (alone + await _joins(writer, waiting, callers=1, commands=ALONE)) / 2
    bulk = await _bulk(client, db, before)
    return [
        Row("one caller alone", f"{alone:,.0f} commands/s"),
        Row("32 callers, one stream", f"{few:,.0f} commands/s", ratio(few, alone, "x one caller", aim=15)),
        Row("128 callers, one stream", f"{many:,.0f} commands/s", ratio(many, alone, "x one caller", aim=15)),
        Row("conflicts with 32 and 128 callers", f"{conflicts:.0f}", ratio(conflicts, 1, "", aim=0, at_most=True)),
        Row("bulk insert of the same documents", f"{bulk:,.0f} commands/s", ratio(many, bulk, "x bulk (128)", aim=0.5)),
    ]


async def _joins(writer: Writer, persons: Iterator[str], callers: int, commands: int) -> float:
    joined_on = CoarseDate("2019-01-31")
    left = commands

    async def call() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            command = Join(role=Role.MEMBER, joined_on=joined_on)
            await writer(memberships, (COMMUNITY, next(persons)), command, _envelope())

    began = time.perf_counter()
    await asyncio.gather(*(call() for _ in range(callers)))
    return commands / (time.perf_counter() - began)


async def _bulk(client: Client, db: Database, before: dict[str, int]) -> float:
    """Insert the documents of the last run into empty collections, a thousand commands' at a time."""
    documents: dict[str, list[Document]] = defaultdict(list)
    for name in WRITTEN:
        skip = before[name] if name != "people" else 0
        documents[name] = await db[name].find().sort("$natural", 1).skip(skip).limit(TOGETHER).to_list()
    other = client["bench_writer_bulk"]
    await client.drop_database("bench_writer_bulk")
    for name in WRITTEN:
        await other.create_collection(name)
    began = time.perf_counter()
    for start in range(0, TOGETHER, 1_000):
        for name in WRITTEN:
            if part := documents[name][start : start + 1_000]:
                await other[name].insert_many(part, ordered=False)
    seconds = time.perf_counter() - began
    await client.drop_database("bench_writer_bulk")
    return TOGETHER / seconds


def _reruns() -> float:
    return REGISTRY.get_sample_value("praxis_transaction_reruns_total") or 0.0
