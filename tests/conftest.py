"""Fixtures of all tests: real engines, and the whole system, each started when first asked for."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.local.settings import Ports
from deploy.local.system import System
from tests import engines as real
from tests.engines import Engines, skipped_where_unavailable, temporary_home


@pytest.fixture(scope="session")
def engines() -> Iterator[Engines]:
    with real.engines() as found:
        yield found


@pytest.fixture(scope="session")
def kafka(engines: Engines) -> str:
    """Bootstrap `host:port` of a real Kafka. It is shared: name topics and groups of your own."""
    with skipped_where_unavailable():
        return engines.kafka()


@pytest.fixture(scope="session")
def mongo(engines: Engines) -> str:
    """URL of a real replica set. It is shared: name databases of your own."""
    with skipped_where_unavailable():
        return engines.mongo()


@pytest.fixture(scope="session")
def system(kafka: str, mongo: str) -> Iterator[System]:
    """All four services as processes, ready, on the engines of this run. Shared: disturb nothing in it."""
    with temporary_home() as home, _stopped(System(home, Ports.free(), kafka=kafka, mongo=mongo)) as system:
        with skipped_where_unavailable():
            system.up()
        yield system


@pytest.fixture
def own_system() -> Iterator[System]:
    """A system with engines of its own, not started: for tests that kill and restart. Call `up` yourself."""
    with temporary_home() as home, _stopped(System(home, Ports.free())) as system:
        with skipped_where_unavailable():
            system.fetch()
        yield system


@pytest.fixture
def home() -> Iterator[Path]:
    with temporary_home() as home:
        yield home


@contextmanager
def _stopped(system: System) -> Iterator[System]:
    try:
        yield system
    finally:
        system.down()
