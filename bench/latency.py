"""From a command to its visible view, through the public door, against the sum of the parts it cannot do without."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Sequence
from datetime import UTC, datetime

import httpx
from aiokafka import AIOKafkaProducer
from pymongo.asynchronous.collection import AsyncCollection
from rich.progress import Progress
from ulid import ULID

from bench.history import TRACE
from bench.options import Options
from bench.table import Row, Sheet, quantiles, ratio
from deploy.local.system import System
from shared.events.fact import Fact, Position, Recorded, Stream
from shared.events.membership import CommunityFounded, CommunityKind, Governance, HowJoined, MemberJoined, Role
from shared.events.words import CoarseDate
from shared.kafka import encode, ensure_topics
from shared.mongo import Client, Document, Session, connect, transact
from shared.reading.heads import unseen
from shared.views.builds import DATABASE, FIRST

TIMES, WARM = 200, 30
LOOK_EVERY_S = 0.0005
"""Whoever watches MongoDB takes time from those who are watched, so it looks first when nothing can be there yet."""


class Watch:
    """Watches from outside for what the worker commits."""

    def __init__(self, heads: AsyncCollection[Document]) -> None:
        self._heads = heads
        self._took = list[float]()

    async def until_seen(self, position: Position, began: float) -> float:
        """Seconds from `began`, by the clock of `time.perf_counter`: too many by one look, about."""
        shortest = min(self._took, default=0.0)
        await asyncio.sleep(began + 0.8 * shortest - time.perf_counter())
        while await unseen(self._heads, [position]):  # noqa: ASYNC110 - watched from outside
            await asyncio.sleep(LOOK_EVERY_S)
        self._took.append(time.perf_counter() - began)
        return self._took[-1]


async def run(system: System, _: Options, __: Progress) -> list[Sheet]:
    await ensure_topics(system.kafka, ["bench.latency"], partitions=1, replication=1)
    client = connect(system.mongo)
    heads = client[DATABASE][FIRST.heads]
    producer = AIOKafkaProducer(bootstrap_servers=system.kafka, enable_idempotence=True, acks="all")
    await producer.start()
    visible, answered, parts = list[float](), list[float](), list[float]()
    folded, bare = list[float](), list[float]()
    watch = Watch(heads)
    try:
        async with httpx.AsyncClient(base_url=system.gateway, timeout=30) as http:
            await _checked(http.put("/v1/communities/quiet", json={"title": "Quiet", "kind": "practice"}))
            for number in range(WARM + TIMES):
                person = (await _checked(http.post("/v1/people", json={}))).json()["person_id"]
                await asyncio.sleep(0.02)  # quiet: what registering set off is over
                member = f"/v1/communities/quiet/members/{person}"
                began = time.perf_counter()
                answer = await _checked(http.put(member, json={"role": "member", "joined_on": "2019-01-31"}))
                written = answer.headers["Praxis-Position"]
                await _checked(http.get("/v1/communities/quiet", headers={"Praxis-After": written}))
                seen = time.perf_counter() - began
                # the same once more, watching MongoDB instead of asking the gateway
                left = f"{member}/left"
                began = time.perf_counter()
                answer = await _checked(http.put(left, json={"left_on": "2019-12-31"}))
                place = Position.parse(answer.headers["Praxis-Position"])
                stored = await watch.until_seen(place, began)
                began = time.perf_counter()
                await _parts(http, system, client, producer, number)
                if number >= WARM:
                    answered.append(seen)
                    visible.append(stored)
                    parts.append(time.perf_counter() - began)
        await _fold(client, Watch(heads), producer, folded, bare)
    finally:
        await producer.stop()
        await client.drop_database("bench_latency")
        await client.close()
    rows = [
        Row("sum of the parts", quantiles(parts)),
        Row("command to view committed", quantiles(visible), _compared(visible, parts)),
        Row("command to view answered", quantiles(answered), _compared(answered, parts)),
    ]
    quiet = [
        Row("one produce and one transaction", quantiles(bare)),
        Row("produce to view committed", quantiles(folded), _compared(folded, bare, aim=1.5)),
    ]
    return [
        Sheet("From command to view, when it is quiet", rows),
        Sheet("From a fact on its topic to its view, when it is quiet", quiet),
    ]


async def _fold(
    client: Client,
    watch: "Watch",
    producer: AIOKafkaProducer,
    folded: list[float],
    bare: list[float],
) -> None:
    """One fact at a time, put on its topic and watched for in MongoDB; in turn with the least that this takes."""
    stream = Stream("membership", "community", "quieter")
    founded = CommunityFounded(title="Quieter", kind=CommunityKind.PRACTICE, governance=Governance.FACILITATED)
    for number in range(WARM + TIMES):
        recorded = _recorded(stream, number + 1, _joined() if number else founded)
        await asyncio.sleep(0.02)
        began = time.perf_counter()
        await _produce(producer, recorded)
        seen = await watch.until_seen(recorded.position, began)
        await asyncio.sleep(0.02)
        began = time.perf_counter()
        await _produce(producer, recorded, "bench.latency")
        await transact(client, lambda session, number=number: _store(client, session, WARM + TIMES + number))  # type: ignore[misc]
        if number >= WARM:
            folded.append(seen)
            bare.append(time.perf_counter() - began)


def _joined() -> MemberJoined:
    person = str(ULID()).lower()
    return MemberJoined(person_id=person, role=Role.MEMBER, how=HowJoined.INVITED, joined_on=CoarseDate("2019-01-31"))


def _recorded(stream: Stream, version: int, fact: Fact) -> Recorded:
    return Recorded(f"{stream}-{version}", stream, version, fact, datetime.now(UTC), TRACE)


async def _produce(producer: AIOKafkaProducer, recorded: Recorded, topic: str | None = None) -> None:
    message = encode(recorded)
    await producer.send_and_wait(topic or message.topic, key=message.key, value=message.value, headers=message.headers)


async def _checked(asked: Awaitable[httpx.Response]) -> httpx.Response:
    return (await asked).raise_for_status()


async def _parts(
    http: httpx.AsyncClient, system: System, client: Client, producer: AIOKafkaProducer, number: int
) -> None:
    """Two bare HTTP hops, one transaction, one acknowledged produce, one transaction."""
    await _checked(http.get("/health/live"))
    await _checked(http.get(f"{system.address('membership')}/health/live"))
    await transact(client, lambda session: _store(client, session, number))
    recorded = _recorded(Stream("membership", "community", "quiet"), number + 1, _joined())
    await _produce(producer, recorded, "bench.latency")
    await transact(client, lambda session: _store(client, session, -number - 1))


async def _store(client: Client, session: Session, number: int) -> None:
    """What a command cannot store less than: the head of its stream, the fact, the outbox, the state."""
    db = client["bench_latency"]
    await db.streams.update_one({"_id": "quiet"}, {"$set": {"version": number}}, upsert=True, session=session)
    for collection in (db.events, db.outbox, db.states):
        await collection.insert_one({"_id": number, "data": "x" * 200}, session=session)


def _compared(seconds: Sequence[float], parts: Sequence[float], aim: float = 1.3) -> str:
    return ratio(statistics.median(seconds), statistics.median(parts), "x the parts at p50", aim=aim, at_most=True)
