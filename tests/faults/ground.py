"""What a fault strikes: a system with engines of its own, and where the fault needs them doors and a small disk."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Literal

from deploy.local.settings import Ports, free_ports
from deploy.local.system import System
from tests.engines import temporary_home
from tests.faults.disks import SmallDisk, small_disk, unmount_what_was_left
from tests.faults.doors import Door, doors

SESSION_S = 6.0
"""The shortest session that Kafka allows: a worker that is silent for longer has lost its partitions."""
PARTITIONS = 12
ENVIRONMENT = {
    "PRAXIS_SESSION_TIMEOUT": f"PT{SESSION_S:.0f}S",
    "PRAXIS_PARTITIONS": str(PARTITIONS),
    "PRAXIS_DEAD_LETTER_SHARE": "0",
}
REPLICAS = {"membership": 2, "convenings": 2, "metrics": 4}
DISKS = {"kafka": ("kafka/data", 200_000_000), "mongo": ("mongo", 500_000_000)}
"""Where an engine has its data, and how many bytes are more than enough for a run."""


@dataclass(frozen=True)
class Layout:
    """What a fault needs."""

    mongo_nodes: int = 1
    doors: bool = False
    """Everybody comes to the engines by doors."""
    small_disk: Literal["kafka", "mongo"] | None = None
    """This engine has its data on a small disk."""
    dead_letters_borne: int = 10_000
    """One more, and nobody has settled any of them: then their partition stands still."""


@dataclass(frozen=True)
class Ground:
    layout: Layout
    system: System
    doors: Mapping[str, Door]
    disk: SmallDisk | None


@contextmanager
def laid_out(layout: Layout) -> Iterator[Ground]:
    """Engines that run, and services that do not yet.

    Raises:
        Unavailable: this machine cannot have it.
    """
    names = ["kafka", "mongo", *(f"mongo-{number}" for number in range(2, layout.mongo_nodes + 1))]
    unmount_what_was_left()
    with ExitStack() as stack:
        home = stack.enter_context(temporary_home())
        ports = dict(zip(names, free_ports(len(names)), strict=True)) if layout.doors else {}
        opened = stack.enter_context(doors(ports))
        disk = None
        if layout.small_disk:
            folder, size = DISKS[layout.small_disk]
            disk = stack.enter_context(small_disk(home / folder, size))
        system = System(
            home,
            Ports.free(),
            mongo_nodes=layout.mongo_nodes,
            replicas=REPLICAS,
            environment={**ENVIRONMENT, "PRAXIS_DEAD_LETTERS_AT_LEAST": str(layout.dead_letters_borne + 1)},
            doors=ports,
        )
        for name, door in opened.items():
            door.leads_to = system.child(name).listens[0].port
        stack.callback(system.down)
        system.up(engines_only=True)
        yield Ground(layout, system, opened, disk)
