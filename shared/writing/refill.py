"""Puts facts of `events` back into the outbox, a stream at a time, so that the relay carries them to Kafka again.

Writing goes on meanwhile. What it adds to a stream whose turn is still to come waits in the outbox until then: so every
stream begins with its first fact on an empty topic. Facts that are on Kafka already come again, and readers drop them.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from pymongo.errors import BulkWriteError

from shared.kafka import encode, topic_name
from shared.lease import Lease
from shared.mongo import DUPLICATE_KEY, Database, Document
from shared.reading.log import look_at
from shared.writing.ledger import outgoing, recorded_of
from shared.writing.relay import Relay

log = structlog.get_logger(__name__)

AT_ONCE = 2_000
LOOK_EVERY_S = 0.05

Told = Callable[[int, int], object]
"""Told how many facts were put back, of how many."""


class Refill:
    """Refills one topic from the service's database that publishes it; one at a time per database."""

    def __init__(self, db: Database, bootstrap: str, topic: str, holder: str) -> None:
        self._db, self._topic, self._bootstrap = db, topic, bootstrap
        self._moved = asyncio.Event()
        self._alone = Lease(db, "refill", holder)
        # It relays itself: the service's own relay, which would send what must wait, stands by.
        self._lease = Lease(db, "relay", f"{holder}:refill")
        self._relay = Relay(db, bootstrap, self._moved, held_back=self._held_back)
        self._end = {"stream": f"{topic}0", "version": 0}  # "0" follows "/"
        self._come_to: Document | None = {"stream": f"{topic}/", "version": 0}
        self._last: Sequence[Document] = []
        """What was put there last but one: more is put when that has been sent."""

    async def run(self, told: Told = lambda done, of: None) -> int:
        """Put all back that is on record, or what is left of it if an earlier run was ended, and its topic is there
        still; how many that was.

        Returns once they are on Kafka.

        Raises:
            HeldElsewhere: another refill of this database is under way.
        """
        await self._alone.claim()
        return await self._alone.once(partial(self._run, told))

    async def _run(self, told: Told) -> int:
        await self._lease.seize()
        relaying = asyncio.create_task(self._lease.while_held(self._relay.run))
        try:
            async with AIOKafkaConsumer(topic_name(self._topic), bootstrap_servers=self._bootstrap) as consumer:
                consumer.pause(*_places(consumer))  # it is asked where they begin only
                count = await self._put_back(consumer, told)
            self._come_to = None
            self._moved.set()
            await self._until_sent(self._last)
            await self._db.refills.delete_one({"_id": self._topic})
            return count
        finally:
            relaying.cancel()
            await asyncio.gather(relaying, return_exceptions=True)

    async def _begun(self, consumer: AIOKafkaConsumer) -> Document | None:
        """What an earlier run has left, unless the topic was made anew since, or that is not known."""
        begun = await self._db.refills.find_one({"_id": self._topic})
        if begun is None:
            return None
        firsts, known = await _firsts(consumer), begun.get("firsts", {})
        if known and all(firsts.get(number) == first for number, first in known.items()):
            return begun
        log.warning("refill.begun_anew", topic=self._topic, count=begun["count"])
        return None

    def _held_back(self) -> tuple[Document, Document] | None:
        return (self._come_to, self._end) if self._come_to else None

    async def _put_back(self, consumer: AIOKafkaConsumer, told: Told) -> int:
        begun = await self._begun(consumer)
        before = begun["count"] if begun else 0
        if begun:
            self._come_to = begun["come_to"]
        assert self._come_to is not None
        total = before + await self._db.events.count_documents({"_id": self._range(self._come_to)})
        count = before
        told(count, total)
        while True:
            events = (
                await self._db.events.find({"_id": self._range(self._come_to)}).sort("_id").limit(AT_ONCE).to_list()
            )
            if not events:
                return count - before
            await self._put([outgoing(event["_id"], encode(recorded_of(event))) for event in events])
            count += len(events)
            self._come_to = events[-1]["_id"]
            self._moved.set()
            told(count, max(total, count))
            await self._until_sent(self._last)
            place = {"$set": {"come_to": self._come_to, "count": count, "firsts": await _firsts(consumer)}}
            await self._db.refills.update_one({"_id": self._topic}, place, upsert=True)
            self._last = [event["_id"] for event in events]

    async def _put(self, messages: Sequence[Document]) -> None:
        try:
            await self._db.outbox.insert_many(messages, ordered=False)
        except BulkWriteError as problem:  # what was just written is in the outbox already
            if any(error["code"] != DUPLICATE_KEY for error in problem.details["writeErrors"]):
                raise

    async def _until_sent(self, places: Sequence[Document]) -> None:
        """Wait until these have left the outbox."""
        while await self._db.outbox.find_one({"_id": {"$in": places}}, {"_id": 1}):  # noqa: ASYNC110 - nobody rings
            await asyncio.sleep(LOOK_EVERY_S)

    def _range(self, after: Document | None) -> Document:
        return {"$gt": after, "$lt": self._end}


async def _firsts(consumer: AIOKafkaConsumer) -> Mapping[str, int]:
    """Partition -> when its first record came onto Kafka: what tells a topic from one that was made anew."""
    found = await look_at(consumer, _places(consumer))
    return {str(place.partition): first for place, first in found.firsts.items()}


def _places(consumer: AIOKafkaConsumer) -> Collection[TopicPartition]:
    assigned: Collection[TopicPartition] = consumer.assignment()
    return assigned
