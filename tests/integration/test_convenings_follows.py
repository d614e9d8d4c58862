"""The convenings service on real engines: what it learns of membership's facts, waits for, and passes on."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from httpx import ASGITransport, AsyncClient, Response
from starlette.types import Receive, Scope, Send
from ulid import ULID

from deploy.local.system import System
from services.convenings.app import app, lifespan
from services.convenings.projection import KnownSink
from shared.events.fact import Fact, Position, Recorded, Stream
from shared.kafka import Record, decode, encode, ensure_topics, topic_name
from shared.mongo import connect
from tests.builders import (
    affiliation_began,
    affiliation_ended,
    attendance_taken,
    community_founded,
    convening_held,
    convening_scheduled,
    person_attended,
    person_erased,
    person_merged,
    person_registered,
)

PARTITIONS = 12
SCHEDULED = {"title": "Spring convening", "scheduled_on": "2019-03-01"}
HELD = {"held_on": "2019-03-01"}


class Membership:
    """Facts of `membership`, put on Kafka as its relay does."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer
        self._heads = Counter[Stream]()

    async def tell(self, stream: Stream, *facts: Fact, times: int = 1) -> Position:
        """Publish facts, each as often as it says; the position of the last."""
        for fact in facts:
            self._heads[stream] += 1
            now = datetime.now(UTC)
            message = encode(Recorded(str(ULID()).lower(), stream, self._heads[stream], fact, now, ""))
            for _ in range(times):
                await self._producer.send_and_wait(
                    message.topic, key=message.key, value=message.value, headers=message.headers
                )
        return Position(stream, self._heads[stream])

    async def found_community(self) -> str:
        community = str(ULID()).lower()
        await self.tell(Stream("membership", "community", community), community_founded())
        return community

    async def register_person(self) -> str:
        person = str(ULID()).lower()
        await self.tell(person_stream(person), person_registered(person))
        return person


class Convenings:
    """The service's API."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def put(self, path: str, body: Mapping[str, Any] | None = None, after: Sequence[Position] = ()) -> Response:
        headers = {"Praxis-After": ", ".join(map(str, after))} if after else {}
        return await self._client.put(f"/v1/communities/{path}", json=dict(body or {}), headers=headers)

    async def accept(self, path: str, body: Mapping[str, Any] | None = None, after: Sequence[Position] = ()) -> None:
        """Send a command until it is accepted, as a client does that is told to come again."""
        answer = await self.put(path, body, after)
        for _ in range(600):
            if answer.status_code != 503:
                break
            await asyncio.sleep(0.1)
            answer = await self.put(path, body, after)
        assert answer.status_code == 202, answer.text


def person_stream(person: str) -> Stream:
    return Stream("membership", "person", person)


@asynccontextmanager
async def serving() -> AsyncIterator[Convenings]:
    """The service as a process has it, from its start to its end."""
    async with lifespan(app) as state:

        async def with_state(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**scope, "state": dict(state)}, receive, send)

        async with AsyncClient(transport=ASGITransport(with_state), base_url="http://convenings", timeout=30) as client:
            for _ in range(300):
                if (await client.get("/health/ready")).status_code == 200:
                    break
                await asyncio.sleep(0.1)
            yield Convenings(client)


@pytest.fixture
def kafka(own_kafka: System) -> str:
    """Not the one of all tests: each service here has a database of its own, and reads topics from their start."""
    return own_kafka.kafka


@pytest.fixture
async def own_database(kafka: str, mongo: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """A database, and so a group, of this test alone: what the service is told by its environment."""
    name = f"convenings_{str(ULID()).lower()}"
    for variable, value in {"KAFKA": kafka, "MONGO": mongo, "DATABASE": name, "PARTITIONS": str(PARTITIONS)}.items():
        monkeypatch.setenv(f"PRAXIS_{variable}", value)
    yield name
    async with connect(mongo) as client:
        await client.drop_database(name)


@pytest.fixture
async def convenings(own_database: str) -> AsyncIterator[Convenings]:
    async with serving() as service:
        yield service


@pytest.fixture
async def membership(kafka: str) -> AsyncIterator[Membership]:
    await ensure_topics(kafka, [topic_name("membership")], partitions=PARTITIONS, replication=1)
    producer = AIOKafkaProducer(bootstrap_servers=kafka, acks="all")
    await producer.start()
    try:
        yield Membership(producer)
    finally:
        await producer.stop()


async def published(kafka: str, community: str, count: int) -> list[Fact]:
    """The facts of a community's convenings stream on Kafka by version, once there are so many."""
    stream = Stream("convenings", "community", community)
    facts: dict[int, Fact] = {}
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic_name("convenings"), number) for number in range(PARTITIONS)])
        await consumer.seek_to_beginning()
        async with asyncio.timeout(60):
            while len(facts) < count:
                polled: Mapping[TopicPartition, Sequence[Record]] = await consumer.getmany(timeout_ms=200)
                ours = [record for batch in polled.values() for record in batch if record.key == stream.key.encode()]
                facts.update({recorded.version: recorded.fact for recorded in map(decode, ours)})
    finally:
        await consumer.stop()
    assert sorted(facts) == list(range(1, len(facts) + 1))
    return [facts[version] for version in sorted(facts)]


async def test_what_membership_tells_is_known_here(convenings: Convenings, membership: Membership) -> None:
    community = await membership.found_community()
    await convenings.accept(f"{community}/convenings/spring", SCHEDULED)


async def test_a_command_waits_for_what_it_builds_on(convenings: Convenings, membership: Membership) -> None:
    stream = Stream("membership", "community", str(ULID()).lower())
    command = convenings.put(f"{stream.id}/convenings/spring", SCHEDULED, after=[Position(stream, 1)])
    waiting = asyncio.create_task(command)
    await asyncio.sleep(0.5)  # longer than the moment that an unknown reference is given
    assert not waiting.done()
    await membership.tell(stream, community_founded())
    assert (await waiting).status_code == 202


async def test_what_it_builds_on_and_has_not_come_in_time_is_named(convenings: Convenings) -> None:
    never = Position(Stream("membership", "community", "never"), 1)
    answer = await convenings.put("never/convenings/spring", SCHEDULED, after=[never])
    assert answer.status_code == 503
    assert "membership/community.never@1" in answer.json()["detail"]


async def test_an_affiliation_of_a_walk_in_reaches_the_communitys_stream(
    convenings: Convenings, membership: Membership, kafka: str
) -> None:
    community, person = await membership.found_community(), await membership.register_person()
    began, ended = affiliation_began(person_id=person), affiliation_ended(person_id=person)
    known = await membership.tell(person_stream(person), began)
    spring = f"{community}/convenings/spring"
    await convenings.accept(spring, SCHEDULED)
    await convenings.accept(f"{spring}/held", HELD)
    await convenings.accept(f"{spring}/attendance/{person}", after=[known])
    await membership.tell(person_stream(person), ended, times=2)  # whatever is repeated is passed on once
    later = affiliation_began("second", person)
    await membership.tell(person_stream(person), later)
    assert await published(kafka, community, count=7) == [
        convening_scheduled(),
        convening_held(),
        attendance_taken(),
        began,
        person_attended(person),
        ended,
        later,
    ]


async def test_no_affiliation_is_lost_that_begins_while_somebody_becomes_known(
    convenings: Convenings, membership: Membership, kafka: str
) -> None:
    community = await membership.found_community()
    spring = f"{community}/convenings/spring"
    await convenings.accept(spring, SCHEDULED)
    await convenings.accept(f"{spring}/held", HELD)
    people = [await membership.register_person() for _ in range(20)]
    began = {person: affiliation_began(person_id=person) for person in people}
    arrivals = [convenings.accept(f"{spring}/attendance/{person}") for person in people]
    affiliations = [membership.tell(person_stream(person), fact) for person, fact in began.items()]
    await asyncio.gather(*arrivals, *affiliations)
    of_person = defaultdict[str, list[Fact]](list)
    for fact in await published(kafka, community, count=3 + 2 * len(people)):
        of_person[getattr(fact, "person_id", "")].append(fact)
    for person in people:
        assert sorted(of_person[person], key=lambda fact: fact.type) == [began[person], person_attended(person)]


async def test_a_walk_in_who_is_merged_or_erased_is_so_in_the_communitys_stream_too(
    convenings: Convenings, membership: Membership, kafka: str
) -> None:
    community = await membership.found_community()
    person, into, last = [await membership.register_person() for _ in range(3)]
    spring = f"{community}/convenings/spring"
    await convenings.accept(spring, SCHEDULED)
    await convenings.accept(f"{spring}/held", HELD)
    await convenings.accept(f"{spring}/attendance/{person}")
    began = affiliation_began(person_id=last)
    known = await membership.tell(person_stream(last), began)
    later = person_merged(into, last)  # may be heard of before the earlier one: they are in different streams
    merged = person_merged(person, into)
    heard = await asyncio.gather(
        membership.tell(person_stream(into), later), membership.tell(person_stream(person), merged)
    )
    for refused in (person, into):
        answer = await convenings.put(f"{spring}/registrations/{refused}", {"registered_on": "2019-02-01"}, after=heard)
        assert answer.status_code == 409, answer.text
        assert answer.json()["type"] == "/problems/person-was-merged"
    erased = person_erased(last)
    heard_last = [known, await membership.tell(person_stream(last), erased)]
    answer = await convenings.put(f"{spring}/registrations/{last}", {"registered_on": "2019-02-01"}, after=heard_last)
    assert answer.json()["type"] == "/problems/person-was-erased"
    facts = (await published(kafka, community, count=8))[3:]
    assert facts[0] == person_attended(person)
    assert sorted(facts[1:], key=str) == sorted([merged, began, later, erased], key=str)


async def test_no_merge_is_lost_that_comes_while_somebody_becomes_known(
    convenings: Convenings, membership: Membership, kafka: str
) -> None:
    community, into = await membership.found_community(), await membership.register_person()
    spring = f"{community}/convenings/spring"
    await convenings.accept(spring, SCHEDULED)
    await convenings.accept(f"{spring}/held", HELD)
    people = [await membership.register_person() for _ in range(20)]
    arrivals = [convenings.put(f"{spring}/attendance/{person}") for person in people]
    merges = [membership.tell(person_stream(person), person_merged(person, into)) for person in people]
    answers = (await asyncio.gather(*arrivals, *merges))[: len(people)]
    came = [one for one, answer in zip(people, answers, strict=True) if getattr(answer, "status_code", 0) == 202]
    of_person = defaultdict[str, list[Fact]](list)
    for fact in await published(kafka, community, count=3 + 2 * len(came)):
        of_person[getattr(fact, "person_id", "")].append(fact)
    for person in people:
        assert of_person[person] == ([person_attended(person), person_merged(person, into)] if person in came else [])


async def test_an_unknown_reference_may_still_be_on_its_way_while_the_service_is_behind(
    convenings: Convenings, membership: Membership, monkeypatch: pytest.MonkeyPatch
) -> None:
    caught_up, put = asyncio.Event(), KnownSink.put

    async def held_up(sink: KnownSink, number: int, records: Mapping[str, Sequence[Record]]) -> None:
        await caught_up.wait()
        await put(sink, number, records)

    community = await membership.found_community()
    await convenings.accept(f"{community}/convenings/spring", SCHEDULED)
    registration, register = f"{community}/convenings/spring/registrations", {"registered_on": "2019-02-01"}
    nobody = str(ULID()).lower()
    monkeypatch.setattr(KnownSink, "put", held_up)
    person = await membership.register_person()
    for unknown in (person, nobody):
        behind = await convenings.put(f"{registration}/{unknown}", register)
        assert behind.status_code == 503
        assert behind.headers["retry-after"] == "1"
        assert behind.json()["errors"][0]["field"] == "person"
    caught_up.set()
    await convenings.accept(f"{registration}/{person}", register)
    unknown_for_good = await convenings.put(f"{registration}/{nobody}", register)
    assert unknown_for_good.status_code == 404
    assert unknown_for_good.json()["type"] == "/problems/unknown-person"


@pytest.fixture
async def other(kafka: str) -> AsyncIterator[AIOKafkaProducer]:
    """A producer of somebody else, who writes in transactions."""
    async with AIOKafkaProducer(bootstrap_servers=kafka, transactional_id=f"other-{ULID()}") as producer:
        yield producer


async def test_a_transaction_of_another_does_not_let_it_seem_behind(
    own_database: str, membership: Membership, other: AIOKafkaProducer
) -> None:
    community = await membership.found_community()
    async with other.transaction():
        person = await Membership(other).register_person()
    async with serving() as convenings:
        await convenings.accept(f"{community}/convenings/spring", SCHEDULED)
        registrations, register = f"{community}/convenings/spring/registrations", {"registered_on": "2019-02-01"}
        await convenings.accept(f"{registrations}/{person}", register)
        unknown = await convenings.put(f"{registrations}/{str(ULID()).lower()}", register)
        assert unknown.status_code == 404, "not 503: it has read to the end"


async def test_who_stands_behind_an_open_transaction_of_another_is_not_known_yet(
    own_database: str, membership: Membership, other: AIOKafkaProducer
) -> None:
    community = await membership.found_community()
    async with serving() as convenings:
        await convenings.accept(f"{community}/convenings/spring", SCHEDULED)
        registrations, register = f"{community}/convenings/spring/registrations", {"registered_on": "2019-02-01"}
        await other.begin_transaction()
        person = await Membership(other).register_person()
        refused = await convenings.put(f"{registrations}/{person}", register)
        assert refused.status_code == 503, "not 404: it may be there"
        await other.commit_transaction()
        await convenings.accept(f"{registrations}/{person}", register)


async def test_what_is_too_much_for_one_transaction_is_known_all_the_same(
    own_database: str, membership: Membership, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.reading.sink.MOST_AT_ONCE", 2)
    community = await membership.found_community()
    stream = Stream("membership", "community", community)
    await membership.tell(stream, *(community_founded() for _ in range(9)))
    async with serving() as convenings:
        async with asyncio.timeout(60):
            await convenings.accept(f"{community}/convenings/spring", SCHEDULED)


async def test_after_a_restart_it_reads_on_where_it_was(own_database: str, membership: Membership, kafka: str) -> None:
    community, person = await membership.found_community(), await membership.register_person()
    spring = f"{community}/convenings/spring"
    async with serving() as convenings:
        await convenings.accept(spring, SCHEDULED)
        await convenings.accept(f"{spring}/held", HELD)
        await convenings.accept(f"{spring}/attendance/{person}")
    while_away = affiliation_began(person_id=person)
    told = await membership.tell(person_stream(person), while_away)
    async with serving() as convenings:
        await convenings.accept(f"{community}/convenings/autumn", SCHEDULED, after=[told])
        facts = await published(kafka, community, count=6)
    assert facts[4:] == [while_away, convening_scheduled("autumn")]
