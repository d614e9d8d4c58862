"""A worker that watches itself: it ends where it is stuck, bears that Kafka is away, stops at too many dead letters."""

import asyncio
import json
import re
import signal
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from ulid import ULID

from deploy.local.services import waiting_for
from deploy.local.settings import free_ports
from deploy.local.system import System
from services.metrics.watchdog import EXIT_CODE
from shared.events.fact import Recorded
from shared.kafka import encode, ensure_topics
from shared.mongo import Database
from shared.reading.heads import unseen
from shared.views.builds import FIRST
from tests.integration.test_metrics_worker import (
    PARTITIONS,
    ROOT,
    SESSION,
    Worker,
    begin_at_the_end,
    history,
    number_of,
    producer,
    send,
    sums,
)
from tests.integration.waiting import until

__all__ = ["producer"]  # a fixture

MUTE = """
import asyncio, runpy
from services.metrics.stream import BatchConsumer
async def mute(self, fetcher): await asyncio.sleep(3600)
BatchConsumer._drain_messages = mute
runpy.run_module("services.metrics", run_name="__main__")
"""
"""A consumer that dies quietly: it is assigned its partitions, and hands nothing over."""
OLD = """
import runpy
from shared.events.fact import FACTS
from shared.events.membership import MemberJoined
del FACTS[MemberJoined.type]
runpy.run_module("services.metrics", run_name="__main__")
"""
"""A release that does not know yet that somebody can join."""
HUNG = """
import runpy, time
from services.metrics.worker import Worker
async def hang(self): time.sleep(3600)
Worker.hint = hang
runpy.run_module("services.metrics", run_name="__main__")
"""
"""An event loop that is never given back."""


class OneWorker(Worker):
    """A process of the metrics service that is impatient, on a port that is known."""

    def __init__(self, kafka: System, db: Database, folder: Path) -> None:
        (self.port,) = free_ports(1)
        environment = {
            "PRAXIS_KAFKA": kafka.kafka,
            "PRAXIS_MONGO": kafka.mongo,
            "PRAXIS_DATABASE": db.name,
            "PRAXIS_GROUP": db.name,
            "PRAXIS_PORT": str(self.port),
            "PRAXIS_PARTITIONS": str(PARTITIONS),
            "PRAXIS_SESSION_TIMEOUT": SESSION,
            "PRAXIS_DATA_DIR": str(folder / "faust"),
            "PRAXIS_STUCK_AFTER": "PT12S",
            "PRAXIS_DEAD_LETTERS_AT_LEAST": "3",
            "PRAXIS_DEAD_LETTER_SHARE": "0.001",  # other tests have filled the partitions with good ones
        }
        super().__init__(environment, folder / "worker.log")

    async def start_as(self, program: str) -> None:
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", program, env=self._environment, cwd=ROOT, stdout=log, stderr=log
            )

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def metric(self, name: str) -> float:
        """The sum over its labels."""
        return sum((await self.labelled(name)).values())

    async def labelled(self, name: str) -> dict[str, float]:
        """By its labels, as they are written."""
        text = await asyncio.to_thread(self._metrics)
        found = re.findall(rf"^{name}(?:{{(.*)}})? (\S+)$", text, re.MULTILINE)
        return {labels: float(value) for labels, value in found}

    def _metrics(self) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5) as answer:
            told: str = answer.read().decode()
            return told

    async def waits_for(self) -> str | None:
        return await asyncio.to_thread(waiting_for, self.port)


@pytest.fixture
async def worker(own_kafka: System, db: Database, tmp_path: Path) -> AsyncIterator[OneWorker]:
    worker = OneWorker(own_kafka, db, tmp_path)
    yield worker
    await worker.kill()


async def is_folded(db: Database, facts: list[Recorded]) -> bool:
    return not await unseen(db[FIRST.heads], [fact.position for fact in facts])


async def test_a_worker_whose_consumer_died_quietly_ends_and_its_successor_goes_on(
    worker: OneWorker, producer: AIOKafkaProducer, own_kafka: System, db: Database
) -> None:
    await begin_at_the_end(own_kafka.kafka, db)
    await worker.start_as(MUTE)
    await until(lambda: _has(worker, "partitions.assigned"))
    await asyncio.sleep(14)
    assert worker.runs, "without facts that wait it does nothing wrong"
    facts = history(people=20)
    await send(producer, map(encode, facts))
    behind = f'partition="{number_of(facts)}",topic="membership.events"'
    await until(lambda: _lags(worker, behind))
    assert await worker.ended() == EXIT_CODE
    (told,) = worker.said("worker.stuck")
    assert told["level"] == "critical"
    assert told["reason"].startswith("21 facts wait, from offset ")
    await worker.start()
    await until(lambda: is_folded(db, facts))
    await until(lambda: _is_ready(worker))
    await until(lambda: _tells(worker, praxis_lag_facts=0, praxis_lag_seconds=0, praxis_worker_stuck_seconds=0))


async def _lags(worker: OneWorker, behind: str) -> bool:
    """One partition has 21 facts that wait, ever longer; its others have none."""
    assert await _tells(worker, praxis_partitions_assigned=3 * PARTITIONS, praxis_rebalances_total=1)
    trends = await worker.labelled("praxis_lag_trend")
    return (
        {where: lag for where, lag in (await worker.labelled("praxis_lag_facts")).items() if lag} == {behind: 21}
        and (await worker.labelled("praxis_lag_seconds"))[behind] > 2
        and trends.pop(behind) > 0.1  # over half a minute, in most of which nothing waited
        and set(trends.values()) == {0}
        and await worker.metric("praxis_worker_stuck_seconds") > 2
        and time.time() - await worker.metric("praxis_lag_looked_at_seconds") < 30
    )


async def test_a_worker_whose_loop_hangs_ends_and_shows_where(worker: OneWorker) -> None:
    await worker.start_as(HUNG)
    assert await worker.ended() == EXIT_CODE
    (told,) = worker.said("worker.stuck")
    assert told["reason"] == "the event loop does not turn"
    assert "in hang" in worker._log.read_text()


async def test_a_worker_that_was_stopped_and_goes_on_is_not_ended_for_it(
    worker: OneWorker, producer: AIOKafkaProducer, own_kafka: System, db: Database
) -> None:
    await begin_at_the_end(own_kafka.kafka, db)
    await worker.start()
    await until(lambda: _has(worker, "partitions.assigned"))
    worker.send(signal.SIGSTOP)
    facts = history(people=20)
    await send(producer, map(encode, facts))
    await asyncio.sleep(14)
    worker.send(signal.SIGCONT)
    await until(lambda: is_folded(db, facts))
    assert worker.runs


async def test_kafka_that_is_away_is_no_lack_of_progress(
    worker: OneWorker, producer: AIOKafkaProducer, own_kafka: System, db: Database
) -> None:
    await begin_at_the_end(own_kafka.kafka, db)
    await worker.start_as(MUTE)  # so that facts wait
    await until(lambda: _has(worker, "partitions.assigned"))
    await send(producer, map(encode, history(people=20)))
    own_kafka.kill("kafka")
    try:
        await asyncio.sleep(20)
        assert time.time() - await worker.metric("praxis_lag_looked_at_seconds") > 10
        assert worker.runs
        assert "kafka: no broker answers" in str(await worker.waits_for())
    finally:
        own_kafka.start("kafka")
    assert await worker.ended() == EXIT_CODE


async def test_a_transaction_that_another_has_open_is_no_lack_of_progress_and_is_named(
    worker: OneWorker, producer: AIOKafkaProducer, own_kafka: System, db: Database
) -> None:
    async def names_it() -> bool:
        return f"open on membership.events, partition {number_of(facts)}" in (await worker.waits_for() or "")

    facts = history(people=20)
    await begin_at_the_end(own_kafka.kafka, db)
    await worker.start()
    await until(lambda: _has(worker, "partitions.assigned"))
    async with AIOKafkaProducer(bootstrap_servers=own_kafka.kafka, transactional_id=f"other-{ULID()}") as other:
        await other.begin_transaction()
        first = encode(facts[0])
        await other.send_and_wait(first.topic, first.value, key=first.key, headers=first.headers)
        await send(producer, map(encode, facts[1:]))  # behind it
        await until(names_it)
        await asyncio.sleep(14)
        assert worker.runs
        assert await worker.metric("praxis_lag_facts") == len(facts)
        assert not await is_folded(db, facts)
        await other.commit_transaction()
    await until(lambda: is_folded(db, facts))
    await until(lambda: _is_ready(worker))


async def test_while_kafka_is_frozen_a_worker_is_not_ready(worker: OneWorker, own_kafka: System, db: Database) -> None:
    async def waits_for_kafka() -> bool:
        return "kafka: no broker answers" in (await worker.waits_for() or "")

    async def is_ready() -> bool:
        return await worker.waits_for() is None

    await begin_at_the_end(own_kafka.kafka, db)
    await worker.start()
    await until(is_ready)
    own_kafka.child("kafka").signal(signal.SIGSTOP)
    try:
        await until(waits_for_kafka)
    finally:
        own_kafka.child("kafka").signal(signal.SIGCONT)
    await until(is_ready)
    assert worker.runs


async def test_while_a_topic_is_absent_a_worker_is_not_ready_and_names_it(
    worker: OneWorker, own_kafka: System, db: Database
) -> None:
    async def names_it() -> bool:
        return "feedback.events is not on Kafka any more: refill it" in (await worker.waits_for() or "")

    await begin_at_the_end(own_kafka.kafka, db)
    await worker.start()
    await until(lambda: _has(worker, "partitions.assigned"))
    admin = AIOKafkaAdminClient(bootstrap_servers=own_kafka.kafka)
    await admin.start()
    try:
        await admin.delete_topics(["feedback.events"])
        await until(names_it)
        assert worker.runs
    finally:
        await admin.close()
        await worker.kill()
        await ensure_topics(own_kafka.kafka, ["feedback.events"], partitions=PARTITIONS, replication=1)


async def test_too_many_dead_letters_stop_a_worker_until_they_are_discarded(
    worker: OneWorker, producer: AIOKafkaProducer, own_kafka: System, db: Database
) -> None:
    await begin_at_the_end(own_kafka.kafka, db)
    good = history(people=2)
    broken = [encode(fact)._replace(value=b"{") for fact in history(people=3)]
    await worker.start()
    await send(producer, [*broken, *map(encode, good)])
    await until(lambda: _has(worker, "worker.stopped"))
    reason = await worker.waits_for()
    assert "2 of the last" not in str(reason)
    assert "could not be understood" in str(reason)
    (told,) = worker.said("worker.stopped")
    others = [others for others in (history(people=2) for _ in range(10)) if number_of(others) != told["partition"]]
    await send(producer, [encode(fact) for facts in others for fact in facts])
    await until(lambda: is_folded(db, [fact for facts in others for fact in facts]))
    await asyncio.sleep(14)
    assert worker.runs, "it waits for somebody: it is not stuck"
    await until(
        lambda: _tells(worker, praxis_worker_stopped=1, praxis_dead_letters_waiting=2, praxis_missing_versions=2)
    )
    assert await worker.metric("praxis_lag_facts") >= 2
    assert await worker.metric("praxis_lag_seconds") > 10

    document = await db[FIRST.partitions].find_one({"_id": told["partition"]})
    assert document
    assert "could not be understood" in document["halted"]["reason"], "those who have no partitions hear of it"

    (first, second) = (await praxis(worker, "list"))["dead_letters"]
    assert first["missing"]
    done = await praxis(worker, "discard", first["id"], second["id"], "--by=ops", "--why=sent by a test")
    assert [one["outcome"] for one in done["dead_letters"]] == ["discarded", "discarded"]
    await until(lambda: _has(worker, "worker.went_on"))
    await until(lambda: is_folded(db, good))
    assert await worker.waits_for() is None

    async def two_more_wait() -> bool:
        return len((await praxis(worker, "list"))["dead_letters"]) == 2

    await until(two_more_wait)  # what follows the one at which it stood still is read again first
    refused = await praxis(worker, "replay", "--all", "--by=ops", fails=True)
    assert Counter("does not understand it either" in one["refused"] for one in refused["dead_letters"]) == {True: 2}


async def test_a_worker_that_stands_still_while_another_comes_and_goes_leaves_nothing_out(
    worker: OneWorker, producer: AIOKafkaProducer, own_kafka: System, db: Database, tmp_path: Path
) -> None:
    """A partition that is assigned anew is not paused any more, so that more comes of it than follows."""
    sent, enough = list[Recorded](), asyncio.Event()

    async def load() -> None:
        while not enough.is_set():
            facts = history(people=3)
            await send(producer, map(encode, facts))
            sent.extend(facts)

    async def is_assigned_anew() -> bool:
        return len(worker.said("partitions.assigned")) > before

    await begin_at_the_end(own_kafka.kafka, db)
    await worker.start()
    await until(lambda: _has(worker, "partitions.assigned"))
    broken = encode(history(people=0)[0])
    await send(producer, [broken._replace(value=b"{", headers=[]) for _ in range(4)])
    loading = asyncio.create_task(load())
    await until(lambda: _has(worker, "worker.stopped"))
    (tmp_path / "other").mkdir()
    other = OneWorker(own_kafka, db, tmp_path / "other")
    await other.start()
    await until(lambda: _has(other, "partitions.assigned"))
    before = len(worker.said("partitions.assigned"))
    other.send(signal.SIGTERM)
    assert await other.ended() == 0
    await until(is_assigned_anew)
    letters = [letter["id"] for letter in (await praxis(worker, "list"))["dead_letters"]]
    await praxis(worker, "discard", *letters, "--by=ops", "--why=sent by a test")
    await until(lambda: _goes_on(worker))
    enough.set()
    await loading
    await until(lambda: is_folded(db, sent))


async def _goes_on(worker: OneWorker) -> bool:
    return bool(worker.said("worker.went_on") or worker.said("partition.sought_back"))


async def test_what_a_release_does_not_understand_is_replayed_with_the_next(
    worker: OneWorker, producer: AIOKafkaProducer, own_kafka: System, db: Database
) -> None:
    await begin_at_the_end(own_kafka.kafka, db)
    await worker.start_as(OLD)
    await until(lambda: _is_ready(worker))
    facts = history(people=2)
    await send(producer, map(encode, facts))
    await until(lambda: _tells(worker, praxis_dead_letters_waiting=2, praxis_missing_versions=2))
    letters = (await praxis(worker, "list"))["dead_letters"]
    shown: Any = await praxis(worker, "show", letters[0]["id"])
    assert shown["reason"].startswith("no fact is called praxis.member-joined.v1")
    assert (shown["topic"], shown["position"]) == ("membership.events", f"{facts[0].stream}@2")
    assert encode(facts[1]).value == shown["value"].encode()
    refused = await praxis(worker, "replay", "--all", "--by=ops", fails=True)
    assert all("no fact is called" in one["refused"] for one in refused["dead_letters"])
    worker.send(signal.SIGTERM)
    assert await worker.ended() == 0

    await worker.start()
    await until(lambda: _is_ready(worker))
    done = await praxis(worker, "replay", "--all", "--by=ops")
    assert [one["outcome"] for one in done["dead_letters"]] == ["folded", "folded"]
    assert await is_folded(db, facts)
    assert (await sums(db, facts[0].stream.id, date(2026, 1, 1)))["members", ""] == 2
    await until(lambda: _tells(worker, praxis_dead_letters_waiting=0, praxis_missing_versions=0))
    again = await praxis(worker, "replay", letters[0]["id"], "--by=ops")
    assert [one["outcome"] for one in again["dead_letters"]] == ["was there before: nothing to fold"]


async def praxis(worker: OneWorker, *arguments: str, fails: bool = False) -> dict[str, list[dict[str, str]]]:
    """What `praxis dead-letters` answers, in a process of its own."""
    command = [sys.executable, "-c", "from deploy.cli import main; main()", "dead-letters", *arguments, "--json"]
    process = await asyncio.create_subprocess_exec(
        *command,
        env={**worker._environment, "PRAXIS_METRICS": f"http://127.0.0.1:{worker.port}"},
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    told, _ = await process.communicate()
    assert process.returncode == int(fails)
    answer: dict[str, list[dict[str, str]]] = json.loads(told)
    return answer


async def _has(worker: Worker, event: str) -> bool:
    return bool(worker.said(event))


async def _is_ready(worker: OneWorker) -> bool:
    return await worker.waits_for() is None


async def _tells(worker: OneWorker, **values: float) -> bool:
    return all([await worker.metric(name) == value for name, value in values.items()])
