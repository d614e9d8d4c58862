"""The relay: carries what the outbox holds to Kafka, in order of stream and version, and is its only publisher.

A crash, or two relays at once, repeats messages and never loses one.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from pymongo.errors import PyMongoError

from shared import failpoints, telemetry
from shared.mongo import Database, Document, by_its_name
from shared.running import told_to_end
from shared.writing.metrics import OUTBOX_AGE_SECONDS, OUTBOX_MESSAGES, RELAY_FAILURES, RELAY_SECONDS, RELAYED

log = structlog.get_logger(__name__)

AT_ONCE = 2_000
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0
TELL_EVERY_S = 5.0


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
        self.last_failure: str | None = None

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
                try:
                    await producer.start()
                    self.last_failure, pause = None, FIRST_PAUSE_S
                    await by_its_name(self._follow(producer))
                except (KafkaError, PyMongoError, OSError) as problem:
                    self.last_failure = repr(problem)
                    RELAY_FAILURES.inc()
                    log.warning("relay.began_again", reason=repr(problem))
                finally:
                    await _throw_away(producer)
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_S)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

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

    async def _follow(self, producer: AIOKafkaProducer) -> None:
        after: Document | None = None
        while True:
            self._doorbell.clear()
            batch = await self._outbox.find(self._due(after)).sort("_id").limit(AT_ONCE).to_list()
            if batch:
                with RELAY_SECONDS.time():
                    await self._send(producer, batch)
            elif after is None:  # a whole pass found nothing
                await self._doorbell.wait()
            # go on after the last key and wrap, so that a busy stream starves none
            after = batch[-1]["_id"] if len(batch) == AT_ONCE else None

    def _due(self, after: Document | None) -> Document:
        query: Document = {"_id": {"$gt": after}} if after else {}
        if held_back := self._held_back():
            query["$nor"] = [{"_id": {"$gt": held_back[0], "$lt": held_back[1]}}]
        return query

    async def _send(self, producer: AIOKafkaProducer, batch: Sequence[Document]) -> None:
        sent = [
            await producer.send(
                message["topic"],
                key=message["key"],
                value=message["value"],
                headers=[(name, value) for name, value in message["headers"]],
            )
            for message in batch
        ]
        failpoints.reached("relay.sent")
        await asyncio.gather(*sent)
        failpoints.reached("relay.acknowledged")
        await self._outbox.delete_many({"_id": {"$in": [message["_id"] for message in batch]}})
        failpoints.reached("relay.deleted")
        for topic in {message["topic"] for message in batch}:
            RELAYED.labels(topic).inc(sum(message["topic"] == topic for message in batch))
        traces = telemetry.trace_ids(_traceparents(batch))
        log.info("outbox.relayed", count=len(batch), first=_place(batch[0]), last=_place(batch[-1]), traces=traces)

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


async def _throw_away(producer: AIOKafkaProducer) -> None:
    with contextlib.suppress(Exception):  # it has failed already; what it held is still in the outbox
        await asyncio.wait_for(producer.stop(), timeout=5)


def _traceparents(batch: Sequence[Document]) -> Iterator[str]:
    for message in batch:
        yield from (value.decode(errors="replace") for name, value in message["headers"] if name == "traceparent")


def _place(message: Document) -> str:
    place: Any = message["_id"]
    return f"{place['stream']}@{place['version']}"
