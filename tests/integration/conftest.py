"""A client and a database of a test's own, and a Kafka that tests may stop and start."""

from collections.abc import AsyncIterator, Iterator

import pytest
import structlog
from ulid import ULID

from deploy.local.settings import Ports
from deploy.local.system import System
from shared.mongo import Client, Database, connect
from tests.engines import skipped_where_unavailable, temporary_home

# The default shows every variable of every frame, which takes seconds for each error that is told.
structlog.configure(processors=[structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)])


@pytest.fixture
async def client(mongo: str) -> AsyncIterator[Client]:
    client = connect(mongo)
    yield client
    await client.close()


@pytest.fixture
async def db(client: Client) -> AsyncIterator[Database]:
    name = f"test-{ULID()}".lower()
    yield client[name]
    await client.drop_database(name)


@pytest.fixture(scope="session")
def own_kafka(mongo: str) -> Iterator[System]:
    """A Kafka that only these tests use, running when a test begins: `kill` it, and `start` it again."""
    with temporary_home() as home:
        system = System(home, Ports.free(), mongo=mongo)
        try:
            with skipped_where_unavailable():
                system.start("kafka")
            yield system
        finally:
            system.down()
