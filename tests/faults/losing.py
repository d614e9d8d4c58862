"""Topics that are lost under those who read them, what these say of it, and the remedy as documented."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from shared.kafka import NotUnderstood, decode, ensure_topics, partition_of
from shared.reading.fetched import Blank
from tests.command import praxis
from tests.faults.arena import Arena
from tests.faults.ground import PARTITIONS
from tests.faults.history import Line
from tests.faults.observed import WRITING, current, keep

ENDS_WITHIN_S = 60.0
POLL_S = 0.1


def readers(topic: str) -> Sequence[str]:
    return ["metrics", "convenings"] if topic == "membership.events" else ["metrics"]


async def delete(arena: Arena, topic: str) -> None:
    arena.history.note("topic deleted", name=topic)
    async with _admin(arena) as admin:
        await admin.delete_topics([topic])
        await _until(30, lambda: _is_gone(admin, topic))
    for place in _places(topic):
        arena.since.offsets[place] = 0


async def cut(arena: Arena, topic: str) -> None:
    """Let all be gone that stands on it."""
    await keep(arena.system.kafka, arena.since, arena.history)
    arena.history.note("log cut", name=topic)
    async with _admin(arena) as admin:
        await admin.delete_records({place: RecordsToDelete(-1) for place in _places(topic)})


async def make_longer(arena: Arena, topic: str) -> None:
    """Make a topic anew, and put on it twice what it held of facts.

    Not what an earlier run planted among them: twice as many dead letters are over metrics' limit, which stops it.
    """
    held = await _records(arena, topic)
    facts = [record for record in held if _is_fact(record)]
    if 2 * len(facts) <= len(held):
        raise RuntimeError(
            f"{topic} holds {len(held)} records, of which {len(facts)} are facts: it would not be longer"
        )
    await keep(arena.system.kafka, arena.since, arena.history)
    await delete(arena, topic)
    await ensure_topics(arena.system.kafka, [topic], partitions=PARTITIONS, replication=1)
    producer = AIOKafkaProducer(bootstrap_servers=arena.system.kafka, enable_idempotence=True, acks="all")
    await producer.start()
    try:
        for record in [*facts, *facts]:
            headers, at = list(record.headers), record.partition
            await producer.send(topic, record.value, key=record.key, partition=at, headers=headers)
        await producer.flush()
    finally:
        await producer.stop()
    arena.history.note("topic made anew", name=topic, records=2 * len(facts))


async def relayed(arena: Arena) -> None:
    """Until all that was written is on Kafka."""

    async def is_relayed() -> bool:
        return not any([await arena.client[name].outbox.count_documents({}) for name in WRITING])

    await _until(30, is_relayed)


class Watched:
    """What those who read a topic had before it was lost: they must end, say why, and leave that as it is."""

    def __init__(self, arena: Arena, topic: str, how: str) -> None:
        self._arena, self._topic, self._how = arena, topic, how
        self._since = time.time()

    async def begin(self) -> None:
        self._since, self._before = time.time(), await self._state()

    async def end(self) -> None:
        """Wait until all have ended, and for what becomes of those that are started again."""
        for reader in readers(self._topic):
            await _until(ENDS_WITHIN_S, lambda reader=reader: self._has_ended(reader))  # type: ignore[misc]
        after = await self._state()
        for reader in readers(self._topic):
            before, now = self._before[reader], after[reader]
            back = [place for place, offset in before["next"].items() if now["next"].get(place, 0) < offset]
            self._arena.history.losses.append(
                {
                    "reader": reader,
                    "topic": self._topic,
                    "how": self._how,
                    "said": self._said(reader),
                    "went_back": back,
                    "changed": [name for name in before["held"] if before["held"][name] != now["held"][name]],
                }
            )

    def _said(self, reader: str) -> list[str]:
        """What it said when it ended by itself."""
        return [
            str(line["log"][-1])
            for line in self._arena.history.nemesis
            if line["at"] >= self._since and line["what"].startswith(("ended", "died")) and line["name"] == reader
        ]

    async def _has_ended(self, reader: str) -> bool:
        return bool(self._said(reader))

    async def _state(self) -> Mapping[str, Line]:
        """Per reader, the offsets that are stored, and what was made of what was read."""
        metrics, convenings = self._arena.client["metrics"], self._arena.client["convenings"]
        build = await current(metrics)
        held = {
            "metrics": (metrics, build.partitions, (build.records, build.sums, build.heads)),
            "convenings": (convenings, "partitions", ("known_communities", "heads")),
        }
        return {
            reader: {
                "next": {
                    f"{topic}/{document['_id']}": offset
                    async for document in db[partitions].find({"next": {"$exists": True}})
                    for topic, offset in document["next"].items()
                },
                "held": {name: await db[name].find().sort("_id").to_list() for name in names},
            }
            for reader, (db, partitions, names) in held.items()
        }


async def remedy(arena: Arena) -> None:
    """As documented: down, up, refill, rebuild, up. What earlier runs planted on these engines is recorded by nobody:
    where that was lost, it is taken back.
    """
    names = ["gateway", "metrics", "convenings", "membership"]
    for name in names:
        await arena.stop(name)
    for name in reversed(names):
        await arena.start(name, wait=name == "membership")
    refill, rebuild = ("refill", "--new-topics"), ("rebuild", "--new-topics", "--grace", "1")
    commands: Sequence[Sequence[str]] = (refill, rebuild)
    for command in commands:
        code, said, complaints = await asyncio.to_thread(praxis, arena.system, *command)
        arena.history.note(f"praxis {' '.join(command)}", code=code)
        if code and command == rebuild and "goes with --take-back" in complaints:
            command = (*rebuild, "--take-back", "--accept-differences")
            code, said, complaints = await asyncio.to_thread(praxis, arena.system, *command)
            arena.history.note(f"praxis {' '.join(command)}", code=code)
        if code:
            arena.history.losses.append({"failed": " ".join(command), "said": [(said + complaints)[-2_000:]]})


async def _records(arena: Arena, topic: str) -> list[Any]:
    consumer = AIOKafkaConsumer(bootstrap_servers=arena.system.kafka)
    await consumer.start()
    found: list[Any] = []
    try:
        ends = {place: end for place, end in (await consumer.end_offsets(_places(topic))).items() if end}
        consumer.assign(list(ends))
        await consumer.seek_to_beginning(*ends)
        while any([await consumer.position(place) < end for place, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                found += [record for record in records if not isinstance(record, Blank)]
    finally:
        await consumer.stop()
    return found


def _is_fact(record: Any) -> bool:
    try:
        decode(record)
    except NotUnderstood:
        return False
    return bool(partition_of(record.key, PARTITIONS) == record.partition)


def _places(topic: str) -> list[TopicPartition]:
    return [TopicPartition(topic, number) for number in range(PARTITIONS)]


@asynccontextmanager
async def _admin(arena: Arena) -> Any:
    admin = AIOKafkaAdminClient(bootstrap_servers=arena.system.kafka)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def _is_gone(admin: AIOKafkaAdminClient, topic: str) -> bool:
    return topic not in await admin.list_topics()


async def _until(within: float, reached: Callable[[], Awaitable[bool]]) -> None:
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if await reached():
            return
        await asyncio.sleep(POLL_S)
