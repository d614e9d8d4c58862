"""A MongoDB replica set on this machine: one node, or three for tests of fail-over."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import ConnectionFailure, OperationFailure, PyMongoError

from deploy.local import downloads
from deploy.local.failures import Unreachable
from deploy.local.processes import Awaited, Child, Listens, Say

DEADLINE = 90.0  # seconds from start to a primary
REPLICA_SET = "rs0"
NOT_YET_INITIALISED = 94


@dataclass
class MongoDB:
    """Nodes with their data in `home/mongo`, `home/mongo-2` …; the first one's name is `mongo`."""

    home: Path
    cache: Path
    ports: Sequence[int]
    doors: Sequence[int] = ()
    """The ports that clients and members are told, where something stands between them and the nodes."""
    children: Sequence[Child] = field(init=False)

    def __post_init__(self) -> None:
        names = ["mongo", *(f"mongo-{number}" for number in range(2, len(self.ports) + 1))]
        self.children = [
            Child(name, self.home, (), (Listens(port, "PRAXIS_MONGO_PORT"),), folder=self.home, data=self.home / name)
            for name, port in zip(names, self.ports, strict=True)
        ]

    @property
    def address(self) -> str:
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.doors or self.ports)
        return f"mongodb://{hosts}/?replicaSet={REPLICA_SET}"

    def fetch(self, say: Say) -> None:
        downloads.mongod(self.cache, say)

    def start(self, say: Say) -> Sequence[Awaited]:
        for child, port in zip(self.children, self.ports, strict=True):
            self._start_node(child, port, say)
        return [Awaited(child, self.waiting_for, DEADLINE) for child in self.children]

    def start_node(self, name: str, say: Say) -> Sequence[Awaited]:
        """Start one node again, as after it was killed."""
        for child, port in zip(self.children, self.ports, strict=True):
            if child.name == name:
                self._start_node(child, port, say)
                return [Awaited(child, self.waiting_for, DEADLINE)]
        raise KeyError(name)

    def waiting_for(self) -> str | None:
        """Initiate the replica set when it is new; ready once one of the nodes is primary."""
        reason = f"waiting until it answers on port {self.ports[0]}"
        for port in self.ports:
            try:
                with _client(f"mongodb://127.0.0.1:{port}/", directConnection=True) as client:
                    if client.admin.command("hello").get("isWritablePrimary"):
                        return None
                    reason = "waiting for the replica set to elect a primary"
                    if port == self.ports[0]:  # by one of them alone
                        self._configure(client)
            except ConnectionFailure:
                continue
            except PyMongoError as error:
                reason = f"waiting for the replica set: {error}"
        return reason

    def _start_node(self, child: Child, port: int, say: Say) -> None:
        if child.runs_here():
            return
        unpacked = downloads.mongod(self.cache, say)
        data = self.home / child.name
        data.mkdir(parents=True, exist_ok=True)
        child.environment = {"LD_LIBRARY_PATH": str(unpacked / "lib")}
        child.command = [
            str(unpacked / "mongod"),
            *("--dbpath", str(data)),
            *("--port", str(port)),
            *("--bind_ip", "127.0.0.1"),
            "--quiet",
            *("--replSet", REPLICA_SET),
            *("--wiredTigerCacheSizeGB", "1" if len(self.ports) == 1 else "0.25"),
            *("--setParameter", "diagnosticDataCollectionEnabled=false"),
            # Who is killed in a transaction holds up whoever writes the same, for at most so long.
            *("--setParameter", "transactionLifetimeLimitSeconds=10"),
            # Nobody is routed elsewhere meanwhile, so no time to be left for that (15 s otherwise).
            *("--setParameter", "shutdownTimeoutMillisForSignaledShutdown=100"),
        ]
        child.start()

    def _configure(self, client: MongoClient[dict[str, Any]]) -> None:
        members = [{"_id": number, "host": f"127.0.0.1:{port}"} for number, port in enumerate(self.doors or self.ports)]
        try:
            config = client.admin.command("replSetGetConfig")["config"]
        except OperationFailure as error:
            if error.code != NOT_YET_INITIALISED:
                raise
            # Elections within two seconds: a test of fail-over waits for one.
            settings = {"electionTimeoutMillis": 2000, "heartbeatIntervalMillis": 500}
            config = {"_id": REPLICA_SET, "members": members, "settings": settings}
            client.admin.command("replSetInitiate", config)
            return
        if [member["host"] for member in config["members"]] != [member["host"] for member in members]:
            # The data were written when other ports were set.
            config |= {"members": members, "version": config["version"] + 1}
            client.admin.command("replSetReconfig", config, force=True)


def require_answer(url: str) -> None:
    """The user's own MongoDB must answer, and be a replica set, before anything is started."""
    try:
        with _client(url, seconds=5.0) as client:
            hello = client.admin.command("hello")
    except PyMongoError as error:
        raise Unreachable("MongoDB", url, "PRAXIS_MONGO", str(error).split(",")[0]) from error
    if "setName" not in hello:
        raise Unreachable("MongoDB", url, "PRAXIS_MONGO", "it is not a replica set, so it has no transactions")


def _client(url: str, seconds: float = 2.0, **options: Any) -> MongoClient[dict[str, Any]]:
    milliseconds = int(seconds * 1000)
    return MongoClient(url, serverSelectionTimeoutMS=milliseconds, connectTimeoutMS=milliseconds, **options)
