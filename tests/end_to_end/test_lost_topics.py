"""Kafka's topics are lost: what is on record is put back, read anew, and gives the same figures."""

import asyncio
import json
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from deploy.local.system import System
from shared.events.fact import SOURCE_TOPICS, Position, Stream
from shared.kafka import encode, topic_name
from shared.mongo import Database, connect
from shared.reading.heads import unseen
from shared.views.builds import FIRST
from tests.builders import member_joined, recorded
from tests.command import praxis
from tests.integration.waiting import until

AS_AT = "--as-at=2020-12-31"


def figures(system: System) -> Any:
    code, said, complaints = praxis(system, "figures", AS_AT, "--json")
    assert code == 0, complaints
    return json.loads(said)


async def delete_topics(kafka: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.delete_topics([topic_name(topic) for topic in SOURCE_TOPICS])
    finally:
        await admin.close()


async def is_seen(db: Database, position: Position) -> bool:
    return await unseen(db[FIRST.heads], [position]) == []


async def send_stray(system: System) -> None:
    """A fact that nobody has recorded, well ahead in the stream of a community; returns once it is folded."""
    client = connect(system.mongo)
    head = await client["membership"].streams.find_one({"_id": {"$regex": "^membership/community"}})
    assert head is not None
    stray = recorded(member_joined(), head["version"] + 7, Stream.parse(head["_id"]))
    producer = AIOKafkaProducer(bootstrap_servers=system.kafka)
    await producer.start()
    try:
        topic, key, value, headers = encode(stray)
        await producer.send_and_wait(topic, value, key=key, headers=headers)
        await until(lambda: is_seen(client["metrics"], stray.position))
    finally:
        await producer.stop()
        await client.close()


def test_lost_topics_are_refilled_and_a_rebuild_gives_the_same_figures(own_system: System) -> None:
    own_system.up()
    assert praxis(own_system, "demo")[0] == 0
    before = figures(own_system)
    asyncio.run(send_stray(own_system))

    own_system.down(services_only=True)
    asyncio.run(delete_topics(own_system.kafka))
    code, _, complaints = praxis(own_system, "up")
    assert code == 1, "who follows the topics stops, and says so"
    assert "the topic was made anew: refill it" in complaints, complaints

    assert praxis(own_system, "refill", "--new-topics", "--topic", "convenings")[0] == 0
    early = ("rebuild", "--new-topics", "--grace", "0", "--take-back", "--accept-differences")
    code, _, complaints = praxis(own_system, *early)
    assert code == 1, "the refill was not at its end"
    assert "some is on record" in complaints, complaints

    code, said, complaints = praxis(own_system, "refill", "--new-topics")
    assert code == 0, complaints
    rebuild = ("rebuild", "--new-topics", "--grace", "0")
    code, said, complaints = praxis(own_system, *rebuild)
    assert code == 1, "a fact that was seen goes only if somebody says so"
    assert "--take-back" in complaints, complaints
    code, said, complaints = praxis(own_system, *rebuild, "--take-back")
    assert code == 1, "and accepts those that are named"
    assert "streams with facts that the old build has seen and the new topics do not hold: 1" in said, said
    assert "`praxis rebuild --new-topics --take-back --accept-differences` lets it" in complaints, complaints
    code, said, complaints = praxis(own_system, *rebuild, "--take-back", "--accept-differences")
    assert code == 0, complaints
    assert "all are equal" in said, said
    assert praxis(own_system, "up")[0] == 0
    assert figures(own_system) == before

    assert praxis(own_system, "demo")[0] == 0, "it says nothing new, and everything still fits"
    assert figures(own_system) == before
