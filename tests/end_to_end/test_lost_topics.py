"""Kafka's topics are lost: what is on record is put back, read anew, and gives the same figures."""

import asyncio
import json
import os
import subprocess
import sys
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient

from deploy.local.settings import REPOSITORY
from deploy.local.system import System
from shared.events.fact import SOURCE_TOPICS
from shared.kafka import topic_name

AS_AT = "--as-at=2020-12-31"


def praxis(system: System, *arguments: str) -> tuple[int, str, str]:
    """The command in a process of its own, on this system: exit code, what it said, what it complained of."""
    ports = {f"PRAXIS_{name.upper()}_PORT": str(port) for name, port in system.ports.model_dump().items()}
    own = {"PRAXIS_HOME": str(system.home), "PRAXIS_GATEWAY": system.gateway, **ports}
    command = [sys.executable, "-c", "from deploy.cli import main; main()", *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, **own}, cwd=REPOSITORY, check=False
    )
    return done.returncode, done.stdout, done.stderr


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


def test_lost_topics_are_refilled_and_a_rebuild_gives_the_same_figures(own_system: System) -> None:
    own_system.up()
    assert praxis(own_system, "demo")[0] == 0
    before = figures(own_system)

    own_system.down(services_only=True)
    asyncio.run(delete_topics(own_system.kafka))
    code, _, complaints = praxis(own_system, "up")
    assert code == 1, "who follows the topics stops, and says so"
    assert "the topic was made anew: refill it" in complaints, complaints

    code, said, complaints = praxis(own_system, "refill", "--new-topics")
    assert code == 0, complaints
    code, said, complaints = praxis(own_system, "rebuild", "--new-topics", "--grace", "0")
    assert code == 0, complaints
    assert "all are equal" in said
    assert praxis(own_system, "up")[0] == 0
    assert figures(own_system) == before

    assert praxis(own_system, "demo")[0] == 0, "it says nothing new, and everything still fits"
    assert figures(own_system) == before
