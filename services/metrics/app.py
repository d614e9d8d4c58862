"""The composition root of the metrics processor: Faust and the worker, with health and metrics over HTTP."""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from fastapi import FastAPI

from services.metrics import api, dead_letters
from services.metrics.builds import CurrentBuild
from services.metrics.dead_letters import bury, dead_topic
from services.metrics.fold import Fold
from services.metrics.settings import Settings
from services.metrics.settling import DeadLetters
from services.metrics.stream import Stream
from services.metrics.watchdog import Watchdog
from services.metrics.watching import Watching
from services.metrics.worker import Worker
from shared.events.fact import SOURCE_TOPICS
from shared.http.app import application
from shared.kafka import ensure_topics, topic_name
from shared.lease import Lease
from shared.mongo import connect
from shared.reading.sink import Sink
from shared.running import Tasks, kafka_check, mongo_check, until_done
from shared.views.builds import Build
from shared.writing.relay import Relay


class Processor:
    """One worker process: starts when MongoDB and Kafka are there, and ends loudly when Faust does."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.client = connect(settings.mongo)
        self.db = self.client[settings.database]
        self.current = CurrentBuild(self.db, self._sink)
        self.stream: Stream | None = None
        self.worker: Worker | None = None
        self.relay: Relay | None = None
        self.watching: Watching | None = None
        self.waits_for: str | None = "MongoDB and Kafka"

    async def run(self) -> None:
        settings = self.settings
        sources = [topic_name(topic) for topic in SOURCE_TOPICS]
        make = partial(ensure_topics, settings.kafka, partitions=settings.partitions, replication=settings.replication)
        await make(sources)
        await make([dead_topic(topic) for topic in sources], exactly=False)  # nobody reads these by partition
        await until_done(self._prepare)
        stream = self.stream = Stream(settings, self.current)
        worker = self.worker = Worker(stream, self.current)
        self.waits_for = "partitions to be assigned"
        committed = asyncio.Event()
        relay = self.relay = Relay(self.db, settings.kafka, committed)
        lease = Lease(self.db, "relay", f"{socket.gethostname()}:{settings.port}")
        watching = self.watching = Watching(settings, self.db, self.current, stream, worker)
        with Watchdog(settings.stuck_after) as watchdog:
            async with Tasks() as tasks:
                tasks.start("relay", lease.while_held(relay.run))
                tasks.start("outbox age", relay.tell_age())
                tasks.start("worker", worker.run())
                tasks.start("watching", watching.run(watchdog))
                try:
                    await stream.start()
                    self.waits_for = None
                    async with Tasks() as beside:
                        beside.start("hint", worker.hint())
                        await stream.wait_until_stopped()
                finally:
                    await stream.stop()
        raise stream.lost or RuntimeError("Faust stopped by itself: see the lines above")

    async def _prepare(self) -> None:
        await self.current.open()
        await dead_letters.prepare(self.db)

    def _sink(self, build: Build) -> Sink:
        return Sink(
            self.client,
            self.db,
            SOURCE_TOPICS,
            Fold(build),
            partial(bury, limit=self.settings.dead_letter_limit, build=build),
            heads=build.heads,
            partitions=build.partitions,
            cached=self.settings.most_cached,
            spread_over=self.settings.partitions,
        )

    async def check(self) -> str | None:
        return (
            (self.stream.problem if self.stream else None)
            or self.waits_for
            or (self.worker.stopped if self.worker else None)
            or (self.watching.problem if self.watching else None)
            or (self.relay.last_failure if self.relay else None)
        )


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[Mapping[str, Any]]:
    processor = Processor(Settings())
    async with Tasks() as tasks:
        tasks.start("processor", processor.run())
        yield {
            "checks": {
                "mongo": mongo_check(processor.client),
                "kafka": kafka_check(processor.settings.kafka),
                "stream": processor.check,
            },
            "dead_letters": DeadLetters(processor.client, processor.db, processor.settings.partitions),
        }
    await processor.client.close()


app = application("Praxis metrics", lifespan)
app.include_router(api.router)
app.include_router(api.missing)
