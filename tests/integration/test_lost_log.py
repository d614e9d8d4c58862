"""Topics that were made anew or cut, on real Kafka: who read the old log stops and says so, however long the new one
is, changes nothing, and goes on once the documented procedure was carried out.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from ulid import ULID

from deploy.local.system import System
from services.metrics.builds import current_build
from shared.events.fact import SOURCE_TOPICS, Recorded
from shared.kafka import encode, ensure_topics, topic_name
from shared.mongo import Client, Database
from shared.reading.follower import Follower, read_anew
from shared.reading.log import NO_TIME, LostLog
from shared.reading.sink import Sink
from shared.views.builds import FIRST
from tests.integration.test_metrics_worker import PARTITIONS, Worker, history, send
from tests.integration.test_rebuild import are_folded, environment, producer, rebuilt, worker
from tests.integration.test_sink import Counting, keep_letters
from tests.integration.waiting import PATIENCE_S, until

__all__ = ["environment", "producer", "worker"]  # fixtures

LONG_AGO = 1_700_000_000_000  # milliseconds since 1970
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

        async def are_gone() -> bool:
            left = set(TOPICS) & set(await admin.list_topics())
            await admin.delete_topics(sorted(left))  # again: a broker that has just begun may not have heard
            return not left

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


async def another_cluster(kafka: System) -> None:
    """As when its disk was lost: all that it held is gone, and it is formatted anew."""

    def replace() -> None:
        kafka.stop("kafka")
        data = kafka.child("kafka").data
        assert data
        shutil.rmtree(data)
        kafka.start("kafka")

    await asyncio.to_thread(replace)
    await ensure_topics(kafka.kafka, TOPICS, partitions=PARTITIONS, replication=1)


async def send_as_of(kafka: str, facts: Sequence[Recorded], milliseconds: int) -> None:
    """As the records of a moment in the past, by a producer that knows nothing of before."""
    async with AIOKafkaProducer(bootstrap_servers=kafka, enable_idempotence=True, acks="all") as producer:
        for one in map(encode, facts):
            await producer.send(one.topic, one.value, one.key, timestamp_ms=milliseconds, headers=one.headers)


async def cluster_is_known(db: Database, partitions: str) -> bool:
    """It is when somebody looks for the first time after the first fact."""
    return await db[partitions].find_one({"log.cluster": {"$exists": True}}) is not None


async def has_read(worker: Worker, producer: AIOKafkaProducer, db: Database, *, people: int = 20) -> list[Recorded]:
    """It starts, and has folded these facts."""
    facts = history(people=people)
    await worker.start()
    await send(producer, map(encode, facts))
    await until(lambda: are_folded(db, facts))
    return facts


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
    facts = await has_read(worker, producer, db)
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
    facts = await has_read(worker, producer, db)
    before = await folded(db)
    await make_anew(own_kafka.kafka)
    await send(producer, map(encode, [*facts, *facts]))
    assert "was made anew" in await said_of_loss(worker)
    assert (await folded(db))[:2] == before[:2]


async def test_a_worker_stops_where_the_log_was_cut_although_it_has_read_all_that_is_gone(
    worker: Worker, producer: AIOKafkaProducer, own_kafka: System, db: Database
) -> None:
    await has_read(worker, producer, db)
    before = await folded(db)
    await cut(own_kafka.kafka)
    assert "reading is to go on at offset 21, but Kafka holds 21 to 21. The log was cut" in await said_of_loss(worker)
    assert await folded(db) == before


@pytest.mark.parametrize("reads_on", [True, False], ids=["while it reads", "at its start"])
async def test_a_worker_does_not_read_another_cluster_than_before_although_it_holds_the_same(
    worker: Worker, own_kafka: System, db: Database, reads_on: bool
) -> None:
    facts = history(people=20)
    await worker.start()
    await send_as_of(own_kafka.kafka, facts, LONG_AGO)
    await until(lambda: are_folded(db, facts))
    await until(lambda: cluster_is_known(db, FIRST.partitions))
    if not reads_on:
        await worker.kill()
    before = await folded(db)

    await another_cluster(own_kafka)
    await send_as_of(own_kafka.kafka, facts, LONG_AGO)
    if not reads_on:
        await worker.start()
    told = await said_of_loss(worker)
    assert "what was read is of Kafka's cluster" in told
    assert "`praxis refill --new-topics`, then `praxis rebuild --new-topics`" in told
    assert await folded(db) == before


async def test_what_an_earlier_release_has_read_is_taken_for_what_stands_there_and_known_from_then_on(
    worker: Worker, producer: AIOKafkaProducer, db: Database
) -> None:
    await has_read(worker, producer, db, people=1)
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
    facts, following = history(people=20), await prepared(own_kafka, client, db)

    async def is_counted() -> bool:
        return await count_all(db) == len(facts)

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


@pytest.mark.parametrize("reads_on", [True, False], ids=["while it reads", "at its start"])
async def test_a_follower_does_not_read_another_cluster_than_before_although_it_holds_the_same(
    own_kafka: System, client: Client, db: Database, reads_on: bool
) -> None:
    facts, following = history(people=20), await prepared(own_kafka, client, db)
    await send_as_of(own_kafka.kafka, facts, LONG_AGO)
    task = following()
    await until(lambda: cluster_is_known(db, "partitions"))
    if not reads_on:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await another_cluster(own_kafka)
    await send_as_of(own_kafka.kafka, facts, LONG_AGO)
    with pytest.raises(LostLog, match="what was read is of Kafka's cluster"):
        await asyncio.wait_for(task if reads_on else following(), PATIENCE_S)
    assert await count_all(db) == len(facts)


async def prepared(kafka: System, client: Client, db: Database) -> Callable[[], asyncio.Task[None]]:
    """Starts a follower that counts."""
    for name in ("counts", "heads", "partitions", "letters"):
        await db.create_collection(name)
    group = f"follower-{ULID()}"

    def following() -> asyncio.Task[None]:
        sink = Sink(client, db, ["membership"], Counting(), keep_letters, cached=9)
        follower = Follower(kafka.kafka, ["membership"], group, sink, session=timedelta(seconds=6))
        return asyncio.create_task(follower.run())

    return following


async def count_all(db: Database) -> int:
    return sum([int(one["count"]) async for one in db.counts.find()])


@pytest.mark.parametrize("time", [NO_TIME, -5, -(10**17)])
async def test_a_first_record_whatever_time_it_states_is_no_other_log(
    worker: Worker, producer: AIOKafkaProducer, own_kafka: System, db: Database, time: int
) -> None:
    facts = history(people=20)
    await send_as_of(own_kafka.kafka, facts[:1], time)
    await send(producer, map(encode, facts[1:]))
    await worker.start()
    await until(lambda: are_folded(db, facts))
    await worker.kill()
    await worker.start()
    more = history(people=3)
    await send(producer, map(encode, more))
    await until(lambda: are_folded(db, more))
    await worker.kill()
    await make_anew(own_kafka.kafka)
    await send(producer, map(encode, [*facts, *more] * 2))
    await worker.start()
    told = await said_of_loss(worker)
    assert "The topic was made anew" in told


async def test_new_topics_on_which_a_transaction_is_open_are_not_taken_for_all_there_is(
    worker: Worker, producer: AIOKafkaProducer, own_kafka: System, db: Database, environment: dict[str, str]
) -> None:
    facts = await has_read(worker, producer, db)
    await worker.kill()
    await make_anew(own_kafka.kafka)
    async with AIOKafkaProducer(bootstrap_servers=own_kafka.kafka, transactional_id=f"other-{ULID()}") as other:
        await other.begin_transaction()
        first = encode(facts[0])
        await other.send_and_wait(first.topic, b"{", key=first.key)
        await send(producer, map(encode, facts))
        refused = await rebuilt(environment, "--new-topics")
        assert refused.exit == 1
        assert refused.said("failed")["reason"].startswith("a transaction of another producer is open on membership.ev")
        await other.abort_transaction()
    done = await rebuilt(environment, "--new-topics")
    assert done.exit == 0, done.told
