"""Engines and services as one system in one home: brought up, looked at, taken down."""

import fcntl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.local import kafka, mongodb, services
from deploy.local.failures import Failure, RunsElsewhere
from deploy.local.kafka import Kafka
from deploy.local.mongodb import MongoDB
from deploy.local.processes import (
    NEEDED_TO_RUN,
    Awaited,
    Child,
    Say,
    State,
    require_free,
    require_room,
    wait_until_ready,
)
from deploy.local.settings import Local, Ports, free_ports


@dataclass(frozen=True)
class Started:
    """What `up` has done. Nothing is in `started` when all of it ran already."""

    started: Sequence[str]
    already_running: Sequence[str]
    seconds: float


@dataclass(frozen=True)
class Status:
    name: str
    state: str
    """`running`, `stopped`, `killed` (gone, and nobody stopped it) or `yours` (not started by Praxis)."""
    ready: bool
    address: str
    pid: int | None = None
    waiting_for: str | None = None
    log: str | None = None


class System:
    """`up` and `down` may be called at any time and again; `down` stops only what this home has started."""

    def __init__(
        self,
        home: Path | None = None,
        ports: Ports | None = None,
        *,
        cache: Path | None = None,
        kafka: str | None = None,
        mongo: str | None = None,
        mongo_nodes: int = 1,
        replicas: Mapping[str, int] | None = None,
        quick_start: bool = True,
        environment: Mapping[str, str] | None = None,
        doors: Mapping[str, int] | None = None,
        say: Say = lambda _: None,
    ) -> None:
        """`kafka` and `mongo` name engines that run already.

        `quick_start=False` lets Kafka's JVM compile fully, for benchmarks. `replicas={"membership": 2}`
        starts two of a service, the second named `membership-2`. `doors={"kafka": 20100}` names ports at which
        others come to the engines, where something stands between: all of MongoDB's nodes, or none.
        `say` is told what is being waited for.
        """
        local = Local.from_environment()
        self.home = (home or local.home).absolute()
        self.ports = ports or Ports.from_environment()
        self._say = say
        self._replicas = dict(replicas or {})
        self._environment = dict(environment or {})
        cache = (cache or local.cache).expanduser().absolute()
        self._doors = dict(doors or {})
        own_kafka = Kafka(
            self.home, cache, self.ports.kafka, self.ports.controller, local.java, quick_start, self._doors.get("kafka")
        )
        nodes = [self.ports.mongo, *free_ports(mongo_nodes - 1)]
        own_mongo = MongoDB(self.home, cache, nodes, [door for name, door in self._doors.items() if name != "kafka"])
        self._named_kafka, self._named_mongo = kafka, mongo
        self._kafka = None if kafka else own_kafka
        self._mongo = None if mongo else own_mongo
        self.kafka = kafka or own_kafka.address
        """Bootstrap `host:port`."""
        self.mongo = mongo or own_mongo.address
        """URL of the replica set."""
        self._services = self._describe_services()

    @classmethod
    def from_environment(cls, say: Say = lambda _: None) -> "System":
        """As the command line runs it: PRAXIS_HOME, PRAXIS_KAFKA, PRAXIS_MONGO and the ports."""
        local = Local.from_environment()
        return cls(kafka=local.kafka, mongo=local.mongo, say=say)

    @property
    def gateway(self) -> str:
        return self.address("gateway")

    @property
    def names(self) -> Sequence[str]:
        """Everything that this system starts, engines first."""
        return [child.name for child in self._children()]

    def address(self, name: str) -> str:
        """Base URL of a service, by its instance's name."""
        return f"http://127.0.0.1:{self._services[name][1]}"

    def log_file(self, name: str) -> Path:
        return self.child(name).log_file

    def logs(self) -> Path:
        """The folder of the logs, which is there afterwards.

        Raises:
            Failure: it cannot be made.
        """
        folder = self.home / "logs"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise Failure(
                f"{folder} cannot be made: {problem.strerror}.", "set PRAXIS_HOME to another folder."
            ) from None
        return folder

    def pid(self, name: str) -> int | None:
        return self.child(name).pid

    def fetch(self) -> None:
        """Download what the engines are made of, unless it is there."""
        engines = [engine for engine in (self._kafka, self._mongo) if engine]
        with ThreadPoolExecutor(2) as threads:
            list(threads.map(lambda engine: engine.fetch(self._say), engines))

    def node(self, port: int) -> str:
        """Name of the child that is reached by this port, as of a replica set's primary."""
        by_door = {door: name for name, door in self._doors.items()}
        return by_door.get(port) or next(
            child.name for child in self._children() if port in [at.port for at in child.listens]
        )

    def up(self, *, engines_only: bool = False) -> Started:
        """Start what does not run and wait until all of it is ready."""
        begun = time.monotonic()
        with self._alone():
            names = [child.name for child in self._engine_children()]
            names += [] if engines_only else list(self._services)
            running = [name for name in names if self.child(name).runs_here()]
            self._check_before_start([name for name in names if name not in running])
            wait_until_ready(self._start_engines(), self._say)
            if not engines_only:
                wait_until_ready([self._start_service(name) for name in self._services], self._say)
        started = [name for name in names if name not in running]
        return Started(started, running, time.monotonic() - begun)

    def down(self, *, services_only: bool = False) -> list[str]:
        """Stop what runs, services first; the names of what was stopped. Data are kept."""
        with self._alone():
            engines = [child.name for child in self._engine_children()]
            known = {child.name for child in self._children()}
            # A home may hold more than this system describes: replicas, nodes.
            others = [Child(name, self.home, ()) for name in self._remembered() if name not in known]
            stopped = self._stop([*(child for child, _ in self._services.values()), *others])
            if not services_only:
                stopped += self._stop([self.child(name) for name in engines])
        return stopped

    def start(self, name: str, *, wait: bool = True) -> None:
        """Start one engine or service and wait until it is ready."""
        require_room(self.home, NEEDED_TO_RUN)
        if name in self._services:
            awaited: Sequence[Awaited] = [self._start_service(name)]
        elif self._kafka and name == "kafka":
            awaited = self._kafka.start(self._say)
        elif self._mongo:
            awaited = self._mongo.start_node(name, self._say)
        else:
            raise KeyError(name)
        if wait:
            wait_until_ready(awaited, self._say)

    def stop(self, name: str) -> None:
        """SIGTERM, and wait until it is gone."""
        self.child(name).stop()

    def kill(self, name: str) -> None:
        """SIGKILL, as a machine that goes down."""
        self.child(name).kill()

    def status(self) -> list[Status]:
        """All parts, engines first, each asked now."""
        found: list[Callable[[], Status]] = []
        if self._kafka:
            found.append(self._asked(self._kafka.child, self._kafka.address, self._kafka.waiting_for))
        else:
            found.append(lambda: _yours("kafka", self.kafka, lambda: kafka.require_answer(self.kafka)))
        if self._mongo:
            waiting_for = self._mongo.waiting_for
            found += [self._asked(child, self.mongo, waiting_for) for child in self._mongo.children]
        else:
            found.append(lambda: _yours("mongo", self.mongo, lambda: mongodb.require_answer(self.mongo)))
        for name, (child, port) in self._services.items():
            found.append(self._asked(child, self.address(name), services.awaited(child, port).waiting_for))
        with ThreadPoolExecutor(len(found)) as threads:
            return list(threads.map(lambda ask: ask(), found))

    def __enter__(self) -> Self:
        self.up()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.down()

    def _describe_services(self) -> dict[str, tuple[Child, int]]:
        ports: dict[str, list[int]] = {
            name: [getattr(self.ports, name), *free_ports(self._replicas.get(name, 1) - 1)] for name in services.NAMES
        }
        shared = {"PRAXIS_KAFKA": self.kafka, "PRAXIS_MONGO": self.mongo, **self._environment}
        own = {
            "gateway": {
                "PRAXIS_MEMBERSHIP_URLS": services.addresses(ports["membership"]),
                "PRAXIS_CONVENINGS_URLS": services.addresses(ports["convenings"]),
            }
        }
        described: dict[str, tuple[Child, int]] = {}
        for name in services.NAMES:
            for number, port in enumerate(ports[name], start=1):
                instance = name if number == 1 else f"{name}-{number}"
                environment = {**shared, **own.get(name, {})}
                if name == "metrics":
                    environment["PRAXIS_DATA_DIR"] = str(self.home / instance)
                described[instance] = (services.service(name, instance, self.home, port, environment), port)
        return described

    def _start_engines(self) -> list[Awaited]:
        awaited: list[Awaited] = []
        if self._mongo:
            awaited += self._mongo.start(self._say)
        if self._kafka:
            awaited += self._kafka.start(self._say)
        return awaited

    def _start_service(self, name: str) -> Awaited:
        child, port = self._services[name]
        child.start()
        return services.awaited(child, port)

    def _check_before_start(self, names: Sequence[str]) -> None:
        """Everything that can be seen to be in the way, before anything is started."""
        if self._named_kafka:
            kafka.require_answer(self._named_kafka)
        if self._named_mongo:
            mongodb.require_answer(self._named_mongo)
        if not names:
            return
        require_room(self.home, NEEDED_TO_RUN)
        for name in names:
            for listens in self.child(name).listens:
                require_free(name, listens)
        self.fetch()

    def _stop(self, children: Sequence[Child]) -> list[str]:
        running = [child for child in children if child.pid]
        if running:
            self._say("stopping " + ", ".join(child.name for child in running))
        for child in running:
            child.ask_to_stop()
        for child in children:
            child.stop()
        return [child.name for child in running]

    def _children(self) -> list[Child]:
        return [*self._engine_children(), *(child for child, _ in self._services.values())]

    def _engine_children(self) -> list[Child]:
        engines = [engine for engine in (self._kafka, self._mongo) if engine]
        return [child for engine in engines for child in engine.children]

    def child(self, name: str) -> Child:
        for child in self._children():
            if child.name == name:
                return child
        raise KeyError(f"{name} is not a part of this system: {', '.join(self.names)}")

    def _remembered(self) -> list[str]:
        return sorted(file.stem for file in (self.home / "run").glob("*.json"))

    def _asked(self, child: Child, address: str, waiting_for: Callable[[], str | None]) -> Callable[[], Status]:
        def ask() -> Status:
            state, pid = child.state, child.pid
            try:
                reason = waiting_for() if child.runs_here() else None
            except RunsElsewhere as elsewhere:
                reason = elsewhere.what
            if state is State.KILLED and (full := child.still_full()):
                reason = f"{full.what} {full.remedy}"
            ready = state is State.RUNNING and reason is None
            return Status(child.name, state.value, ready, address, pid, reason, str(child.log_file))

        return ask

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One `up` or `down` at a time in a home."""
        self.home.mkdir(parents=True, exist_ok=True)
        with (self.home / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._say("waiting for another `praxis up` or `praxis down` in this folder to end")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _yours(name: str, address: str, require_answer: Callable[[], None]) -> Status:
    try:
        require_answer()
    except Failure as failure:
        return Status(name, "yours", ready=False, address=address, waiting_for=failure.what)
    return Status(name, "yours", ready=True, address=address)
