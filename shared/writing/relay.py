"""The relay: carries what the outbox holds to Kafka, in order of stream and version, and is its only publisher.

A crash, or two relays at once, repeats messages and never loses one. What Kafka does not take holds up what is to come
after it in the same place, and nothing else.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, ProducerClosed
from pymongo.errors import PyMongoError

from shared import failpoints, telemetry
from shared.drivers import by_its_name
from shared.kafka import partition_of
from shared.mongo import Database, Document
from shared.running import told_to_end
from shared.writing.metrics import (
    OUTBOX_AGE_SECONDS,
    OUTBOX_LOOKED_AT,
    OUTBOX_MESSAGES,
    RELAY_FAILURES,
    RELAY_SECONDS,
    RELAYED,
)

log = structlog.get_logger(__name__)

AT_ONCE = 2_000
MOST_UNDER_WAY = 10 * AT_ONCE
"""More than one partition can hold up, so that the rest goes on; and bounded, where Kafka takes nothing."""
LATE_AFTER_S = 1.0
"""What Kafka has not acknowledged by then is no longer waited for by the rest."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0
TELL_EVERY_S = 5.0
LANES = 48
"""A multiple of a topic's partitions, be they 12, 16 or 24, so that what shares a lane is on one partition. Where they
are no such number, one that is refused holds up some of the others.
"""

Lane = tuple[str, int]
"""Of a topic, what is sent one after the other."""


@dataclass(frozen=True)
class _Sending:
    """What is under way to Kafka in a lane."""

    messages: Sequence[Document]
    acknowledged: asyncio.Task[None]


@dataclass(frozen=True)
class _Refusal:
    """What Kafka did not take of a lane, and for how many seconds that rested."""

    why: str
    pause: float


class Relay:
    """Follows one database's outbox. `committed` rings when this process wrote; the change stream when another did.

    What lies between the two places that `held_back` names, neither included, is not sent for now.
    """

    def __init__(
        self,
        db: Database,
        bootstrap: str,
        committed: asyncio.Event,
        *,
        held_back: Callable[[], tuple[Document, Document] | None] = lambda: None,
    ) -> None:
        self._outbox = db.outbox
        self._bootstrap = bootstrap
        self._doorbell = committed
        self._held_back = held_back
        self._refused: dict[Lane, _Refusal] = {}
        self._resting: set[Lane] = set()
        self._failure: str | None = None

    @property
    def last_failure(self) -> str | None:
        """Why something does not come to Kafka."""
        return next((refusal.why for refusal in self._refused.values()), self._failure)

    async def run(self) -> None:
        """Relay for ever; after any failure the producer is thrown away and all starts again from the outbox."""
        watching = asyncio.create_task(self._watch())
        pause = FIRST_PAUSE_S
        try:
            while not told_to_end():
                producer = AIOKafkaProducer(
                    bootstrap_servers=self._bootstrap,
                    enable_idempotence=True,
                    acks="all",
                    linger_ms=0,
                    compression_type=None,
                )
                starting = asyncio.create_task(by_its_name(producer.start()))
                try:
                    await asyncio.shield(starting)
                    self._failure, pause = None, FIRST_PAUSE_S
                    await by_its_name(self._follow(producer))
                except (KafkaError, PyMongoError, OSError) as problem:
                    engine = "MongoDB" if isinstance(problem, PyMongoError) else "Kafka"
                    self._failure = f"{engine} failed: {problem!r}"
                    RELAY_FAILURES.inc()
                    log.warning("relay.began_again", reason=repr(problem))
                finally:
                    await _throw_away(producer, starting)
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_S)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            self._failure = None  # what does not come to Kafka now, somebody else will say
            self._refused.clear()

    async def tell_age(self) -> None:
        """Tell Prometheus, for ever, how old the oldest message is; in every process, whichever of them relays."""
        while not told_to_end():
            with contextlib.suppress(PyMongoError):  # it is told again when MongoDB is back
                await by_its_name(self._tell_age())
            await asyncio.sleep(TELL_EVERY_S)

    async def _tell_age(self) -> None:
        # in the order in which WiredTiger stored them: an index of times would cost every write
        oldest = await self._outbox.find({}, {"put_at": 1}).sort("$natural", 1).limit(1).to_list()
        now = datetime.now(UTC)
        since = oldest[0].get("put_at", now) if oldest else now
        OUTBOX_AGE_SECONDS.set(max((now - since).total_seconds(), 0.0))
        OUTBOX_MESSAGES.set(await self._outbox.estimated_document_count())
        OUTBOX_LOOKED_AT.set(now.timestamp())

    async def _follow(self, producer: AIOKafkaProducer) -> None:
        after: Document | None = None
        is_moving = False
        under_way: dict[Lane, _Sending] = {}
        passed_over: set[Lane] = set()
        try:
            while True:
                if after is None:
                    self._doorbell.clear()
                    is_moving = False
                    passed_over.clear()
                batch = await self._outbox.find(self._due(after)).sort("_id").limit(AT_ONCE).to_list()
                free = self._free(batch, under_way, passed_over)
                with RELAY_SECONDS.time() if free else contextlib.nullcontext():
                    is_moving |= await self._send(producer, free, under_way)
                # go on after the last key and wrap, so that a busy stream starves none
                after = batch[-1]["_id"] if len(batch) == AT_ONCE else None
                if after is None and not is_moving:  # a whole pass found nothing that may be sent
                    await self._doorbell.wait()
        finally:
            left = [sending.acknowledged for sending in under_way.values()]
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    def _due(self, after: Document | None) -> Document:
        query: Document = {"_id": {"$gt": after}} if after else {}
        if held_back := self._held_back():
            query["$nor"] = [{"_id": {"$gt": held_back[0], "$lt": held_back[1]}}]
        return query

    def _free(
        self, batch: Sequence[Document], under_way: Mapping[Lane, _Sending], passed_over: set[Lane]
    ) -> Mapping[Lane, list[Document]]:
        """By lane, what may be sent now: nothing overtakes what is under way, or what Kafka did not take.

        A lane that is passed over once is so for the rest of the pass, for more of the same stream may follow.
        """
        free: dict[Lane, list[Document]] = defaultdict(list)
        is_full = sum(len(sending.messages) for sending in under_way.values()) >= MOST_UNDER_WAY
        passed_over.update(under_way, self._resting)
        for message in batch:
            lane = message["topic"], _lane(message["key"])
            if is_full:
                passed_over.add(lane)
            if lane not in passed_over:
                free[lane].append(message)
        return free

    async def _send(
        self, producer: AIOKafkaProducer, free: Mapping[Lane, list[Document]], under_way: dict[Lane, _Sending]
    ) -> bool:
        """Send it, and delete what is acknowledged, also of what was sent before; false if there is nothing of either.

        Raises:
            KafkaError: some of it was not taken: the producer is of no use any more.
        """
        for lane, messages in free.items():
            task = asyncio.create_task(_carry(producer, messages))
            task.add_done_callback(lambda _: self._doorbell.set())  # nobody may be waiting for it any more
            under_way[lane] = _Sending(messages, task)
        if free:
            await asyncio.wait([under_way[lane].acknowledged for lane in free], timeout=LATE_AFTER_S)
        acknowledged, problem = list[Document](), None
        for lane, sending in list(under_way.items()):
            if not sending.acknowledged.done():
                continue
            del under_way[lane]
            if failure := sending.acknowledged.exception():
                problem = problem or failure
                self._rest(lane, f"Kafka did not take {_place(sending.messages[0])} on {lane[0]}: {failure!r}")
            else:
                self._refused.pop(lane, None)
                acknowledged += sending.messages
        if acknowledged:
            await self._delete(acknowledged)
        if problem:
            raise problem
        return bool(free or acknowledged)

    def _rest(self, lane: Lane, why: str) -> None:
        """So that others are not disturbed all the time: each attempt that fails costs the producer of all."""
        before = self._refused.get(lane)
        pause = min(before.pause * 2, LONGEST_PAUSE_S) if before else FIRST_PAUSE_S
        self._refused[lane] = _Refusal(why, pause)
        self._resting.add(lane)
        asyncio.get_running_loop().call_later(pause, self._rested, lane)

    def _rested(self, lane: Lane) -> None:
        # told by the timer, not by a clock: a timer may be early by it, and nobody would ring again
        self._resting.discard(lane)
        self._doorbell.set()

    async def _delete(self, messages: Sequence[Document]) -> None:
        failpoints.reached("relay.acknowledged")
        await self._outbox.delete_many({"_id": {"$in": [message["_id"] for message in messages]}})
        failpoints.reached("relay.deleted")
        for topic in {message["topic"] for message in messages}:
            RELAYED.labels(topic).inc(sum(message["topic"] == topic for message in messages))
        traces = telemetry.trace_ids(_traceparents(messages))
        places = sorted(_place(message) for message in messages)
        log.info("outbox.relayed", count=len(messages), first=places[0], last=places[-1], traces=traces)

    async def _watch(self) -> None:
        """Ring when another process has written to the outbox."""
        while not told_to_end():
            self._doorbell.set()  # what came while nobody watched
            with contextlib.suppress(PyMongoError):
                await by_its_name(self._listen())
            await asyncio.sleep(FIRST_PAUSE_S)

    async def _listen(self) -> None:
        inserted: list[Document] = [{"$match": {"operationType": "insert"}}, {"$project": {"_id": 1}}]
        async with await self._outbox.watch(inserted) as changes:
            async for _ in changes:
                self._doorbell.set()


async def _carry(producer: AIOKafkaProducer, messages: Sequence[Document]) -> None:
    """Send one lane's, and return once Kafka has acknowledged all of it."""
    sent = [
        await producer.send(
            message["topic"],
            key=message["key"],
            value=message["value"],
            headers=[(name, value) for name, value in message["headers"]],
        )
        for message in messages
    ]
    failpoints.reached("relay.sent")
    await asyncio.gather(*sent)


def _lane(key: bytes) -> int:
    """All of a partition are in one lane, as long as the number of lanes is a multiple of that of partitions."""
    return partition_of(key, LANES)


async def _throw_away(producer: AIOKafkaProducer, starting: asyncio.Task[None]) -> None:
    """It has failed already; what it held is still in the outbox. What it cannot send it would keep trying to.

    One that is still connecting does so first: cut off in that, it would leave the connection open.
    """
    with contextlib.suppress(Exception):
        await asyncio.wait_for(starting, timeout=5)
    with contextlib.suppress(Exception):
        await asyncio.wait_for(producer.stop(), timeout=5)
        return
    with contextlib.suppress(Exception):
        producer._message_accumulator.fail_all(ProducerClosed())  # noqa: SLF001 - it offers no way to end without
        await asyncio.wait_for(producer._sender.close(), timeout=5)  # noqa: SLF001
    with contextlib.suppress(Exception):
        await asyncio.wait_for(producer.client.close(), timeout=5)


def _traceparents(batch: Sequence[Document]) -> Iterator[str]:
    for message in batch:
        yield from (value.decode(errors="replace") for name, value in message["headers"] if name == "traceparent")


def _place(message: Document) -> str:
    place: Any = message["_id"]
    return f"{place['stream']}@{place['version']}"
