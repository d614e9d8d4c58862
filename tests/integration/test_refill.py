"""A refill on real engines: every stream in its order beside live writing, and on where it was after it was killed."""

import asyncio
import itertools
import sys
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from ulid import ULID

from deploy.local.system import System
from shared.events.fact import Stream
from shared.kafka import decode, ensure_topics, topic_name
from shared.lease import HeldElsewhere, Lease
from shared.mongo import Client, Database, transact
from shared.reading.follower import read_anew
from shared.reading.log import Log, look_at
from shared.reading.sink import LeavesOut, Sink
from shared.writing import refill
from shared.writing.ledger import Ledger
from shared.writing.refill import AT_ONCE, Refill
from shared.writing.relay import Relay
from shared.writing.store import make_collections
from tests.builders import member_joined
from tests.integration.test_lost_log import make_anew
from tests.integration.test_metrics_worker import PARTITIONS, ROOT
from tests.integration.test_sink import Counting, batch, count, keep_letters
from tests.integration.waiting import until

TOPIC = topic_name("membership")
PLACES = [TopicPartition(TOPIC, number) for number in range(PARTITIONS)]


class Service:
    """The part of a writing service that writes: facts of some streams, and a relay under its lease."""

    def __init__(self, client: Client, db: Database, kafka: str, streams: int) -> None:
        self._client, self._db = client, db
        self.streams = sorted(Stream("membership", "community", f"c-{ULID()}".lower()) for _ in range(streams))
        self.heads = dict.fromkeys(self.streams, 0)
        self._committed = asyncio.Event()
        self._relaying = Lease(db, "relay", "service").while_held(Relay(db, kafka, self._committed).run)

    async def __aenter__(self) -> "Service":
        await make_collections(self._db, ())
        self._relay = asyncio.create_task(self._relaying)
        return self

    async def __aexit__(self, *error: object) -> None:
        self._relay.cancel()
        await asyncio.gather(self._relay, return_exceptions=True)

    async def write(self, stream: Stream, facts: int = 1) -> None:
        async def body(session: object) -> None:
            ledger = Ledger(self._db, session, datetime.now(UTC))  # type: ignore[arg-type]
            await ledger.know([stream])
            for _ in range(facts):
                ledger.append(stream, member_joined(str(ULID()).lower()), "")
            await ledger.write()

        await transact(self._client, body)
        self.heads[stream] += facts
        self._committed.set()

    async def write_here_and_there(self, until_done: Callable[[], bool]) -> None:
        """Write on in all streams, those first whose turn in a refill comes last."""
        while not until_done():
            for stream in reversed(self.streams):
                await self.write(stream)

    async def until_sent(self) -> None:
        async def is_empty() -> bool:
            return await self._db.outbox.find_one() is None

        await until(is_empty)


@pytest.fixture
async def kafka(own_kafka: System) -> str:
    await ensure_topics(own_kafka.kafka, [TOPIC], partitions=PARTITIONS, replication=1)
    return own_kafka.kafka


async def ends(kafka: str) -> Mapping[TopicPartition, int]:
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka)
    await consumer.start()
    try:
        found: Mapping[TopicPartition, int] = await consumer.end_offsets(PLACES)
        return found
    finally:
        await consumer.stop()


async def versions(
    kafka: str, streams: Sequence[Stream], begin: Mapping[TopicPartition, int]
) -> dict[Stream, list[int]]:
    """What stands on Kafka of these streams from some offsets on, in the order of the log."""
    to, found = await ends(kafka), defaultdict[Stream, list[int]](list)
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign(PLACES)
        for place, offset in begin.items():
            consumer.seek(place, offset)
        while [place for place in PLACES if await consumer.position(place) < to[place]]:
            for records in (await consumer.getmany(timeout_ms=200)).values():
                for record in records:
                    recorded = decode(record)
                    if recorded.stream in streams:
                        found[recorded.stream].append(recorded.version)
    finally:
        await consumer.stop()
    return found


async def test_every_stream_comes_again_from_its_first_fact_on_and_what_is_written_meanwhile_follows(
    client: Client, db: Database, kafka: str
) -> None:
    async with Service(client, db, kafka, streams=40) as service:
        for stream in service.streams:
            await service.write(stream, facts=150)
        await service.until_sent()
        begin = await ends(kafka)
        refilling = asyncio.create_task(Refill(db, kafka, "membership", "a").run())
        writing = asyncio.create_task(service.write_here_and_there(refilling.done))
        assert (await refilling).facts >= 40 * 150
        await writing
        await service.until_sent()
        found = await versions(kafka, service.streams, begin)
    assert sum(service.heads.values()) > 40 * 150 + 40, "it was written meanwhile"
    for stream in service.streams:
        # before the service's own relay stood by, and after it took over again, facts may come twice
        again = found[stream][found[stream].index(1) :]
        firsts = list(dict.fromkeys(again))
        assert firsts == list(range(1, service.heads[stream] + 1)), stream
    assert await db.refills.find_one() is None


async def test_killed_half_way_it_goes_on_where_it_was(client: Client, db: Database, kafka: str) -> None:
    async with Service(client, db, kafka, streams=20) as service:
        for stream in service.streams:
            await service.write(stream, facts=400)
        await service.until_sent()
        begin = await ends(kafka)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", REFILLING, own_mongo(client), db.name, kafka), cwd=ROOT
        )

        async def is_half_way() -> bool:
            return await db.refills.find_one({"count": {"$gte": AT_ONCE}}) is not None

        await until(is_half_way)
        process.kill()
        await process.wait()
        done = await Refill(db, kafka, "membership", "another").run()
        assert done.facts == 20 * 400
        assert AT_ONCE <= done.earlier < 20 * 400
        await service.until_sent()
        found = await versions(kafka, service.streams, begin)
    for stream in service.streams:
        assert sorted(set(found[stream])) == list(range(1, 401)), stream


@pytest.mark.parametrize(
    "known", [{"0": [0, 1_700_000_000_000]}, {}, None], ids=["another topic", "an empty one", "not said"]
)
async def test_what_was_begun_on_a_topic_that_was_made_anew_since_is_begun_anew(
    client: Client, db: Database, kafka: str, known: Mapping[str, list[int]] | None
) -> None:
    async with Service(client, db, kafka, streams=2) as service:
        for stream in service.streams:
            await service.write(stream, facts=5)
        await service.until_sent()
        begun = {"_id": "membership", "come_to": {"stream": str(service.streams[0]), "version": 5}, "count": 5}
        await db.refills.insert_one({**begun, **({} if known is None else {"begins": known})})
        assert await Refill(db, kafka, "membership", "one").run() == (10, 0)
        assert await db.refills.find_one() is None


@pytest.mark.parametrize("look", [1, 3, 5])
async def test_a_topic_that_is_made_anew_while_it_is_refilled_is_begun_anew(
    client: Client, db: Database, kafka: str, monkeypatch: pytest.MonkeyPatch, look: int
) -> None:
    """An empty one before it can be told from another, one that holds some, and one that holds all."""
    looks = itertools.count()

    async def look_at_another(consumer: AIOKafkaConsumer, places: Collection[TopicPartition]) -> Log:
        if next(looks) == look:
            await make_anew(kafka)
        return await look_at(consumer, places)

    async with Service(client, db, kafka, streams=20) as service:
        for stream in service.streams:
            await service.write(stream, facts=250)
        await service.until_sent()
        await make_anew(kafka)
        monkeypatch.setattr(refill, "look_at", look_at_another)
        assert await Refill(db, kafka, "membership", "one").run() == (20 * 250, 0)
        await service.until_sent()
        found = await versions(kafka, service.streams, dict.fromkeys(PLACES, 0))
    assert next(looks) > look + 1
    for stream in service.streams:
        assert set(found[stream]) == set(range(1, 251)), stream
    assert await db.refills.find_one() is None


async def test_nothing_on_record_is_nothing_to_wait_for(client: Client, db: Database, kafka: str) -> None:
    async with Service(client, db, kafka, streams=0):
        assert await Refill(db, kafka, "membership", "one").run() == (0, 0)


async def test_one_refill_of_a_database_at_a_time(client: Client, db: Database, kafka: str) -> None:
    async with Service(client, db, kafka, streams=1) as service:
        await service.write(service.streams[0], facts=3)
        await service.until_sent()
        begin = await ends(kafka)
        other = Lease(db, "refill", "other", timedelta(minutes=1))
        await other.claim()
        with pytest.raises(HeldElsewhere, match=r"another refill is running \(other\)"):
            await Refill(db, kafka, "membership", "one").run()
        assert await ends(kafka) == begin
        await other.give_up()
        assert await Refill(db, kafka, "membership", "one").run() == (3, 0)


REFILLING = """
import asyncio, sys
from shared.mongo import connect
from shared.writing.refill import Refill
mongo, database, kafka = sys.argv[1:]
asyncio.run(Refill(connect(mongo)[database], kafka, "membership", "killed").run())
"""


def own_mongo(client: Client) -> str:
    host, port = next(iter(client.nodes))
    return f"mongodb://{host}:{port}/?replicaSet=rs0"


async def test_a_reader_begins_anew_on_new_topics_and_counts_nothing_twice(client: Client, db: Database) -> None:
    for name in ("counts", "heads", "partitions", "letters"):
        await db.create_collection(name)
    sleeper = Sink(client, db, ["membership"], Counting(), keep_letters, cached=9)
    await sleeper.put(0, batch("membership", range(5)))
    await read_anew(db, ["membership"])
    reader = Sink(client, db, ["membership"], Counting(), keep_letters, cached=9)
    assert await reader.next_offsets(0) == {"membership": 0}
    with pytest.raises(LeavesOut):
        await reader.put(0, batch("membership", range(5, 7)))
    await reader.put(0, batch("membership", range(5)))
    assert await count(db) == 5
    await sleeper.put(0, batch("membership", range(5, 6)))  # as many as it trusts, but not the log that it trusts
    await reader.put(0, batch("membership", range(5, 8)))
    assert await count(db) == 8
