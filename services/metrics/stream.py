"""The Faust application: it owns topics, group and assignment, and hands over whole polls of records.

Faust's own acknowledgements are never used: what is folded, and where reading goes on, stands in MongoDB.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import faust
import structlog
import yarl
from aiokafka import TopicPartition
from faust.transport.drivers import aiokafka as driver

from services.metrics.metrics import REBALANCES
from services.metrics.settings import Settings
from shared.events.fact import SOURCE_TOPICS
from shared.kafka import Record, topic_name
from shared.reading.follower import LONGEST_WITHOUT_POLL, LostLog, check_log, stored_offsets
from shared.reading.sink import Folding

log = structlog.get_logger(__name__)

Poll = Mapping[TopicPartition, Sequence[Record]]


class BatchConsumer(driver.Consumer):
    """Puts whole polls on the application's queue, and goes on from where MongoDB says."""

    app: "Stream"

    async def _drain_messages(self, fetcher: Any) -> None:
        while not (self.should_stop or fetcher.should_stop):
            await self.app.wanted.wait()
            records, _ = await self._wait_next_records(1.0)
            if records and self.flow_active:
                self.app.wanted.clear()
                self.app.polls.put_nowait((self.app.consumer_generation_id, records))

    async def seek_to_committed(self) -> Mapping[TopicPartition, int]:
        """Called by Faust between assignment and resuming."""
        consumer = self._thread._ensure_consumer()  # noqa: SLF001 - Faust offers no other way to its consumer
        places = self.assignment()
        stored = await stored_offsets(self.app.sink, places)
        beginning = await self._thread.call_thread(consumer.beginning_offsets, places)
        end = await self._thread.call_thread(consumer.end_offsets, places)
        try:
            check_log(stored, beginning, end)
        except LostLog as problem:
            self.app.lost = problem
            raise
        await self.seek_wait(stored)
        log.info("partitions.assigned", count=len(stored), generation=self.app.consumer_generation_id)
        return stored

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
            consumer_max_fetch_size=4 * 1024 * 1024,
            consumer_auto_offset_reset="earliest",
        )
        self.transport = BatchTransport([yarl.URL(broker)], self)
        self.sink = sink
        self.wanted = asyncio.Event()
        self.polls: asyncio.Queue[tuple[int, Poll]] = asyncio.Queue()
        self.places: frozenset[TopicPartition] = frozenset()
        """The partitions that are folded here, as far as this worker knows."""
        self.on_partitions_assigned.connect(_note_assigned)
        self.lost: LostLog | None = None
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
