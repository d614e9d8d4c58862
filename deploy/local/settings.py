"""Where the local system keeps its things and on which ports it listens."""

import random
import socket
from contextlib import suppress
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from deploy.local.failures import Misset
from shared.settings import InvalidSettings, Port, S, read

REPOSITORY = Path(__file__).resolve().parents[2]
# Below the range that outgoing connections are given ports from, so that none is taken in between.
FREE_PORTS = range(20_000, 32_000)


class Ports(BaseSettings):
    """Fixed, so that addresses can be written down; each is set by PRAXIS_<NAME>_PORT."""

    model_config = SettingsConfigDict(env_prefix="PRAXIS_", frozen=True, extra="ignore")

    kafka: Port = Field(19092, validation_alias="PRAXIS_KAFKA_PORT")
    controller: Port = Field(19093, validation_alias="PRAXIS_CONTROLLER_PORT")
    mongo: Port = Field(27117, validation_alias="PRAXIS_MONGO_PORT")
    gateway: Port = Field(8080, validation_alias="PRAXIS_GATEWAY_PORT")
    membership: Port = Field(8081, validation_alias="PRAXIS_MEMBERSHIP_PORT")
    convenings: Port = Field(8082, validation_alias="PRAXIS_CONVENINGS_PORT")
    metrics: Port = Field(8083, validation_alias="PRAXIS_METRICS_PORT")

    @classmethod
    def from_environment(cls) -> "Ports":
        """
        Raises:
            Misset: one is no port.
        """
        return _read(cls)

    @classmethod
    def free(cls) -> "Ports":
        """Ports that nobody listens on now: for tests and benchmarks."""
        names = [f"PRAXIS_{name.upper()}_PORT" for name in cls.model_fields]
        return cls.model_validate(dict(zip(names, free_ports(len(names)), strict=True)))


class Local(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="PRAXIS_", frozen=True, extra="ignore")

    home: Path = REPOSITORY / ".praxis"
    cache: Path = Path.home() / ".cache" / "praxis"
    kafka: str | None = None
    """Bootstrap `host:port` of a Kafka to use instead of starting one."""
    mongo: str | None = None
    """URL of a MongoDB replica set to use instead of starting one."""
    java: str | None = None
    """A `java` of 17 or newer to run Kafka on, instead of the one that is fetched."""

    @classmethod
    def from_environment(cls) -> "Local":
        """
        Raises:
            Misset: one is not as it must be.
        """
        return _read(cls)


def _read(kind: type[S]) -> S:
    try:
        return read(kind)
    except InvalidSettings as problem:
        raise Misset(str(problem)) from None


def free_ports(count: int) -> list[int]:
    """`count` different ports on 127.0.0.1, each seen to be free."""
    held: dict[int, socket.socket] = {}
    try:
        while len(held) < count:
            port = random.choice(FREE_PORTS)
            if port in held:
                continue
            probe = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            with suppress(OSError):
                probe.bind(("127.0.0.1", port))
                held[port] = probe
                continue
            probe.close()
    finally:
        for probe in held.values():
            probe.close()
    return list(held)
