"""Real engines for a run of the tests: native processes, or containers where they are asked for."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import psutil
import pytest
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from deploy.local.failures import Failure, Unavailable
from deploy.local.kafka import silence
from deploy.local.settings import Ports, free_ports
from deploy.local.system import System

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer

KAFKA_IMAGE = "apache/kafka:4.3.1"
MONGO_IMAGE = "mongo:8"
DEADLINE = 90.0
HOMES = "praxis-test-"
OWNER = "praxis-test"  # a container's label: the process that started it


class Kind(StrEnum):
    AUTO = "auto"
    """Native; containers are slower and only used when asked for."""
    NATIVE = "native"
    CONTAINERS = "containers"


class Engines(Protocol):
    """Each engine is started when first asked for, and once."""

    def kafka(self) -> str: ...
    def mongo(self) -> str: ...


class NativeEngines:
    def __init__(self, home: Path) -> None:
        self._system = System(home, Ports.free())

    def kafka(self) -> str:
        self._system.start("kafka")
        return self._system.kafka

    def mongo(self) -> str:
        self._system.start("mongo")
        return self._system.mongo

    def stop(self) -> None:
        self._system.down()


class ContainerEngines:
    def __init__(self) -> None:
        # Everything is stopped by `stop` or by the next run; the reaper would be one more image to pull.
        os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")
        self._running = ExitStack()
        self._kafka: str | None = None
        self._mongo: str | None = None

    def kafka(self) -> str:
        if self._kafka is None:
            (port,) = free_ports(1)
            environment = {
                "KAFKA_NODE_ID": "1",
                "KAFKA_PROCESS_ROLES": "broker,controller",
                "KAFKA_LISTENERS": "PLAINTEXT://:9092,CONTROLLER://:9093",
                "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://127.0.0.1:{port}",
                "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
                "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
                "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
                "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
                "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
                "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
                "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR": "1",
                "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR": "1",
                "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
                "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
                "KAFKA_LOG_RETENTION_MS": "-1",
            }
            container = self._run(KAFKA_IMAGE, {9092: port}, environment=environment)
            address = f"127.0.0.1:{port}"
            _wait_for(KAFKA_IMAGE, container, lambda: silence(address))
            self._kafka = address
        return self._kafka

    def mongo(self) -> str:
        if self._mongo is None:
            (port,) = free_ports(1)
            # The same port inside and outside: a member has one name for itself and for clients.
            command = f"--replSet rs0 --setParameter transactionLifetimeLimitSeconds=10 --bind_ip_all --port {port}"
            container = self._run(MONGO_IMAGE, {port: port}, command=command)
            _wait_for(MONGO_IMAGE, container, lambda: _no_primary(port))
            self._mongo = f"mongodb://127.0.0.1:{port}/?replicaSet=rs0"
        return self._mongo

    def stop(self) -> None:
        self._running.close()

    def _run(
        self,
        image: str,
        ports: dict[int, int],
        *,
        environment: dict[str, str] | None = None,
        command: str | None = None,
    ) -> "DockerContainer":
        try:
            from testcontainers.core.container import DockerContainer

            container = DockerContainer(image).with_kwargs(labels={OWNER: str(os.getpid())})
            _remove_left_containers(container)
            for inside, outside in ports.items():
                container.with_bind_ports(inside, outside)
            for name, value in (environment or {}).items():
                container.with_env(name, value)
            if command:
                container.with_command(command)
            self._running.callback(container.stop)
            container.start()
        except Exception as error:  # docker's and requests' own, by the dozen
            raise Unavailable(f"{image} cannot be run: {error}", "start Docker, or use ENGINES=native.") from error
        return container


@contextmanager
def engines() -> Iterator[Engines]:
    """What `PRAXIS_TEST_ENGINES` asks for, stopped at the end whatever happens."""
    kind = Kind(os.environ.get("PRAXIS_TEST_ENGINES") or Kind.AUTO)
    if kind is Kind.CONTAINERS:
        containers = ContainerEngines()
        try:
            yield containers
        finally:
            containers.stop()
    else:
        with temporary_home() as home:
            native = NativeEngines(home)
            try:
                yield native
            finally:
                native.stop()


@contextmanager
def temporary_home() -> Iterator[Path]:
    """A home of this run. Those of earlier runs that were killed are stopped and removed first."""
    for left in Path(tempfile.gettempdir()).glob(f"{HOMES}*"):
        owner = left.name.removeprefix(HOMES).split("-")[0]
        if owner.isdigit() and not psutil.pid_exists(int(owner)):
            System(left).down()
            shutil.rmtree(left, ignore_errors=True)
    home = Path(tempfile.mkdtemp(prefix=f"{HOMES}{os.getpid()}-"))
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def skipped_where_unavailable() -> Iterator[None]:
    """Engines that cannot be had: skip on a laptop, fail in CI. Engines that do not start always fail."""
    try:
        yield
    except Unavailable as failure:
        if os.environ.get("CI", "").lower() in ("", "0", "false"):
            pytest.skip(str(failure))
        raise pytest.fail.Exception(str(failure), pytrace=False) from None
    except Failure as failure:
        raise pytest.fail.Exception(str(failure), pytrace=False) from None


def _remove_left_containers(any: "DockerContainer") -> None:
    """Those of earlier runs that were killed."""
    for left in any.get_docker_client().client.containers.list(all=True, filters={"label": OWNER}):
        if not psutil.pid_exists(int(left.labels[OWNER])):
            left.remove(force=True, v=True)


def _no_primary(port: int) -> str | None:
    # A new client each time: one that saw the node before it was initiated keeps that view of it.
    with MongoClient[dict[str, object]](
        f"mongodb://127.0.0.1:{port}/", directConnection=True, serverSelectionTimeoutMS=1000
    ) as client:
        try:
            if client.admin.command("hello").get("isWritablePrimary"):
                return None
            members = [{"_id": 0, "host": f"127.0.0.1:{port}"}]
            client.admin.command("replSetInitiate", {"_id": "rs0", "members": members})
        except PyMongoError as error:
            return str(error)
    return "no primary yet"


def _wait_for(image: str, container: "DockerContainer", reason: Callable[[], str | None]) -> None:
    deadline = time.monotonic() + DEADLINE
    while why := reason():
        container.get_wrapped_container().reload()
        if time.monotonic() > deadline or container.status == "exited":
            log = b"".join(container.get_logs()).decode(errors="replace").splitlines()[-12:]
            raise Failure(f"{image} did not get ready: {why}", log=log)
        time.sleep(0.2)
