"""What a fault is, and the one that disturbs nothing."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import ClassVar

from tests.faults.arena import Arena
from tests.faults.ground import Layout


class Fault:
    """One way to disturb a system; `strike` returns when it is done, and what it broke is healed afterwards."""

    name: ClassVar[str]
    services: Mapping[str, int] = {}
    """How many of a service run at first, where it is not one."""
    layout = Layout()
    of: Sequence[str] = ()
    """What this seed strikes, where it is a part of all that is struck with others."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    async def strike(self, arena: Arena) -> None:
        raise NotImplementedError


class Nothing(Fault):
    """No fault: the suite itself must find nothing wrong then."""

    name = "nothing"

    async def strike(self, arena: Arena) -> None:
        await asyncio.sleep(3)
