"""Faults of the drivers' own: where an engine goes away under them, not all of it comes out as an error of theirs."""

import traceback
from collections.abc import Awaitable, Mapping
from typing import TypeVar

from aiokafka.errors import KafkaConnectionError
from pymongo.errors import AutoReconnect

T = TypeVar("T")

LOOPS = frozenset(["asyncio", "uvloop"])
"""What drivers stand on: its errors are those of who called it."""


class MongoDriverFailed(AutoReconnect):
    """PyMongo failed by a fault of its own: it may lose its lock in the wait for another."""


class KafkaDriverFailed(KafkaConnectionError):  # type: ignore[misc]
    """aiokafka failed by a fault of its own: it may write on a connection that has been closed meanwhile."""


FAILED: Mapping[str, type[MongoDriverFailed | KafkaDriverFailed]] = {
    "pymongo": MongoDriverFailed,
    "aiokafka": KafkaDriverFailed,
}


async def by_its_name(work: Awaitable[T]) -> T:
    """Do it; a fault of a driver is told as such, so that nobody takes it for one of what was to be done.

    Raises:
        MongoDriverFailed, KafkaDriverFailed: the engine is away, as a rule.
    """
    try:
        return await work
    except RuntimeError as problem:
        failed = FAILED.get(_package(problem))
        if failed is None:
            raise
        raise failed(f"the driver failed: {problem}") from problem


def _package(problem: RuntimeError) -> str:
    """Whose code it was in which this was raised."""
    names = [frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(problem.__traceback__)]
    packages = [name.partition(".")[0] for name in names]
    return next((package for package in reversed(packages) if package not in LOOPS), "")
