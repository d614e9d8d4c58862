"""The composition root of the convenings service: writer, relay, the follower of `membership`, and their readiness."""

import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI

from services.convenings.api import router
from services.convenings.domain.convenings import Convening
from services.convenings.domain.feedback import Form, Response, ResponseWords
from services.convenings.domain.innovations import Adoption, Innovation
from services.convenings.domain.participation import Participation
from services.convenings.known import KnownCommunity, KnownMembership, KnownOrganisation, KnownPerson
from services.convenings.projection import KnownSink
from services.convenings.settings import Settings
from shared.events.fact import SOURCE_TOPICS
from shared.http.app import application
from shared.kafka import ensure_topics, topic_name
from shared.lease import Lease
from shared.mongo import Database, connect
from shared.reading.follower import Follower
from shared.reading.heads import Waiting
from shared.running import Tasks, kafka_check, mongo_check, until_done
from shared.writing.patience import PatientWriter
from shared.writing.relay import Relay
from shared.writing.store import make_collections
from shared.writing.writer import Writer

KNOWN = (KnownCommunity, KnownMembership, KnownOrganisation, KnownPerson)
STATES = (Convening, Participation, Form, Response, ResponseWords, Innovation, Adoption, *KNOWN)


class Streams:
    """What goes on once MongoDB and Kafka are there: the relay, under its lease, and the follower of `membership`."""

    def __init__(self, settings: Settings, db: Database, relay: Relay, follower: Follower) -> None:
        self._settings, self._db, self._relay, self._follower = settings, db, relay, follower
        self._lease = Lease(db, "relay", f"{socket.gethostname()}:{settings.port}")
        self._waits_for: str | None = "collections and topics are not there yet"

    async def run(self, tasks: Tasks) -> None:
        settings = self._settings
        await until_done(lambda: make_collections(self._db, STATES, ("heads", "partitions")))
        topics = [topic_name(topic) for topic in SOURCE_TOPICS]  # membership's too: either may start first
        await ensure_topics(settings.kafka, topics, partitions=settings.partitions, replication=settings.replication)
        self._waits_for = None
        tasks.start("relay", self._lease.while_held(self._relay.run))
        tasks.start("follower", self._follower.run())

    async def check(self) -> str | None:
        if self._waits_for or self._relay.last_failure:
            return self._waits_for or self._relay.last_failure
        if self._follower.waits_for:
            return f"reading goes on when {self._follower.waits_for} is there"
        return None if await self._follower.has_caught_up() else "what membership has published is still being read"


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[Mapping[str, Any]]:
    settings = Settings()
    async with connect(settings.mongo) as client, Tasks() as tasks:
        db = client[settings.database]
        writer = Writer(client, db)
        sink = KnownSink(client, db, writer.committed, settings.partitions)
        follower = Follower(settings.kafka, ["membership"], settings.database, sink, session=settings.session_timeout)
        waiting = Waiting(lambda: db[sink.heads], topics=["membership"])
        relay = Relay(db, settings.kafka, writer.committed)
        streams = Streams(settings, db, relay, follower)
        tasks.start("writer", writer.run())
        tasks.start("streams", streams.run(tasks))
        tasks.start("outbox age", relay.tell_age())
        yield {
            "writes": PatientWriter(writer, waiting, follower.is_behind),
            "checks": {
                "mongo": mongo_check(client),
                "kafka": kafka_check(settings.kafka),
                "streams": streams.check,
            },
        }


app = application("Praxis convenings", lifespan)
app.include_router(router)
