"""What is stored, carried and folded: waits until all is quiet, then reads everything that came since a mark."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import aiohttp
from aiokafka import AIOKafkaConsumer, TopicPartition
from pymongo.errors import PyMongoError
from ulid import ULID

from deploy.local.system import System
from shared.events.fact import SOURCE_TOPICS
from shared.mongo import Client, Database
from shared.reading.fetched import Blank
from shared.views.builds import BUILDS, CURRENT, FIRST, Build
from tests.faults import shown
from tests.faults.anomaly import position_of
from tests.faults.commands import LAST_DAY, day
from tests.faults.history import History, Line, as_it_is, digest
from tests.faults.recompute import in_order

WRITING = ("membership", "convenings")
AGAIN_WITHIN_S = 30.0
SOURCES = [f"{topic}.events" for topic in SOURCE_TOPICS]
DEAD = [f"{topic}.dead" for topic in SOURCES]
POLL_S = 0.1
ANSWERS_WITHIN = aiohttp.ClientTimeout(total=15)
VIEW_DAYS = (day(7), day(20), LAST_DAY)
NETWORK_DAYS = VIEW_DAYS[1:]
"""Somebody whom runs plant is no member any more: who is in several of them adds to the network once."""


@dataclass(frozen=True)
class Mark:
    """Where a run begins, so that what earlier runs left is not looked at."""

    at: datetime
    person: str
    """No person of this run has a lower id."""
    offsets: dict[TopicPartition, int]


async def mark(kafka: str) -> Mark:
    now = datetime.now().astimezone()
    return Mark(now, f"person.{ULID.from_datetime(now)}".lower()[: len("person.") + 10], await ends_of(kafka))


async def unsettled(client: Client) -> str | None:
    """What is still on its way; nothing if every fact is in the views and every outbox is empty."""
    try:
        return await _unsettled(client)
    except PyMongoError as problem:
        return repr(problem)


async def _unsettled(client: Client) -> str | None:
    for name in (*WRITING, "metrics"):
        if left := await client[name].outbox.count_documents({}):
            return f"{left} messages in the outbox of {name}"
    build = await current(client["metrics"])
    folded = {line["_id"]: line async for line in client["metrics"][build.heads].find()}
    followed = {line["_id"]: line async for line in client["convenings"].heads.find()}
    for name in WRITING:
        async for stream in client[name].streams.find({"version": {"$gt": 0}}):
            readers = [folded, followed] if stream["_id"].startswith("membership/") else [folded]
            for heads in readers:
                head = heads.get(stream["_id"], {"head": 0, "missing": []})
                if head["head"] < stream["version"] or head["missing"]:
                    reader = "metrics" if heads is folded else "convenings"
                    return f"{stream['_id']}: {stream['version']} on record, {reader} has seen {head['head']}"
    return None


async def settle(client: Client, within: float) -> str | None:
    """Wait until all is quiet; what is still on its way after that time, nothing as a rule."""
    deadline = time.monotonic() + within
    while True:
        still = await unsettled(client)
        if still is None or time.monotonic() > deadline:
            return still
        await asyncio.sleep(POLL_S)


async def current(db: Database) -> Build:
    pointer = await db[BUILDS].find_one({"_id": CURRENT})
    return Build(pointer["build"]) if pointer else FIRST


async def observe(client: Client, system: System, since: Mark, run: str, history: History) -> None:
    """Put into the history all that came since the mark.

    A command that its client gave up may still be carried out while it is looked: then all is looked at anew.
    """
    kept = len(history.kafka)
    while True:
        before = await _versions(client)
        await _observe(client, system.kafka, since, run, history)
        views = [view async for view in _views(system.gateway, history)]
        if await _versions(client) == before:
            history.views += views
            return
        del history.kafka[kept:]
        for lines in (history.events, history.outbox, history.records, history.sums, history.heads, history.words):
            lines.clear()
        await settle(client, AGAIN_WITHIN_S)


async def _versions(client: Client) -> dict[str, int]:
    return {stream["_id"]: stream["version"] for name in WRITING async for stream in client[name].streams.find()}


async def _observe(client: Client, kafka: str, since: Mark, run: str, history: History) -> None:
    for name in WRITING:
        async for event in client[name].events.find({"recorded_at": {"$gte": since.at}}):
            place, said = event["_id"], {name: event[name] for name in ("data", "type", "id")}
            at = event["recorded_at"].isoformat(timespec="milliseconds")
            history.events.append({"stream": place["stream"], "version": place["version"], "recorded_at": at, **said})
    history.words += [line async for line in _words(client["membership"], since.person.partition(".")[2])]
    for name in (*WRITING, "metrics"):
        async for message in client[name].outbox.find({}, {"_id": 1}):
            history.outbox.append({"service": name, "place": message["_id"]})
    scope = {"$or": [{"scope": {"$regex": rf"\.{run}-"}}, {"scope": {"$gte": since.person, "$lt": "person/"}}]}
    db = client["metrics"]
    build = await current(db)
    async for record in db[build.records].find(scope, {"kind": 1, "scope": 1, "seen": 1, "value": 1, "facts": 1}):
        positions = [fact.partition(" ")[0].replace("@", f"/{record['scope']}@") for fact in record["facts"]]
        said = {name: record[name] for name in ("kind", "scope", "seen", "value")}
        history.records.append({"id": record["_id"], "positions": positions, **said})
    async for line in db[build.sums].find(scope, {"_id": 0}):
        history.sums.append(line)
    streams = {line["stream"] for line in [*history.events, *history.planted] if line.get("stream")}
    async for head in db[build.heads].find({"_id": {"$in": sorted(streams)}}):
        history.heads.append({"stream": head["_id"], "head": head["head"], "missing": head["missing"]})
    history.dead = await keep(kafka, since, history)


async def network(gateway: str, history: History) -> None:
    """Put into the history what the network is before a run: what earlier ones left stays in it."""
    async with aiohttp.ClientSession(timeout=ANSWERS_WITHIN) as http:
        history.views += [{**await _view(http, gateway, shown.NETWORK, on), "is_before": True} for on in NETWORK_DAYS]


async def _views(gateway: str, history: History) -> AsyncIterator[Line]:
    """What the public door shows of each community and innovation and of the network; none after one that it does not.

    Each read waits for the last facts of the thing, so that no snapshot from before they came is taken for wrong.
    """
    last = {event["stream"]: position_of(event) for event in in_order(history.events)}
    async with aiohttp.ClientSession(timeout=ANSWERS_WITHIN) as http:
        for path, key in shown.views_of(history.events).items():
            after = [position for stream, position in last.items() if key in ("", stream.partition("/")[2])]
            for on in VIEW_DAYS if key else NETWORK_DAYS:
                yield (view := await _view(http, gateway, path, on, after))
                if view["status"] != 200:
                    return


async def _view(http: aiohttp.ClientSession, gateway: str, path: str, on: str, after: Sequence[str] = ()) -> Line:
    """Its figures; reads again where it is not answered, for a while."""
    line: Line = {"path": path, "as_at": on, "status": None, "figures": {}}
    deadline = time.monotonic() + AGAIN_WITHIN_S
    while line["status"] in (None, 503) and time.monotonic() < deadline:
        with suppress(aiohttp.ClientError, OSError, TimeoutError):
            headers = {"Praxis-After": ", ".join(after)}
            async with http.get(gateway + path, params={"as_at": on}, headers=headers) as answer:
                line["status"] = answer.status
                if answer.status == 200:
                    line["figures"] = shown.figures_in(await answer.json())
        if line["status"] in (None, 503):
            await asyncio.sleep(POLL_S)
    return line


async def _words(db: Database, since: str) -> AsyncIterator[Line]:
    """What is kept of the people of this run beside their facts."""
    async for person in db.people.find({"_id": {"$gte": since}}):
        words = {"name": person["name"], "email": person["email"], "reference": (person["reference"] or {}).get("ref")}
        for what, holds in words.items():
            if holds is not None:
                yield {"person": person["_id"], "what": what, "holds": holds}
    async for reference in db.person_references.find({"person_id": {"$gte": since}}):
        _, ref = json.loads(reference["_id"])
        yield {"person": reference["person_id"], "what": "reference that leads to them", "holds": ref}
    async for receipt in db.receipts.find({"answer.person_id": {"$gte": since}}):
        yield {"person": receipt["answer"]["person_id"], "what": "receipt", "holds": receipt["_id"]}


async def keep(kafka: str, since: Mark, history: History) -> list[Line]:
    """Put into the history what stands on the topics now: of each log that was lost, too. The dead letters there."""
    facts, dead = await _records(kafka, since)
    log = 1 + max((line["log"] for line in history.kafka), default=0)
    history.kafka += [{**line, "log": log} for line in facts]
    return dead


async def ends_of(kafka: str) -> dict[TopicPartition, int]:
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka)
    await consumer.start()
    try:
        places = [
            TopicPartition(topic, number)
            for topic in (*SOURCES, *DEAD)
            for number in consumer.partitions_for_topic(topic) or await _partitions(consumer, topic)
        ]
        ends: dict[TopicPartition, int] = await consumer.end_offsets(places)
        return ends
    finally:
        await consumer.stop()


async def _partitions(consumer: AIOKafkaConsumer, topic: str) -> set[int]:
    found: set[int] = (await consumer._client.fetch_all_metadata()).partitions_for_topic(topic) or set()
    return found


async def _records(kafka: str, since: Mark) -> tuple[list[Line], list[Line]]:
    """The facts and the dead letters on the topics."""
    facts, dead = list[Line](), list[Line]()
    ends = await ends_of(kafka)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka, isolation_level="read_committed", max_partition_fetch_bytes=4 * 1024 * 1024
    )
    await consumer.start()
    try:
        waiting = {place for place, end in ends.items() if since.offsets.get(place, 0) < end}
        consumer.assign(sorted(waiting))
        for place in waiting:
            consumer.seek(place, since.offsets.get(place, 0))
        while waiting:
            for place, records in (await consumer.getmany(timeout_ms=500)).items():
                for record in records:
                    if not (isinstance(record, Blank) or _is_earlier(record, since)):
                        (facts if place.topic in SOURCES else dead).append(_line(record, place))
            for place in list(waiting):
                if await consumer.position(place) >= ends[place]:
                    waiting.discard(place)
    finally:
        await consumer.stop()
    return facts, dead


def _is_earlier(record: Any, since: Mark) -> bool:
    """Whether an earlier run recorded it: on a topic that was refilled those stand, too."""
    recorded_at: bytes | None = dict(record.headers).get("ce_recordedtime")
    return recorded_at is not None and datetime.fromisoformat(recorded_at.decode()) < since.at


def _line(record: Any, place: TopicPartition) -> Line:
    headers = {name: (value or b"").decode(errors="replace") for name, value in record.headers}
    if place.topic in DEAD:
        told = {
            name: headers.get(f"praxis_{name}", "") for name in ("topic", "partition", "offset", "reason", "left_out")
        }
        numbers = {name: int(told[name] or -1) for name in ("partition", "offset")}
        own = [header for header in record.headers if header[0] not in {f"praxis_{name}" for name in told}]
        return {**told, **numbers, **as_it_is(record.key, record.value, own)}
    version = headers.get("ce_sequence", "")
    return {
        "topic": place.topic,
        "partition": place.partition,
        "offset": record.offset,
        "stream": headers.get("ce_subject", ""),
        "version": int(version) if version.isdecimal() else 0,
        "type": headers.get("ce_type", ""),
        "id": headers.get("ce_id", ""),
        "digest": _digest(record.value),
    }


def _digest(body: bytes | None) -> str:
    try:
        return digest(json.loads(body or b""))
    except ValueError:
        return "no JSON"
