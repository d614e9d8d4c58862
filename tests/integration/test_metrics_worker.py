"""The metrics worker as a process of its own: it is killed, joined by another and stopped, and every count is exact."""

import asyncio
import json
import os
import random
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from ulid import ULID

from deploy.local.settings import free_ports
from deploy.local.system import System
from services.metrics.dead_letters import dead_topic
from shared.events.fact import SOURCE_TOPICS, Fact, Recorded, Stream
from shared.events.membership import Role
from shared.kafka import Message, encode, ensure_topics, partition_of, topic_name
from shared.mongo import Database
from shared.reading.heads import unseen
from shared.views.builds import FIRST
from tests import odd_record
from tests.builders import (
    attendance_taken,
    community_founded,
    convening_held,
    convening_scheduled,
    form_opened,
    member_joined,
    member_left,
    person_attended,
    recorded,
    response_received,
)
from tests.integration.waiting import PATIENCE_S, until

ROOT = Path(__file__).resolve().parents[2]
PARTITIONS = 12
SESSION = "PT6S"
"""How long Kafka waits for a worker that was killed: no less is possible."""


class Worker:
    """A process of the metrics service."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        self._environment, self._log = {**os.environ, **environment}, log
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "services.metrics", env=self._environment, cwd=ROOT, stdout=log, stderr=log
            )

    def send(self, signal: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(signal)

    async def ended(self) -> int:
        """Its exit code, once it has ended."""
        assert self._process is not None
        return await asyncio.wait_for(self._process.wait(), PATIENCE_S)

    async def kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    def said(self, event: str) -> list[dict[str, Any]]:
        """The lines of its log about something."""
        lines = self._log.read_text().splitlines() if self._log.exists() else []
        told = [json.loads(line) for line in lines if line.startswith("{")]
        return [line for line in told if line.get("event") == event]

    @property
    def assigned(self) -> int:
        """How many partitions of topics it had when it last looked."""
        lines = self.said("partitions.assigned")
        return lines[-1]["count"] if lines else 0


@pytest.fixture
async def workers(own_kafka: System, db: Database, tmp_path: Path) -> AsyncIterator[list[Worker]]:
    """Two workers of one group, not started."""
    made = []
    for number, port in enumerate(free_ports(2)):
        environment = {
            "PRAXIS_KAFKA": own_kafka.kafka,
            "PRAXIS_MONGO": own_kafka.mongo,
            "PRAXIS_DATABASE": db.name,
            "PRAXIS_GROUP": db.name,
            "PRAXIS_PORT": str(port),
            "PRAXIS_PARTITIONS": str(PARTITIONS),
            "PRAXIS_SESSION_TIMEOUT": SESSION,
            "PRAXIS_DATA_DIR": str(tmp_path / f"faust-{number}"),
        }
        made.append(Worker(environment, tmp_path / f"worker-{number}.log"))
    yield made
    for worker in made:
        await worker.kill()


@pytest.fixture
async def producer(own_kafka: System) -> AsyncIterator[AIOKafkaProducer]:
    topics = [topic_name(topic) for topic in SOURCE_TOPICS]
    await ensure_topics(own_kafka.kafka, topics, partitions=PARTITIONS, replication=1)
    producer = AIOKafkaProducer(bootstrap_servers=own_kafka.kafka, enable_idempotence=True, acks="all")
    await producer.start()
    yield producer
    await producer.stop()


async def send(producer: AIOKafkaProducer, messages: Iterable[Message]) -> None:
    for one in messages:
        await producer.send(one.topic, key=one.key, value=one.value, headers=one.headers)
    await producer.flush()


async def send_slowly(producer: AIOKafkaProducer, messages: Sequence[Message]) -> None:
    for begin in range(0, len(messages), 100):
        await send(producer, messages[begin : begin + 100])
        await asyncio.sleep(0.02)


async def until_folded(db: Database, facts: Sequence[Recorded]) -> None:
    await until(lambda: are_folded(db, facts))


async def are_folded(db: Database, facts: Sequence[Recorded]) -> bool:
    return await unseen(db[FIRST.heads], [fact.position for fact in facts]) == []


async def sums(db: Database, community: str, at: date) -> dict[tuple[str, str], int]:
    """(measure, key) -> sum up to a day, without those that are zero."""
    found = Counter[tuple[str, str]]()
    async for document in db[FIRST.sums].find({"scope": f"community.{community}"}):
        up_to = sum(delta for day, delta in document["days"].items() if day <= at.isoformat())
        found[document["measure"], document["key"]] += up_to
    return {place: value for place, value in found.items() if value}


# a history, and its figures counted from the people it was made of


FIRST_DAY = date(2019, 11, 1)
CONVENINGS = {f"convening-{number}": FIRST_DAY + timedelta(days=20 * number) for number in range(5)}
DAYS = [FIRST_DAY + timedelta(days=number) for number in (0, 19, 41, 60, 61, 121, 400)]


@dataclass(frozen=True)
class Person:
    id: str
    community: str
    role: Role
    joined: date
    left: date | None
    came_to: tuple[str, ...]
    responded: date | None


def made_up(chance: random.Random, community: str) -> Person:
    joined = FIRST_DAY + timedelta(days=chance.randrange(120))
    return Person(
        id=str(ULID()).lower(),
        community=community,
        role=chance.choice(list(Role)),
        joined=joined,
        left=joined + timedelta(days=chance.randrange(60)) if chance.random() < 0.4 else None,
        came_to=tuple(sorted(chance.sample(sorted(CONVENINGS), chance.randrange(4)))),
        responded=FIRST_DAY + timedelta(days=chance.randrange(120)) if chance.random() < 0.3 else None,
    )


def facts_of(person: Person) -> Iterator[tuple[str, Fact]]:
    joined = person.joined.isoformat()
    yield "membership", member_joined(person.id, role=person.role, joined_on=joined)
    for convening in person.came_to:
        yield "convenings", person_attended(person.id, convening, attended_on=CONVENINGS[convening].isoformat())
    if person.left:
        left = person.left.isoformat()
        yield "membership", member_left(person.id, role=person.role, joined_on=joined, left_on=left)
    if person.responded:
        yield "feedback", response_received(str(ULID()).lower(), received_on=person.responded.isoformat())


def facts_about(community: str) -> Iterator[tuple[str, Fact]]:
    yield "membership", community_founded(community)
    yield "feedback", form_opened()
    for convening, day in CONVENINGS.items():
        yield "convenings", convening_scheduled(convening, scheduled_on=day.isoformat())
        yield "convenings", convening_held(convening, held_on=day.isoformat())
        yield "convenings", attendance_taken(convening, held_on=day.isoformat())


class History:
    """Communities with made-up people, and all the facts about them in an order in which they may be published."""

    def __init__(self, communities: int, people: int) -> None:
        chance = random.Random(7)
        self.communities = [f"c-{ULID()}".lower() for _ in range(communities)]
        self.people = [made_up(chance, community) for community in self.communities for _ in range(people)]
        told = [(community, facts_about(community)) for community in self.communities]
        told += [(person.community, facts_of(person)) for person in self.people]
        self.facts: list[Recorded] = []
        versions = Counter[Stream]()
        while told:
            community, facts = chance.choice(told)
            if (following := next(facts, None)) is None:
                told.remove((community, facts))
                continue
            topic, fact = following
            stream = Stream(topic, "community", community)  # type: ignore[arg-type]
            versions[stream] += 1
            self.facts.append(recorded(fact, versions[stream], stream))

    def published(self) -> list[Message]:
        """As the relay may publish them: every ninth twice."""
        return [
            message
            for number, fact in enumerate(self.facts)
            for message in [encode(fact)] * (2 if number % 9 == 0 else 1)
        ]

    def counted(self, community: str, at: date) -> dict[tuple[str, str], int]:
        """Figures of a community on a day, by looking at each of its people."""
        found = Counter[tuple[str, str]]()
        for person in self.people:
            if person.community != community:
                continue
            if person.joined <= at and (person.left is None or at < person.left):
                found["members", ""] += 1
                found["members", f"role={person.role.value}"] += 1
            came = [convening for convening in person.came_to if CONVENINGS[convening] <= at]
            found["attendances", ""] += len(came)
            found.update(("attendances", f"convening={convening}") for convening in came)
            found["participants", ""] += bool(came)
            found["responses", ""] += person.responded is not None and person.responded <= at
        found["convenings-held", ""] = sum(day <= at for day in CONVENINGS.values())
        return {place: value for place, value in found.items() if value}

    async def is_counted_exactly(self, db: Database) -> bool:
        for community in self.communities:
            for at in DAYS:
                expected, found = self.counted(community, at), await sums(db, community, at)
                measures = {"members", "attendances", "participants", "responses", "convenings-held"}
                told = {
                    place: value
                    for place, value in found.items()
                    if place[0] in measures and (place[1] == "" or place[1].startswith(("role=", "convening=")))
                }
                assert told == expected, f"{community} at {at}"
        return True


async def test_facts_that_are_published_become_records_and_sums(
    workers: Sequence[Worker], producer: AIOKafkaProducer, db: Database
) -> None:
    history = History(communities=2, people=3)
    await send(producer, history.published())
    await workers[0].start()
    await until_folded(db, history.facts)
    assert await history.is_counted_exactly(db)
    person = history.people[0]
    record = await db[FIRST.records].find_one({"_id": f"participation/{person.community}/{person.id}"})
    assert record is not None
    assert record["scope"] == f"community.{person.community}"
    assert record["value"]["memberships"][0]["joined_on"] == person.joined.isoformat()
    assert sorted(record["value"].get("attended", ())) == list(person.came_to)
    own = [str(fact.position) for fact in history.facts if getattr(fact.fact, "person_id", None) == person.id]
    assert sorted(fact.partition(" ")[0].replace("@", f"/{record['scope']}@") for fact in record["facts"]) == sorted(
        own
    ), "a figure can be traced to its facts"


async def test_what_cannot_be_understood_goes_to_the_dead_topic_and_is_taken_in_when_it_comes_right(
    workers: Sequence[Worker], producer: AIOKafkaProducer, own_kafka: System, db: Database
) -> None:
    stream = Stream("membership", "community", f"c-{ULID()}".lower())
    facts = [recorded(fact, version, stream) for version, fact in enumerate([community_founded(), member_joined()], 1)]
    founded, joined = map(encode, facts)
    await send(producer, [founded._replace(value=b"{"), joined])
    await workers[0].start()
    await until_folded(db, facts[1:])
    head = await db[FIRST.heads].find_one({"_id": str(stream)})
    assert head is not None
    assert (head["head"], head["missing"]) == (2, [1])

    letter = await dead_letter(own_kafka.kafka, stream.key.encode())
    assert letter["praxis_topic"] == b"membership.events"
    assert int(letter["praxis_partition"]) == number_of(facts)
    assert int(letter["praxis_offset"]) >= 0
    assert {name: letter[name] for name in dict(founded.headers)} == dict(founded.headers), "its own travel along"
    assert b"praxis.community-founded.v1 is not as it must be" in letter["praxis_reason"]

    await send(producer, [founded])
    await until_folded(db, facts)
    head = await db[FIRST.heads].find_one({"_id": str(stream)})
    assert head is not None
    assert head["missing"] == []


@pytest.mark.parametrize("compression", ["gzip", "snappy", "lz4", "zstd"])
async def test_what_others_have_compressed_is_read(
    workers: Sequence[Worker], producer: AIOKafkaProducer, own_kafka: System, db: Database, compression: str
) -> None:
    await begin_at_the_end(own_kafka.kafka, db)
    facts = history(people=5)
    other = AIOKafkaProducer(bootstrap_servers=own_kafka.kafka, compression_type=compression)
    await other.start()
    await send(other, map(encode, facts))
    await other.stop()
    await workers[0].start()
    await until_folded(db, facts)


async def test_the_marks_of_transactions_are_passed_and_what_one_gave_up_is_not_counted(
    workers: Sequence[Worker], producer: AIOKafkaProducer, own_kafka: System, db: Database
) -> None:
    await begin_at_the_end(own_kafka.kafka, db)
    facts = history(people=5)
    unsaid = recorded(member_joined(), len(facts) + 1, facts[0].stream)
    async with AIOKafkaProducer(bootstrap_servers=own_kafka.kafka, transactional_id=f"other-{ULID()}") as other:
        async with other.transaction():
            await send(other, map(encode, facts[:2]))
        await send(producer, map(encode, facts[2:4]))
        await other.begin_transaction()
        await send(other, [encode(unsaid)])
        await other.abort_transaction()
        async with other.transaction():  # so that its mark is the last on the log
            await send(other, map(encode, facts[4:]))
    number = number_of(facts)
    end = (await ends(own_kafka.kafka))[TopicPartition("membership.events", number)]
    await workers[0].start()
    await until_folded(db, facts)

    async def to_the_end() -> bool:
        partition = await db[FIRST.partitions].find_one({"_id": number})
        return partition is not None and partition["next"]["membership"] == end

    await until(to_the_end)
    head = await db[FIRST.heads].find_one({"_id": str(facts[0].stream)})
    assert head is not None
    assert (head["head"], head["missing"]) == (len(facts), [])
    assert await db.dead_letters.count_documents({}) == 0


@pytest.mark.parametrize("without_extensions", ["", "1"])
async def test_a_header_whose_name_is_no_utf_8_makes_a_dead_letter_like_any_other(
    workers: Sequence[Worker], producer: AIOKafkaProducer, own_kafka: System, db: Database, without_extensions: str
) -> None:
    workers[0]._environment["AIOKAFKA_NO_EXTENSIONS"] = without_extensions
    await begin_at_the_end(own_kafka.kafka, db)
    facts = history(people=3)
    key = facts[0].stream.key
    await send(producer, map(encode, facts[:2]))
    place = await odd_record.sent(own_kafka.kafka, "membership.events", key)
    await send(producer, map(encode, facts[2:]))
    await workers[0].start()
    await until_folded(db, facts)
    assert place["partition"] == number_of(facts)
    letter = await db.dead_letters.find_one(place)
    assert letter is not None
    assert letter["headers"] == [["ce_id", b"planted-odd"], ["\\xff\\xfeodd", b"1"]]
    published = await dead_letter(own_kafka.kafka, key.encode())
    assert (published["\\xff\\xfeodd"], published["praxis_offset"]) == (b"1", str(place["offset"]).encode())


@pytest.mark.parametrize("point", ["sink.folded", "sink.committed", "relay.acknowledged"])
async def test_a_kill_between_a_dead_letter_and_its_offset_neither_loses_nor_doubles_it(
    workers: Sequence[Worker], producer: AIOKafkaProducer, own_kafka: System, db: Database, point: str
) -> None:
    stream = Stream("membership", "community", f"c-{ULID()}".lower())
    facts = [recorded(fact, version, stream) for version, fact in enumerate([community_founded(), member_joined()], 1)]
    founded, joined = map(encode, facts)
    await begin_at_the_end(own_kafka.kafka, db)  # so that nothing else is folded first
    await send(producer, [founded._replace(value=b"{"), joined])
    killed, other = workers
    killed._environment["PRAXIS_FAILPOINTS"] = f"{point}:kill@1"
    await killed.start()
    assert await killed.ended() == -signal.SIGKILL
    await other.start()
    await until_folded(db, facts[1:])

    async def is_published() -> bool:
        return await db.outbox.count_documents({}) == 0

    await until(is_published)
    (letter,) = await db.dead_letters.find().to_list()
    head = await db[FIRST.heads].find_one({"_id": str(stream)})
    assert head is not None
    assert (head["head"], head["missing"]) == (2, [1])
    published = await dead_letter(own_kafka.kafka, stream.key.encode())
    assert published["praxis_offset"] == str(letter["offset"]).encode()


def history(people: int) -> list[Recorded]:
    """A community that people join."""
    place = Stream("membership", "community", f"c-{ULID()}".lower())
    joined = [member_joined(f"01hzy{number:021d}") for number in range(people)]
    return [recorded(fact, version, place) for version, fact in enumerate([community_founded(), *joined], 1)]


def number_of(facts: Sequence[Recorded]) -> int:
    return partition_of(facts[0].stream.key.encode(), PARTITIONS)


async def ends(kafka: str) -> Mapping[TopicPartition, int]:
    """Where the topics end."""
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka)
    await consumer.start()
    try:
        places = [TopicPartition(topic_name(topic), n) for topic in SOURCE_TOPICS for n in range(PARTITIONS)]
        found: Mapping[TopicPartition, int] = await consumer.end_offsets(places)
        return found
    finally:
        await consumer.stop()


async def begin_at_the_end(kafka: str, db: Database) -> None:
    """As if all that is on the topics were folded."""
    found = await ends(kafka)
    following = [
        {"_id": n, "next": {topic: found[TopicPartition(topic_name(topic), n)] for topic in SOURCE_TOPICS}}
        for n in range(PARTITIONS)
    ]
    await db[FIRST.partitions].insert_many(following)


async def dead_letter(kafka: str, key: bytes) -> dict[str, bytes]:
    """The headers of the first dead letter of membership's under a key."""
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([TopicPartition(dead_topic("membership.events"), number) for number in range(PARTITIONS)])
        async with asyncio.timeout(PATIENCE_S):
            async for record in consumer:
                if record.key == key:
                    return dict(record.headers)
    finally:
        await consumer.stop()
    raise AssertionError("there is no end to a topic")


async def test_a_worker_killed_in_the_middle_and_started_again_has_counted_all_once(
    workers: Sequence[Worker], producer: AIOKafkaProducer, db: Database
) -> None:
    history = History(communities=24, people=70)
    messages = history.published()
    assert len(history.facts) > 5_000
    worker = workers[0]
    await worker.start()
    await send(producer, messages[:1_500])
    await until_folded(db, history.facts[:1_000])
    sending = asyncio.create_task(send_slowly(producer, messages[1_500:]))
    await until_folded(db, history.facts[:2_500])
    await worker.kill()
    assert not await are_folded(db, history.facts), "it is in the middle"
    await worker.start()
    await sending
    await until_folded(db, history.facts)
    assert await history.is_counted_exactly(db)


async def test_two_workers_share_the_partitions_and_one_that_is_stopped_leaves_them_to_the_other(
    workers: Sequence[Worker], producer: AIOKafkaProducer, db: Database
) -> None:
    one, other = workers
    history = History(communities=24, people=20)
    messages = history.published()
    middle = len(messages) // 2

    async def is_shared() -> bool:
        return (
            one.assigned + other.assigned == PARTITIONS * len(SOURCE_TOPICS) and min(one.assigned, other.assigned) > 0
        )

    await one.start()
    await send(producer, messages[:middle])
    await other.start()  # while the first is at it
    await until(is_shared)
    await send(producer, messages[middle:-100])
    await until_folded(db, history.facts[: len(history.facts) * 3 // 4])

    one.send(signal.SIGTERM)
    assert await one.ended() == 0
    await send(producer, messages[-100:])
    await until_folded(db, history.facts)
    assert await history.is_counted_exactly(db)


async def test_a_worker_whose_log_was_cut_or_made_anew_ends_and_says_so(
    workers: Sequence[Worker], producer: AIOKafkaProducer, db: Database
) -> None:
    beyond = {"membership": 10**9, "convenings": 0, "feedback": 0}
    await db[FIRST.partitions].insert_one({"_id": 3, "next": beyond})
    worker = workers[0]
    await worker.start()
    assert await worker.ended() == 1
    (told,) = worker.said("task.died")
    assert "membership.events, partition 3: reading is to go on at offset 1000000000" in told["reason"]
    assert await db[FIRST.records].count_documents({}) == 0
