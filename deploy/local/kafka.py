"""One Kafka node, broker and controller in one, as the local system runs it."""

import base64
import os
import socket
import struct
import subprocess
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local import downloads
from deploy.local.failures import Failure, Unreachable
from deploy.local.processes import Awaited, Child, Listens, Say

DEADLINE = 90.0  # seconds from start to ready
QUICK_START = "-XX:TieredStopAtLevel=1"  # halves the start, costs throughput later
API_VERSIONS = 18

LOGGING = """\
status = error
appender.stdout.type = Console
appender.stdout.name = stdout
appender.stdout.layout.type = PatternLayout
appender.stdout.layout.pattern = %d{ISO8601} %p %c{1} %m%n
rootLogger.level = warn
rootLogger.appenderRef.stdout.ref = stdout
logger.server.name = kafka.server.KafkaRaftServer
logger.server.level = info
"""


@dataclass
class Kafka:
    """A node with its data in `home/kafka`, formatted once and kept."""

    home: Path
    cache: Path
    port: int
    controller_port: int
    java: str | None = None
    quick_start: bool = True
    door: int | None = None
    """The port that clients are told, where something stands between them and the broker."""
    child: Child = field(init=False)

    def __post_init__(self) -> None:
        self.child = Child(
            name="kafka",
            home=self.home,
            command=(),
            listens=(
                Listens(self.port, "PRAXIS_KAFKA_PORT"),
                Listens(self.controller_port, "PRAXIS_CONTROLLER_PORT"),
            ),
            folder=self.home,
            data=self._data,
        )

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.door or self.port}"

    @property
    def children(self) -> Sequence[Child]:
        return (self.child,)

    def fetch(self, say: Say) -> None:
        downloads.java(self.java)
        downloads.kafka_libraries(self.cache, say)

    def start(self, say: Say) -> Sequence[Awaited]:
        if not self.child.runs_here():
            java = downloads.java(self.java)
            libraries = downloads.kafka_libraries(self.cache, say)
            properties = self._configure()
            if not (self._data / "meta.properties").exists():
                say("kafka: formatting its storage, once")
                self._format(java, libraries, properties)
            flags = ["-Xmx512m", "-XX:+UseSerialGC", *([QUICK_START] if self.quick_start else [])]
            self.child.command = self._java(java, libraries, flags, "kafka.Kafka", str(properties))
            self.child.start()
        return [Awaited(self.child, self.waiting_for, DEADLINE)]

    def waiting_for(self) -> str | None:
        own = f"127.0.0.1:{self.port}"
        why = silence(own)
        return why and f"waiting until it answers at {own} ({why})"

    @property
    def _data(self) -> Path:
        return self.home / "kafka" / "data"

    @property
    def _logging(self) -> Path:
        return self.home / "kafka" / "log4j2.properties"

    def _configure(self) -> Path:
        """Written at every start, so that ports and folders may change while the data stays."""
        self._data.mkdir(parents=True, exist_ok=True)
        self._logging.write_text(LOGGING)
        file = self.home / "kafka" / "server.properties"
        properties = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{self.controller_port}",
            "controller.listener.names": "CONTROLLER",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self.controller_port}",
            "advertised.listeners": f"PLAINTEXT://{self.address}",
            "log.dirs": str(self._data),
            "default.replication.factor": "1",
            "min.insync.replicas": "1",
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "12",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "transaction.state.log.num.partitions": "4",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            # A killed broker is taken back when its old session has ended (9 s otherwise).
            "broker.session.timeout.ms": "3000",
            "broker.heartbeat.interval.ms": "500",
            # By default Kafka waits for others, so that two who start at once share from the beginning.
            "group.initial.rebalance.delay.ms": "0" if self.quick_start else "3000",
            "auto.create.topics.enable": "false",
            "log.retention.ms": "-1",  # facts are kept
            "log.message.timestamp.type": "CreateTime",
        }
        file.write_text("".join(f"{key}={value}\n" for key, value in properties.items()))
        return file

    def _format(self, java: Path, libraries: Path, properties: Path) -> None:
        """Write a new cluster id to its storage; never twice, for it would not be the same cluster."""
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        arguments = ("format", f"--cluster-id={cluster}", "-c", str(properties))  # an id may begin with a hyphen
        command = self._java(java, libraries, [QUICK_START], "kafka.tools.StorageTool", *arguments)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            lines = (done.stdout + done.stderr).splitlines()[-12:]
            raise Failure("Kafka's storage could not be formatted.", f"see whether {self._data} can be written.", lines)

    def _java(self, java: Path, libraries: Path, flags: Sequence[str], main: str, *arguments: str) -> list[str]:
        logging = f"-Dlog4j2.configurationFile={self._logging}"
        return [str(java), *flags, logging, "-cp", f"{libraries}{os.sep}*", main, *arguments]


def silence(address: str, seconds: float = 2.0) -> str | None:
    """Why the broker does not answer which protocol versions it speaks, or nothing if it does."""
    host, _, port = address.rpartition(":")
    body = struct.pack(">hhih6s", API_VERSIONS, 0, 1, 6, b"praxis")
    try:
        with socket.create_connection((host, int(port)), timeout=seconds) as connection:
            connection.sendall(struct.pack(">i", len(body)) + body)
            answer = connection.recv(10)
    except (OSError, ValueError) as error:
        return str(error)
    if len(answer) < 10:
        return "it closed the connection"
    _, _, code = struct.unpack(">iih", answer)
    return None if code == 0 else f"error {code}"


def require_answer(bootstrap: str) -> None:
    """The user's own Kafka must answer before anything is started."""
    why = "no server is named"
    for address in bootstrap.split(","):
        why = silence(address.strip(), seconds=5.0) or ""
        if not why:
            return
    raise Unreachable("Kafka", bootstrap, "PRAXIS_KAFKA", why)
