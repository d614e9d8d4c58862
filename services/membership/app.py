"""The composition root of the membership service: the writer, the relay, the reference list, and their readiness."""

import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

from fastapi import FastAPI
from pymongo.errors import CollectionInvalid

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
from shared.running import Tasks, mongo_check, until_done
from shared.writing.relay import Relay
from shared.writing.writer import Writer

STATES = (Organisation, CodeHolder, Programme, DesignGroup, Community, Membership, Person, ReferenceHolder)
RECEIPTS_KEPT = timedelta(days=30)


class Publishing:
    """Makes the topic once Kafka is there, then relays as long as this process holds the lease."""

    def __init__(self, settings: Settings, relay: Relay, lease: Lease) -> None:
        self._settings, self._relay, self._lease = settings, relay, lease
        self._has_topic = False

    async def run(self) -> None:
        settings = self._settings
        await ensure_topics(
            settings.kafka,
            [topic_name("membership")],
            partitions=settings.partitions,
            replication=settings.replication,
        )
        self._has_topic = True
        await self._lease.while_held(self._relay.run)

    async def check(self) -> str | None:
        return self._relay.last_failure if self._has_topic else "it does not answer"


class Preparing:
    """Makes the collections and indexes once MongoDB is there: a transaction should not have to."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._done = False

    async def run(self) -> None:
        await until_done(self._prepare)
        self._done = True

    async def check(self) -> str | None:
        return None if self._done else "its collections are not there yet"

    async def _prepare(self) -> None:
        for name in ("streams", "events", "outbox", "leases", *(state.collection for state in STATES)):
            with suppress(CollectionInvalid):  # it is there
                await self._db.create_collection(name)
        await self._db.receipts.create_index("at", expireAfterSeconds=RECEIPTS_KEPT // timedelta(seconds=1))


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[Mapping[str, Any]]:
    settings = Settings()
    listed = ods.load(settings.ods_reference)
    client = connect(settings.mongo)
    db = client[settings.database]
    writer = Writer(client, db)
    relay = Relay(db, settings.kafka, writer.committed)
    publishing = Publishing(settings, relay, Lease(db, "relay", f"{socket.gethostname()}:{settings.port}"))
    preparing = Preparing(db)
    async with Tasks() as tasks:
        tasks.start("preparing", preparing.run())
        tasks.start("publishing", publishing.run())
        tasks.start("writer", writer.run())
        yield {
            "writes": writer,
            "organisations": organisations(listed),
            "checks": {"mongo": mongo_check(client), "collections": preparing.check, "kafka": publishing.check},
        }
    await client.close()


app = application("Praxis membership", lifespan)
app.include_router(router)
