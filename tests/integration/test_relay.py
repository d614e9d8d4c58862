"""The relay between a real MongoDB and a real Kafka: repeats facts where it must, and never loses one."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, KafkaTimeoutError
from ulid import ULID

from deploy.local.system import System
from shared.kafka import Message, ensure_topics
from shared.mongo import Database
from shared.writing import relay as relaying
from shared.writing.ledger import outgoing
from shared.writing.metrics import OUTBOX_AGE_SECONDS, OUTBOX_LOOKED_AT, OUTBOX_MESSAGES
from shared.writing.relay import AT_ONCE, Relay
from tests.integration.waiting import until

PARTITIONS = 3

Published = dict[str, list[int]]
"""Stream -> the versions that stand on Kafka, in the order of the log."""


@pytest.fixture
async def topic(kafka: str) -> str:
    name = f"relayed-{ULID()}".lower()
    await ensure_topics(kafka, [name], partitions=PARTITIONS, replication=1)
    return name


async def put(db: Database, topic: str, stream: str, versions: Iterable[int]) -> None:
    """Put facts of a stream into the outbox, as a transaction of the writer does."""
    documents = [
        outgoing(
            {"stream": stream, "version": version},
            Message(topic, stream.encode(), str(version).encode(), [("traceparent", b"\xff")]),
        )
        for version in versions
    ]
    await db.outbox.insert_many(documents)


@asynccontextmanager
async def relays(db: Database, kafka: str, count: int = 1) -> AsyncIterator[list[Relay]]:
    """Relays at work, in processes that did not write: only the change stream tells them."""
    working = [Relay(db, kafka, asyncio.Event()) for _ in range(count)]
    tasks = [asyncio.create_task(relay.run()) for relay in working]
    try:
        yield working
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until_empty(db: Database) -> None:
    async def is_empty() -> bool:
        return await db.outbox.find_one() is None

    await until(is_empty)


async def published(kafka: str, topic: str) -> Published:
    """Everything that stands in the topic."""
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, auto_offset_reset="earliest")
    await consumer.start()
    try:
        places = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        versions: Published = defaultdict(list)
        while [place for place in places if await consumer.position(place) < ends[place]]:
            for records in (await consumer.getmany(timeout_ms=200)).values():
                for record in records:
                    versions[record.key.decode()].append(int(record.value))
        return versions
    finally:
        await consumer.stop()


def first_times(versions: list[int]) -> list[int]:
    return list(dict.fromkeys(versions))


async def test_each_stream_is_published_in_order_and_the_outbox_is_empty_afterwards(
    db: Database, kafka: str, topic: str
) -> None:
    streams = ["a", "b", "c"]
    versions = range(1, AT_ONCE // len(streams) + 200)  # more than one pass, cut within a stream
    for stream in streams:
        await put(db, topic, stream, versions)
    async with relays(db, kafka):
        await until_empty(db)
    assert await published(kafka, topic) == {stream: list(versions) for stream in streams}


async def test_what_another_process_writes_is_noticed(db: Database, kafka: str, topic: str) -> None:
    async with relays(db, kafka):
        for version in (1, 2, 3):
            await put(db, topic, "a", [version])
            await until_empty(db)
    assert await published(kafka, topic) == {"a": [1, 2, 3]}


async def test_two_relays_at_once_repeat_facts_and_lose_none(db: Database, kafka: str, topic: str) -> None:
    async with relays(db, kafka, count=2):
        for begin in range(1, 400, 40):
            for stream in ("a", "b", "c"):
                await put(db, topic, stream, range(begin, begin + 40))
        await until_empty(db)
    versions = await published(kafka, topic)
    assert {stream: first_times(come) for stream, come in versions.items()} == {
        key: list(range(1, 401)) for key in "abc"
    }


async def test_a_relay_whose_producer_fails_begins_again_from_the_outbox(
    db: Database, kafka: str, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures: list[KafkaError] = [KafkaTimeoutError(), KafkaError("the broker said no")]

    class Failing(AIOKafkaProducer):  # type: ignore[misc]  # aiokafka carries no types
        async def send(self, topic: str, value: bytes, **words: Any) -> Any:
            sent = await super().send(topic, value, **words)
            if value == b"7" and failures:
                raise failures.pop()
            return sent

    monkeypatch.setattr(relaying, "AIOKafkaProducer", Failing)
    await put(db, topic, "a", range(1, 21))
    async with relays(db, kafka) as (relay,):
        await until_empty(db)
        assert relay.last_failure is None
    assert failures == []
    assert first_times((await published(kafka, topic))["a"]) == list(range(1, 21))


@pytest.mark.parametrize("answered", [True, False], ids=["refuses", "does not answer"])
async def test_what_kafka_does_not_take_holds_up_nothing_of_other_partitions(
    db: Database, kafka: str, topic: str, monkeypatch: pytest.MonkeyPatch, answered: bool
) -> None:
    taken = asyncio.Event()

    class Refusing(AIOKafkaProducer):  # type: ignore[misc]  # aiokafka carries no types
        async def send(self, topic: str, key: bytes, **words: Any) -> Any:
            if key == b"a" and not taken.is_set():
                if answered:
                    raise KafkaError("not this one")
                await taken.wait()
            return await super().send(topic, key=key, **words)

    monkeypatch.setattr(relaying, "AIOKafkaProducer", Refusing)
    monkeypatch.setattr(relaying, "LATE_AFTER_S", 0.1)
    monkeypatch.setattr(relaying, "AT_ONCE", 3)  # so that a stream is on several pages
    async with relays(db, kafka) as (relay,):
        for first in range(1, 21, 4):
            await put(db, topic, "a", range(first, first + 4))
            await put(db, topic, "b", range(first, first + 4))

            async def has_gone_on() -> bool:
                return await db.outbox.distinct("_id.stream") == ["a"]

            await until(has_gone_on)
        assert await db.outbox.count_documents({}) == 20
        if answered:
            assert relay.last_failure == f"Kafka did not take a@1 on {topic}: KafkaError('not this one')"
        taken.set()
        await until_empty(db)
        assert relay.last_failure is None
    come = await published(kafka, topic)
    assert first_times(come["a"]) == first_times(come["b"]) == list(range(1, 21))


async def test_nothing_is_lost_when_kafka_is_killed_and_comes_back(db: Database, own_kafka: System) -> None:
    topic = f"relayed-{ULID()}".lower()
    await ensure_topics(own_kafka.kafka, [topic], partitions=PARTITIONS, replication=1)
    async with relays(db, own_kafka.kafka):
        await put(db, topic, "a", range(1, 51))
        await until_empty(db)
        own_kafka.kill("kafka")
        await put(db, topic, "a", range(51, 101))
        await asyncio.sleep(0.3)
        assert await db.outbox.count_documents({}) == 50, "nothing is deleted that Kafka did not acknowledge"
        await asyncio.to_thread(own_kafka.start, "kafka")
        await until_empty(db)
    assert first_times((await published(own_kafka.kafka, topic))["a"]) == list(range(1, 101))


async def test_the_age_of_the_oldest_message_is_told_by_whoever_is_there(
    db: Database, kafka: str, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relaying, "TELL_EVERY_S", 0.05)
    await put(db, topic, "community.one", [2])
    await asyncio.sleep(0.5)
    await put(db, topic, "community.one", [1])
    telling = asyncio.create_task(Relay(db, kafka, asyncio.Event()).tell_age())

    async def is_told(messages: int, least: float, most: float) -> bool:
        age: float = OUTBOX_AGE_SECONDS._value.get()
        return OUTBOX_MESSAGES._value.get() == messages and least <= age <= most

    try:
        await until(lambda: is_told(2, 0.5, 60))
        async with relays(db, kafka):
            await until(lambda: is_told(0, 0, 0))
        assert time.time() - OUTBOX_LOOKED_AT._value.get() < 5
    finally:
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)
