"""From a command to its visible view, through the public door, against the sum of the parts it cannot do without."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Sequence
from datetime import UTC, datetime

import httpx
from aiokafka import AIOKafkaProducer
from rich.progress import Progress
from ulid import ULID

from bench.history import TRACE
from bench.options import Options
from bench.table import Row, Sheet, ratio
from deploy.local.system import System
from shared.events.fact import Position, Recorded, Stream
from shared.events.membership import HowJoined, MemberJoined, Role
from shared.events.words import CoarseDate
from shared.kafka import encode, ensure_topics
from shared.mongo import Client, Session, connect, transact
from shared.reading.heads import unseen
from shared.views.builds import DATABASE, FIRST

TIMES, WARM = 200, 30


async def run(system: System, _: Options, __: Progress) -> list[Sheet]:
    await ensure_topics(system.kafka, ["bench.latency"], partitions=1, replication=1)
    client = connect(system.mongo)
    heads = client[DATABASE][FIRST.heads]
    producer = AIOKafkaProducer(bootstrap_servers=system.kafka, enable_idempotence=True, acks="all")
    await producer.start()
    visible, answered, parts = list[float](), list[float](), list[float]()
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
                while await unseen(heads, [place]):  # noqa: ASYNC110 - watched from outside, as closely as can be
                    await asyncio.sleep(0)
                stored = time.perf_counter() - began
                began = time.perf_counter()
                await _parts(http, system, client, producer, number)
                if number >= WARM:
                    answered.append(seen)
                    visible.append(stored)
                    parts.append(time.perf_counter() - began)
    finally:
        await producer.stop()
        await client.drop_database("bench_latency")
        await client.close()
    rows = [
        Row("sum of the parts", _quantiles(parts)),
        Row("command to view committed", _quantiles(visible), _compared(visible, parts)),
        Row("command to view answered", _quantiles(answered), _compared(answered, parts)),
    ]
    return [Sheet("From command to view, when it is quiet", rows)]


async def _checked(asked: Awaitable[httpx.Response]) -> httpx.Response:
    return (await asked).raise_for_status()


async def _parts(
    http: httpx.AsyncClient, system: System, client: Client, producer: AIOKafkaProducer, number: int
) -> None:
    """Two bare HTTP hops, one transaction, one acknowledged produce, one transaction."""
    await _checked(http.get("/health/live"))
    await _checked(http.get(f"{system.address('membership')}/health/live"))
    await transact(client, lambda session: _store(client, session, number))
    fact = MemberJoined(
        person_id=str(ULID()).lower(), role=Role.MEMBER, how=HowJoined.INVITED, joined_on=CoarseDate("2019-01-31")
    )
    stream = Stream("membership", "community", "quiet")
    message = encode(Recorded(str(number), stream, number + 1, fact, datetime.now(UTC), TRACE))
    await producer.send_and_wait("bench.latency", key=message.key, value=message.value, headers=message.headers)
    await transact(client, lambda session: _store(client, session, -number - 1))


async def _store(client: Client, session: Session, number: int) -> None:
    """What a command cannot store less than: the head of its stream, the fact, the outbox, the state."""
    db = client["bench_latency"]
    await db.streams.update_one({"_id": "quiet"}, {"$set": {"version": number}}, upsert=True, session=session)
    for collection in (db.events, db.outbox, db.states):
        await collection.insert_one({"_id": number, "data": "x" * 200}, session=session)


def _quantiles(seconds: Sequence[float]) -> str:
    cuts = statistics.quantiles(seconds, n=100)
    return f"p50 {cuts[49] * 1000:.1f} ms, p99 {cuts[98] * 1000:.1f} ms"


def _compared(seconds: Sequence[float], parts: Sequence[float]) -> str:
    return ratio(statistics.median(seconds), statistics.median(parts), "x the parts at p50", aim=1.3, at_most=True)
