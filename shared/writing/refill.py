"""Puts facts of `events` back into the outbox, a stream at a time, so that the relay carries them to Kafka again.

Writing goes on meanwhile. What it adds to a stream whose turn is still to come waits in the outbox until then: so every
stream begins with its first fact on an empty topic. Facts that are on Kafka already come again, and readers drop them.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import NamedTuple

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

Begins = dict[str, list[int | None]]
"""Partition -> where it begins, and when its record at offset 0 came onto Kafka; without those that never held any. It
tells a topic from one that was made anew.
"""
Told = Callable[[int, int], object]
"""Told how many facts were put back, of how many."""


class Refilled(NamedTuple):
    facts: int
    """How many are on Kafka again."""
    earlier: int
    """How many of them an earlier run has put there, which was ended."""


class _MadeAnew(Exception):
    """The topic is not the one that so many facts were put on: it was made anew, or cut."""

    def __init__(self, count: int) -> None:
        self.count = count


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
        self._beginning = {"stream": f"{topic}/", "version": 0}
        self._come_to: Document | None = self._beginning

    async def run(self, told: Told = lambda done, of: None) -> Refilled:
        """Put all back that is on record, or what is left of it if an earlier run was ended.

        A topic that was made anew since it was begun, in an earlier run or in this one, is begun anew. Returns once all
        are on Kafka.

        Raises:
            HeldElsewhere: another refill of this database is under way.
        """
        await self._alone.claim()
        return await self._alone.once(partial(self._run, told))

    async def _run(self, told: Told) -> Refilled:
        while True:
            try:
                return await self._relaying(told)
            except _MadeAnew as begun:
                log.warning("refill.begun_anew", topic=self._topic, count=begun.count)
                await self._db.refills.delete_one({"_id": self._topic})

    async def _relaying(self, told: Told) -> Refilled:
        """
        Raises:
            _MadeAnew: and the relay has ended, so that nothing is deleted that only the topic before had.
        """
        await self._lease.seize()
        self._come_to = self._beginning
        relaying = asyncio.create_task(self._lease.while_held(self._relay.run))
        try:
            async with AIOKafkaConsumer(topic_name(self._topic), bootstrap_servers=self._bootstrap) as consumer:
                consumer.pause(*_places(consumer))  # it is asked where they begin only
                return await self._put_back(consumer, told)
        finally:
            relaying.cancel()
            await asyncio.gather(relaying, return_exceptions=True)

    def _held_back(self) -> tuple[Document, Document] | None:
        return (self._come_to, self._end) if self._come_to else None

    async def _put_back(self, consumer: AIOKafkaConsumer, told: Told) -> Refilled:
        """
        Raises:
            _MadeAnew: what was put on the topic is not there any more.
        """
        begun = await self._db.refills.find_one({"_id": self._topic})
        earlier, come_to = (begun["count"], begun["come_to"]) if begun else (0, self._beginning)
        begins = await _begins(consumer)
        if begun:
            _require_the_same(begun.get("begins", {}), begins, earlier)
        self._come_to = come_to
        count, total = earlier, earlier + await self._db.events.count_documents({"_id": self._range(come_to)})
        last = list[Document]()
        told(count, total)
        while events := await self._following(come_to):
            messages = [outgoing(event["_id"], encode(recorded_of(event))) for event in events]
            await self._put(messages)
            come_to = self._come_to = events[-1]["_id"]
            self._moved.set()
            if not begins:  # it was empty: only now it can be told from another one, and these come again
                await self._until_sent(messages)
                begins = await _begins(consumer)
                await self._put(messages)
                self._moved.set()
            count += len(events)
            told(count, max(total, count))
            await self._until_sent(last)
            begins |= _require_the_same(begins, await _begins(consumer), count)
            place = {"$set": {"come_to": come_to, "count": count, "begins": begins}}
            await self._db.refills.update_one({"_id": self._topic}, place, upsert=True)
            last = messages  # more is put when that has been sent
        self._come_to = None
        self._moved.set()
        await self._until_sent(last)
        if count:
            _require_the_same(begins, await _begins(consumer), count)
        await self._db.refills.delete_one({"_id": self._topic})
        return Refilled(count, earlier)

    async def _following(self, place: Document) -> list[Document]:
        return await self._db.events.find({"_id": self._range(place)}).sort("_id").limit(AT_ONCE).to_list()

    async def _put(self, messages: Sequence[Document]) -> None:
        try:
            await self._db.outbox.insert_many(messages, ordered=False)
        except BulkWriteError as problem:  # what was just written is in the outbox already
            if any(error["code"] != DUPLICATE_KEY for error in problem.details["writeErrors"]):
                raise

    async def _until_sent(self, messages: Sequence[Document]) -> None:
        """Wait until these have left the outbox."""
        places = [message["_id"] for message in messages]
        while await self._db.outbox.find_one({"_id": {"$in": places}}, {"_id": 1}):  # noqa: ASYNC110 - nobody rings
            await asyncio.sleep(LOOK_EVERY_S)

    def _range(self, after: Document | None) -> Document:
        return {"$gt": after, "$lt": self._end}


def _require_the_same(known: Begins, found: Begins, count: int) -> Begins:
    """What was found, if it is the topic that is known.

    Raises:
        _MadeAnew: it is not, or it is not known.
    """
    if not known or any(found.get(number) != mark for number, mark in known.items()):
        raise _MadeAnew(count)
    return found


async def _begins(consumer: AIOKafkaConsumer) -> Begins:
    found = await look_at(consumer, _places(consumer))
    marks = {place: [beginning, found.firsts.get(place)] for place, beginning in found.beginnings.items()}
    return {str(place.partition): mark for place, mark in marks.items() if mark != [0, None]}


def _places(consumer: AIOKafkaConsumer) -> Collection[TopicPartition]:
    assigned: Collection[TopicPartition] = consumer.assignment()
    return assigned
