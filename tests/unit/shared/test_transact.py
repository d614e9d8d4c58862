"""A fault of the driver's own is none of what was to be stored: the transaction is run again."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Self

import pytest

from shared.mongo import Session, transact

LOST_LOCK = "raise RuntimeError('cannot wait on un-acquired lock')"


class Server:
    """A client, and the session that it gives, of a database that is away `fails` times."""

    def __init__(self, fails: int = 0) -> None:
        self._fails = fails
        self.done: list[str] = []
        self.in_transaction = False

    def start_session(self) -> Self:
        return self

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def start_transaction(self, **_: object) -> None:
        self.in_transaction = True

    async def commit_transaction(self) -> None:
        self.in_transaction = False
        self.done.append("commit")
        if self.done.count("commit") <= self._fails:
            in_the_driver(LOST_LOCK)

    async def abort_transaction(self) -> None:
        self.in_transaction = False
        self.done.append("abort")


def in_the_driver(source: str) -> None:
    exec(source, {"__name__": "pymongo._asyncio_lock"})


async def run(server: Any, body: Callable[[Session], Awaitable[str]]) -> str:
    return await transact(server, body)


def test_a_transaction_is_run_again_where_the_driver_lost_its_lock() -> None:
    server, runs = Server(), [LOST_LOCK, "pass"]

    async def body(session: Session) -> str:
        in_the_driver(runs.pop(0))
        return "stored"

    assert asyncio.run(run(server, body)) == "stored"
    assert server.done == ["abort", "commit"]


def test_a_commit_is_made_again_where_the_driver_lost_its_lock_in_it() -> None:
    server, times = Server(fails=2), 0

    async def body(session: Session) -> str:
        nonlocal times
        times += 1
        return "stored"

    assert asyncio.run(run(server, body)) == "stored"
    assert (server.done, times) == (["commit"] * 3, 1)


def test_any_other_fault_is_raised() -> None:
    server = Server()

    async def body(session: Session) -> str:
        raise RuntimeError("the projection is wrong")

    with pytest.raises(RuntimeError, match="the projection is wrong"):
        asyncio.run(run(server, body))
    assert server.done == ["abort"]
