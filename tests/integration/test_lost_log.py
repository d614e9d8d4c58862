"""Topics that were made anew or cut, on real Kafka: who read the old log stops and says so, however long the new one
is, changes nothing, and goes on once the documented procedure was carried out.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from ulid import ULID

from deploy.local.system import System
from services.metrics.builds import current_build
from shared.events.fact import SOURCE_TOPICS
from shared.kafka import encode, ensure_topics, topic_name
from shared.mongo import Client, Database
from shared.reading.follower import Follower, read_anew
from shared.reading.log import LostLog
from shared.reading.sink import Sink
from shared.views.builds import FIRST
from tests.integration.test_metrics_worker import PARTITIONS, Worker, send
from tests.integration.test_rebuild import are_folded, environment, producer, rebuilt, worker
from tests.integration.test_sink import Counting, keep_letters
from tests.integration.test_watching import history
from tests.integration.waiting import PATIENCE_S, until

__all__ = ["environment", "producer", "worker"]  # fixtures

TOPICS = [topic_name(topic) for topic in SOURCE_TOPICS]


@pytest.fixture(autouse=True)
async def topics(own_kafka: System) -> AsyncIterator[None]:
    """Topics without a record, and such ones again for other tests."""
    await make_anew(own_kafka.kafka)
    yield
    await make_anew(own_kafka.kafka)


async def make_anew(kafka: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.delete_topics([topic for topic in TOPICS if topic in await admin.list_topics()])

        async def are_gone() -> bool:
            return not set(TOPICS) & set(await admin.list_topics())

        await until(are_gone)
    finally:
        await admin.close()
    await ensure_topics(kafka, TOPICS, partitions=PARTITIONS, replication=1)


async def cut(kafka: str) -> None:
    """Let what stands on the partitions of membership be gone."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        places = [TopicPartition(topic_name("membership"), number) for number in range(PARTITIONS)]
        await admin.delete_records({place: RecordsToDelete(-1) for place in places})
    finally:
        await admin.close()


async def folded(db: Database) -> list[Any]:
    """All that a fact changes."""
    build = await current_build(db)
    return [await db[name].find().sort("_id").to_list() for name in (build.records, build.sums, build.partitions)]


async def said_of_loss(worker: Worker) -> str:
    """What it said when it ended by itself."""
    assert await worker.ended() == 1
    return str(worker.said("task.died")[-1]["reason"])


async def test_a_worker_finds_at_its_start_that_a_topic_was_made_anew_with_more_than_before(
    worker: Worker, producer: AIOKafkaProducer, own_kafka: System, db: Database, environment: dict[str, str]
) -> None:
    facts = history(people=20)
    await worker.start()
    await send(producer, map(encode, facts))
    await until(lambda: are_folded(db, facts))
    await worker.kill()  # at once: what is to be known of the log is known with the first fact
    before = await folded(db)
    await make_anew(own_kafka.kafka)
    await send(producer, map(encode, [*facts, *facts]))  # the first record has the ce_id of the one that was read

    await worker.start()
    told = await said_of_loss(worker)
    assert "membership.events, partition" in told
    assert "The topic was made anew" in told
    assert "praxis rebuild --new-topics" in told
    assert await folded(db) == before

    refused = await rebuilt(environment)
    assert refused.exit == 1
    assert "The current build has read another log" in refused.said("failed")["reason"]
    done = await rebuilt(environment, "--new-topics")
    assert done.exit == 0, done.told
    assert done.said("compared")["counts"] == {}
    more = history(people=3)
    await worker.start()
    await send(producer, map(encode, more))
    await until(lambda: are_folded(db, [*facts, *more]))


async def test_a_worker_that_reads_finds_that_a_topic_is_made_anew(
    worker: Worker, producer: AIOKafkaProducer, own_kafka: System, db: Database
) -> None:
    facts = history(people=20)
    await worker.start()
    await send(producer, map(encode, facts))
    await until(lambda: are_folded(db, facts))
    before = await folded(db)
    await make_anew(own_kafka.kafka)
    await send(producer, map(encode, [*facts, *facts]))
    assert "was made anew" in await said_of_loss(worker)
    assert (await folded(db))[:2] == before[:2]


async def test_a_worker_stops_where_the_log_was_cut_although_it_has_read_all_that_is_gone(
    worker: Worker, producer: AIOKafkaProducer, own_kafka: System, db: Database
) -> None:
    facts = history(people=20)
    await worker.start()
    await send(producer, map(encode, facts))
    await until(lambda: are_folded(db, facts))
    before = await folded(db)
    await cut(own_kafka.kafka)
    assert "reading is to go on at offset 21, but Kafka holds 21 to 21. The log was cut" in await said_of_loss(worker)
    assert await folded(db) == before


async def test_a_worker_does_not_read_another_cluster_than_before(
    worker: Worker, producer: AIOKafkaProducer, db: Database
) -> None:
    facts = history(people=1)
    await worker.start()
    await send(producer, map(encode, facts))
    await until(lambda: are_folded(db, facts))
    await worker.kill()
    await db[FIRST.partitions].update_many({}, {"$set": {"log.cluster": "another"}})
    await worker.start()
    told = await said_of_loss(worker)
    assert "what was read is of Kafka's cluster another, and this is cluster" in told


async def test_what_an_earlier_release_has_read_is_taken_for_what_stands_there_and_known_from_then_on(
    worker: Worker, producer: AIOKafkaProducer, db: Database
) -> None:
    facts = history(people=1)
    await worker.start()
    await send(producer, map(encode, facts))
    await until(lambda: are_folded(db, facts))
    await worker.kill()
    (document,) = await db[FIRST.partitions].find().to_list()
    assert set(document["log"]["firsts"]) == {"membership"}
    await db[FIRST.partitions].update_one({}, {"$unset": {"log": ""}})
    await worker.start()

    async def is_known() -> bool:
        (found,) = await db[FIRST.partitions].find().to_list()
        return bool(found.get("log", {}).get("cluster")) and found["log"]["firsts"] == document["log"]["firsts"]

    await until(is_known)


@pytest.mark.parametrize("reads_on", [True, False], ids=["while it reads", "at its start"])
async def test_a_follower_stops_at_a_topic_that_was_made_anew_and_begins_anew_when_it_is_told_to(
    producer: AIOKafkaProducer, own_kafka: System, client: Client, db: Database, reads_on: bool
) -> None:
    for name in ("counts", "heads", "partitions", "letters"):
        await db.create_collection(name)
    facts = history(people=20)

    def following() -> asyncio.Task[None]:
        sink = Sink(client, db, ["membership"], Counting(), keep_letters, cached=9)
        follower = Follower(own_kafka.kafka, ["membership"], group, sink, session=timedelta(seconds=6))
        return asyncio.create_task(follower.run())

    async def is_counted() -> bool:
        return await count_all(db) == len(facts)

    group = f"follower-{ULID()}"
    await send(producer, map(encode, facts))
    task = following()
    await until(is_counted)
    if not reads_on:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await make_anew(own_kafka.kafka)
    await send(producer, map(encode, [*facts, *facts]))
    with pytest.raises(LostLog, match="made anew"):
        await asyncio.wait_for(task if reads_on else following(), PATIENCE_S)
    assert await is_counted()

    await read_anew(db, ["membership"])
    facts += history(people=3)
    await send(producer, map(encode, facts[-4:]))
    task = following()
    try:
        await until(is_counted)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def count_all(db: Database) -> int:
    return sum([int(one["count"]) async for one in db.counts.find()])
