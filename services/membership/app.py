"""The composition root of the membership service: the writer, the relay, the reference list, and their readiness."""

import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI

from services.membership.api import router
from services.membership.domain.communities import Community
from services.membership.domain.design_groups import DesignGroup
from services.membership.domain.memberships import Membership
from services.membership.domain.organisations import CodeHolder, Organisation, organisations
from services.membership.domain.people import Person, ReferenceHolder
from services.membership.domain.programmes import Programme
from services.membership.reference import ods
from services.membership.settings import Settings
from shared.http.app import application
from shared.kafka import ensure_topics, topic_name
from shared.lease import Lease
from shared.mongo import Database, connect
from shared.running import Tasks, kafka_check, mongo_check, until_done
from shared.writing.relay import Relay
from shared.writing.store import make_collections
from shared.writing.writer import Writer

STATES = (Organisation, CodeHolder, Programme, DesignGroup, Community, Membership, Person, ReferenceHolder)


class Streams:
    """What goes on once MongoDB and Kafka are there: the relay, under its lease."""

    def __init__(self, settings: Settings, db: Database, relay: Relay) -> None:
        self._settings, self._db, self._relay = settings, db, relay
        self._lease = Lease(db, "relay", f"{socket.gethostname()}:{settings.port}")
        self._waits_for: str | None = "collections and topic are not there yet"

    async def run(self) -> None:
        settings, topics = self._settings, [topic_name("membership")]
        await until_done(lambda: make_collections(self._db, STATES, answering=("person_id",)))
        await ensure_topics(settings.kafka, topics, partitions=settings.partitions, replication=settings.replication)
        self._waits_for = None
        await self._lease.while_held(self._relay.run)

    async def check(self) -> str | None:
        return self._waits_for or self._relay.last_failure


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[Mapping[str, Any]]:
    settings = Settings()
    listed = ods.load(settings.ods_reference)
    async with connect(settings.mongo) as client, Tasks() as tasks:
        db = client[settings.database]
        writer = Writer(client, db)
        relay = Relay(db, settings.kafka, writer.committed)
        streams = Streams(settings, db, relay)
        tasks.start("writer", writer.run())
        tasks.start("streams", streams.run())
        tasks.start("outbox age", relay.tell_age())
        yield {
            "writes": writer,
            "organisations": organisations(listed),
            "checks": {
                "mongo": mongo_check(client),
                "kafka": kafka_check(settings.kafka),
                "streams": streams.check,
            },
        }


app = application("Praxis membership", lifespan)
app.include_router(router)
