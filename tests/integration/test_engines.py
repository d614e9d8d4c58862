"""Kafka and MongoDB as the local system runs them: started twice, killed, stopped and started again."""

from collections.abc import Iterator
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from pymongo import MongoClient

from deploy.local.failures import PortInUse, Unreachable
from deploy.local.settings import Ports
from deploy.local.system import System
from tests.engines import skipped_where_unavailable, temporary_home

TOPIC = "kept"


@pytest.fixture(scope="module")
def engines_alone() -> Iterator[System]:
    """Engines of this module's own, running when a test begins."""
    with temporary_home() as home:
        system = System(home, Ports.free())
        with skipped_where_unavailable():
            system.fetch()
        try:
            system.up(engines_only=True)
            yield system
        finally:
            system.down()


async def publish(system: System, value: bytes) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=system.kafka)
    await admin.start()
    try:
        if TOPIC not in await admin.list_topics():
            await admin.create_topics([NewTopic(TOPIC, 1, 1)])
    finally:
        await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=system.kafka, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        await producer.send_and_wait(TOPIC, value)
    finally:
        await producer.stop()


async def published(system: System) -> list[bytes]:
    consumer = AIOKafkaConsumer(bootstrap_servers=system.kafka, auto_offset_reset="earliest")
    await consumer.start()
    try:
        partition = TopicPartition(TOPIC, 0)
        consumer.assign([partition])
        end = (await consumer.end_offsets([partition]))[partition]
        await consumer.seek_to_beginning(partition)
        values: list[bytes] = []
        while len(values) < end:
            record = await consumer.getone()
            values.append(record.value)
        return values
    finally:
        await consumer.stop()


def client(system: System) -> MongoClient[dict[str, Any]]:
    return MongoClient(system.mongo, serverSelectionTimeoutMS=10_000)


def test_up_again_says_that_all_runs_already_and_is_quick(engines_alone: System) -> None:
    again = engines_alone.up(engines_only=True)
    assert again.started == []
    assert again.already_running == ["kafka", "mongo"]
    assert again.seconds < 1


def test_another_system_on_the_same_ports_is_told_who_holds_them(engines_alone: System) -> None:
    with temporary_home() as home:
        other = System(home, engines_alone.ports)
        with pytest.raises(PortInUse) as refused:
            other.up(engines_only=True)
        assert refused.value.pid == engines_alone.pid("kafka")
        assert other.down() == []
    assert engines_alone.pid("kafka")


async def test_what_was_acknowledged_is_there_after_kafka_was_killed(engines_alone: System) -> None:
    await publish(engines_alone, b"before the kill")
    engines_alone.kill("kafka")
    assert {part.name: part.state for part in engines_alone.status()}["kafka"] == "killed"
    engines_alone.up(engines_only=True)
    assert (await published(engines_alone))[-1] == b"before the kill"


def test_what_a_majority_has_is_there_after_mongo_was_killed(engines_alone: System) -> None:
    with client(engines_alone) as before:
        before.kept.get_collection("kept").insert_one({"_id": 1})
    engines_alone.kill("mongo")
    assert engines_alone.up(engines_only=True).started == ["mongo"]
    with client(engines_alone) as after:
        assert after.kept.get_collection("kept").find_one() == {"_id": 1}


async def test_down_and_up_on_other_ports_keeps_the_data(engines_alone: System) -> None:
    await publish(engines_alone, b"before down")
    with client(engines_alone) as before:
        before.kept.get_collection("moved").insert_one({"_id": "before down"})
    assert engines_alone.down() == ["kafka", "mongo"]
    assert engines_alone.down() == []
    elsewhere = System(engines_alone.home, Ports.free())
    try:
        elsewhere.up(engines_only=True)
        assert (await published(elsewhere))[-1] == b"before down"
        with client(elsewhere) as after:
            assert after.kept.get_collection("moved").find_one() == {"_id": "before down"}
    finally:
        elsewhere.down()
        engines_alone.up(engines_only=True)


def test_engines_that_the_user_named_are_used_and_never_stopped(engines_alone: System) -> None:
    with temporary_home() as home:
        guest = System(home, Ports.free(), kafka=engines_alone.kafka, mongo=engines_alone.mongo)
        assert guest.up(engines_only=True).started == []
        assert {part.name: (part.state, part.ready) for part in guest.status()[:2]} == {
            "kafka": ("yours", True),
            "mongo": ("yours", True),
        }
        assert guest.down() == []
    assert engines_alone.pid("kafka")
    assert engines_alone.pid("mongo")


def test_a_named_engine_that_does_not_answer_is_told_with_its_setting() -> None:
    with temporary_home() as home:
        ports = Ports.free()
        with pytest.raises(Unreachable, match="unset PRAXIS_KAFKA"):
            System(home, ports, kafka=f"127.0.0.1:{ports.kafka}").up(engines_only=True)


def test_three_nodes_elect_another_primary_when_theirs_is_killed() -> None:
    with temporary_home() as home:
        system = System(home, Ports.free(), mongo_nodes=3, kafka="127.0.0.1:1")
        with skipped_where_unavailable():
            system.fetch()
        try:
            for name in ("mongo", "mongo-2", "mongo-3"):
                system.start(name, wait=name == "mongo-3")
            with client(system) as nodes:
                nodes.kept.get_collection("kept").insert_one({"_id": 1})
                first = nodes.primary
                assert first
                system.kill(system.node(first[1]))
                nodes.kept.get_collection("kept").insert_one({"_id": 2})  # the driver finds the new one
                assert nodes.primary != first
        finally:
            system.down()


async def test_the_engines_of_this_run_answer(kafka: str, mongo: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    await admin.close()
    with MongoClient[dict[str, Any]](mongo) as nodes, nodes.start_session() as session:
        with session.start_transaction():
            nodes.probe.get_collection("probe").insert_one({"_id": 1}, session=session)
        nodes.drop_database("probe")
