"""MongoDB goes away at bad moments: who needs it waits, a worker alive but not ready, and goes on when it is back."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from ulid import ULID

from deploy.local.services import waiting_for
from deploy.local.settings import Ports, free_ports
from deploy.local.system import System
from services.metrics.builds import current_build
from shared.kafka import encode
from shared.mongo import Session, connect, transact
from tests.engines import skipped_where_unavailable, temporary_home
from tests.integration.test_metrics_worker import PARTITIONS, SESSION, Worker, begin_at_the_end, history, producer, send
from tests.integration.test_rebuild import SECOND, Rebuilding
from tests.integration.test_watching import is_folded
from tests.integration.waiting import until

__all__ = ["producer"]  # a fixture

AWAY_S = 8
"""Faust gives up for good after 90 seconds of one wait, which is more than a test should take."""


@pytest.fixture
def own_mongo(own_kafka: System) -> Iterator[System]:
    with temporary_home() as home:
        system = System(home, Ports.free(), kafka=own_kafka.kafka)
        try:
            with skipped_where_unavailable():
                system.start("mongo")
            yield system
        finally:
            system.down()


def environment(system: System, database: str, port: int, folder: Path) -> Mapping[str, str]:
    return {
        "PRAXIS_KAFKA": system.kafka,
        "PRAXIS_MONGO": system.mongo,
        "PRAXIS_DATABASE": database,
        "PRAXIS_GROUP": database,
        "PRAXIS_PORT": str(port),
        "PRAXIS_PARTITIONS": str(PARTITIONS),
        "PRAXIS_SESSION_TIMEOUT": SESSION,
        "PRAXIS_DATA_DIR": str(folder / f"faust-{port}"),
    }


@pytest.fixture
async def workers(own_mongo: System, tmp_path: Path) -> AsyncIterator[dict[int, Worker]]:
    """Two workers of one group, by the ports on which they answer; not started."""
    database = f"test-{ULID()}".lower()
    ports = free_ports(2)
    made = {port: Worker(environment(own_mongo, database, port, tmp_path), tmp_path / f"{port}.log") for port in ports}
    yield made
    for worker in made.values():
        await worker.kill()


async def test_a_worker_that_is_given_partitions_while_mongodb_is_away_takes_them_when_it_is_back(
    own_mongo: System, own_kafka: System, producer: AIOKafkaProducer, workers: dict[int, Worker]
) -> None:
    (port, one), (_, other) = workers.items()
    async with connect(own_mongo.mongo) as client:
        db = client[one._environment["PRAXIS_DATABASE"]]
        await begin_at_the_end(own_kafka.kafka, db)

        async def are_shared() -> bool:
            return one.assigned + other.assigned == PARTITIONS * 3 and min(one.assigned, other.assigned) > 0

        await one.start()
        await other.start()
        await until(are_shared)
        own_mongo.kill("mongo")
        await other.kill()  # its partitions are the first one's when its session has ended

        async def waits() -> bool:
            return len(one.said("partitions.not_sought")) > 1

        await until(waits)
        await asyncio.sleep(AWAY_S)
        reason = await asyncio.to_thread(waiting_for, port)
        assert "mongo: it does not answer" in str(reason), "alive, not ready"
        facts = history(people=20)
        await send(producer, map(encode, facts))
        own_mongo.start("mongo")
        await until(lambda: is_folded(db, facts))

        async def has_all() -> bool:
            return one.assigned == PARTITIONS * 3

        await until(has_all)
        assert not one.said("task.died")
        one.send(signal.SIGTERM)
        assert await one.ended() == 0


async def test_a_rebuild_waits_while_mongodb_is_away_and_goes_on(
    own_mongo: System, producer: AIOKafkaProducer, workers: dict[int, Worker]
) -> None:
    worker = next(iter(workers.values()))
    async with connect(own_mongo.mongo) as client:
        db = client[worker._environment["PRAXIS_DATABASE"]]
        await worker.start()
        facts = history(people=20)
        await send(producer, map(encode, facts))
        await until(lambda: is_folded(db, facts))
        rebuild = Rebuilding(worker._environment)

        async def is_waiting() -> bool:
            return bool(rebuild.told) and rebuild.told[-1]["stage"] == "away"

        async def has_begun() -> bool:
            return any(one["stage"] == "begun" for one in rebuild.told)

        own_mongo.kill("mongo")
        await rebuild.start()
        await until(is_waiting)
        own_mongo.start("mongo")
        await until(has_begun)
        own_mongo.kill("mongo")
        await until(is_waiting)
        await asyncio.sleep(AWAY_S)  # so that its lease is not prolonged in time
        own_mongo.start("mongo")
        await rebuild.ended()
        assert rebuild.exit == 0, rebuild.told
        assert rebuild.said("compared")["counts"] == {}
        assert await current_build(db) == SECOND


@pytest.mark.parametrize("begun_s", [0.025, 0.04])
async def test_commits_in_which_mongodb_is_frozen_until_their_time_is_over_come_about_once(
    own_mongo: System, begun_s: float
) -> None:
    """It ends transactions that are 10 seconds old, also those that it is committing, and does not say that it did."""
    many, waiting, all_wait = 60, 0, asyncio.Event()
    async with connect(own_mongo.mongo) as client:
        written = client[f"test-{ULID()}".lower()].written
        await written.insert_one({"by": "nobody"})

        async def write(number: int) -> None:
            async def body(session: Session) -> None:
                nonlocal waiting
                await written.insert_many([{"by": number, "words": "x" * 200} for _ in range(300)], session=session)
                waiting += 1
                if waiting == many:
                    all_wait.set()
                await all_wait.wait()
                await asyncio.sleep(number / 1_000)

            await transact(client, body)

        async with asyncio.timeout(60), asyncio.TaskGroup() as writing:
            for number in range(many):
                writing.create_task(write(number))
            await all_wait.wait()
            await asyncio.sleep(begun_s)
            own_mongo.child("mongo").signal(signal.SIGSTOP)
            await asyncio.sleep(10.5)
            own_mongo.child("mongo").signal(signal.SIGCONT)
        counts = [await written.count_documents({"by": number}) for number in range(many)]
        assert counts == [300] * many
