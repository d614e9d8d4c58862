"""The Faust application: it owns topics, group and assignment, and hands over whole polls of records.

Faust's own acknowledgements are never used: what is folded, and where reading goes on, stands in MongoDB.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from functools import partial
from typing import Any, cast

import faust
import structlog
import yarl
from aiokafka import TopicPartition
from aiokafka.errors import IllegalStateError
from faust.tables import TableManager
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from services.metrics.metrics import REBALANCES
from services.metrics.settings import Settings
from shared.drivers import by_its_name
from shared.events.fact import SOURCE_TOPICS
from shared.kafka import Record, topic_name
from shared.reading.follower import AWAY, FIRST_PAUSE_S, LONGEST_PAUSE_S, LONGEST_WITHOUT_POLL, in_words, require_log
from shared.reading.hand import FETCHED_BYTES, LONGEST_POLL_S, MOST_POLLED, polled
from shared.reading.log import Log, LostLog, cluster_id, look_at, topic_of
from shared.reading.sink import Folding
from shared.running import told_to_end

log = structlog.get_logger(__name__)

SOUGHT_WITHIN_S = 30.0

Poll = Mapping[TopicPartition, Sequence[Record]]


class _CommittedThread(driver.AIOKafkaConsumerThread):
    """Reads no record of a transaction that was given up, or is not ended: Faust does so only if it writes such."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"  # noqa: SLF001 - Faust offers no other way
        return consumer


class BatchConsumer(driver.Consumer):
    """Puts whole polls on the application's queue, and goes on from where MongoDB says."""

    app: "Stream"
    _pause_s = FIRST_PAUSE_S

    def _new_consumer_thread(self) -> driver.AIOKafkaConsumerThread:
        return _CommittedThread(self, loop=self.loop, beacon=self.beacon)

    async def _drain_messages(self, fetcher: Any) -> None:
        while not (self.should_stop or fetcher.should_stop):
            await self.app.wanted.wait()
            records, _ = await self._wait_next_records(LONGEST_POLL_S)
            if records and self.flow_active:
                self.app.wanted.clear()
                self.app.polls.put_nowait((self.app.consumer_generation_id, records))

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Mapping[TP, list[Any]]:  # noqa: ASYNC109
        """Poll those that Faust has not paused, save those of which enough is in hand."""
        return await polled(active_partitions or set(), self.app.full(), super()._getmany)

    async def verify_all_partitions_active(self) -> None:
        """Called by Faust now and then, which would take its idle agents for stuck: the watchdog looks instead."""

    async def seek_to_committed(self) -> Mapping[TopicPartition, int]:
        """Called by Faust between assignment and resuming. While Kafka or MongoDB is away, Faust begins again with it.

        Faust does not bear to wait here for long: after 90 seconds it would never go on.
        """
        try:
            async with asyncio.timeout(SOUGHT_WITHIN_S):
                stored = await by_its_name(self._seek_stored())
        except LostLog as problem:
            self.app.lost = problem
            raise
        except AWAY as problem:
            if told_to_end():
                raise
            log.warning("partitions.not_sought", reason=repr(problem))
            self.app.problem = f"what is stored and what Kafka holds cannot be compared: {in_words(problem)}"
            await asyncio.sleep(self._pause_s)
            self._pause_s = min(self._pause_s * 2, LONGEST_PAUSE_S)
            cast(TableManager, self.app.tables).recovery.signal_recovery_start.set()
            return await asyncio.Future()  # cancelled by that
        self._pause_s, self.app.problem = FIRST_PAUSE_S, None
        log.info("partitions.assigned", count=len(stored), generation=self.app.consumer_generation_id)
        return stored

    async def _seek_stored(self) -> dict[TopicPartition, int]:
        places = self.assignment()
        stored = await require_log(self.app.sink, places, partial(self._look, places))
        await self.seek_wait(stored)
        return stored

    async def _look(self, places: Collection[TopicPartition]) -> Log:
        cluster = await cluster_id(self.app.bootstrap)
        consumer = self._thread._ensure_consumer()  # noqa: SLF001 - Faust offers no other way to its consumer
        found: Log = await self._thread.call_thread(look_at, consumer, places, cluster)
        return found

    async def seek_back(self, number: int, next: Mapping[str, int]) -> None:
        """Go on from these offsets, by topic, in the places of a partition number that are assigned here."""
        places = {place: next[topic_of(place)] for place in self._places_of(number) if topic_of(place) in next}
        with suppress(IllegalStateError):  # assigned to somebody else meanwhile, who seeks there anyway
            await self.seek_wait(places)

    def pause(self, number: int) -> None:
        """Poll nothing more of a partition number."""
        self.pause_partitions(self._places_of(number))

    def go_on(self, number: int) -> None:
        self.resume_partitions(self._places_of(number))

    def _places_of(self, number: int) -> list[TopicPartition]:
        return [place for place in self.assignment() if place.partition == number]

    async def hint(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Commit offsets to Kafka, for lag displays only."""
        await self._commit(offsets)


class BatchTransport(driver.Transport):
    Consumer = BatchConsumer


class Stream(faust.App):
    """The application of one worker. It polls when the worker wants more, and hands over all that has arrived."""

    def __init__(self, settings: Settings, sink: Folding) -> None:
        broker = f"kafka://{settings.kafka}"
        super().__init__(
            settings.group,
            broker=broker,
            store="memory://",
            datadir=settings.data_dir,
            autodiscover=False,
            web_enabled=False,
            topic_disable_leader=True,
            topic_allow_declare=False,
            topic_partitions=settings.partitions,
            stream_wait_empty=False,
            key_serializer="raw",
            value_serializer="raw",
            broker_session_timeout=settings.session_timeout.total_seconds(),
            broker_max_poll_interval=LONGEST_WITHOUT_POLL.total_seconds(),
            broker_heartbeat_interval=settings.session_timeout.total_seconds() / 5,
            broker_max_poll_records=MOST_POLLED,
            consumer_max_fetch_size=FETCHED_BYTES,
            consumer_auto_offset_reset="earliest",
        )
        self.transport = BatchTransport([yarl.URL(broker)], self)
        self.sink, self.bootstrap = sink, settings.kafka
        self.wanted = asyncio.Event()
        self.polls: asyncio.Queue[tuple[int, Poll]] = asyncio.Queue()
        self.full: Callable[[], AbstractSet[TopicPartition]] = frozenset
        """The partitions of which nothing more is wanted yet."""
        self.places: frozenset[TopicPartition] = frozenset()
        """The partitions that are folded here, as far as this worker knows."""
        self.on_partitions_assigned.connect(_note_assigned)
        self.lost: LostLog | None = None
        self.problem: str | None = None
        """Why the partitions that were assigned are not read yet."""
        for topic in SOURCE_TOPICS:  # an idle agent per topic keeps the subscription
            self.agent(self.topic(topic_name(topic), value_serializer="raw", key_serializer="raw"), name=topic)(_idle)

    @property
    def batches(self) -> BatchConsumer:
        """The consumer, by the type that the transport makes."""
        assert isinstance(self.consumer, BatchConsumer)
        return self.consumer


async def _note_assigned(app: Any, /, *assigned: Any, **_: Any) -> None:
    (places,) = assigned
    REBALANCES.inc()
    app.places = frozenset(TopicPartition(*place) for place in places)


async def _idle(stream: Any) -> None:
    async for _ in stream:
        pass
