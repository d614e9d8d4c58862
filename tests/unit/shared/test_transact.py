"""What is no fault of what was to be stored: it is run again, and where it may be stored already, committed again."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Self

import pytest
from pymongo.errors import OperationFailure, PyMongoError, WriteConcernError

from shared.mongo import CUT_SHORT, Session, transact

LOST_LOCK = "raise RuntimeError('cannot wait on un-acquired lock')"


class Server:
    """A client, and the session that it gives, of a database that answers commits so first, before they succeed."""

    def __init__(self, *answers: Callable[[], object]) -> None:
        self._answers = list(answers)
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
        if self._answers:
            self._answers.pop(0)()

    async def abort_transaction(self) -> None:
        self.in_transaction = False
        self.done.append("abort")


def in_the_driver(source: str) -> None:
    exec(source, {"__name__": "pymongo._asyncio_lock"})


def fails_with(problem: PyMongoError) -> Callable[[], object]:
    def fail() -> None:
        raise problem

    return fail


def of_no_such_transaction() -> PyMongoError:
    problem = OperationFailure("it was ended", 251)
    problem._add_error_label("TransientTransactionError")
    return problem


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
    server, times = Server(*[partial(in_the_driver, LOST_LOCK)] * 2), 0

    async def body(session: Session) -> str:
        nonlocal times
        times += 1
        return "stored"

    assert asyncio.run(run(server, body)) == "stored"
    assert (server.done, times) == (["commit"] * 3, 1)


@pytest.mark.parametrize("code", sorted(CUT_SHORT))
@pytest.mark.parametrize("of", [OperationFailure, WriteConcernError])
def test_a_commit_that_was_cut_short_is_made_again(code: int, of: type[OperationFailure]) -> None:
    server, bodies = Server(fails_with(of("cut short", code))), ["stored"]

    async def body(session: Session) -> str:
        return bodies.pop()

    assert asyncio.run(run(server, body)) == "stored"
    assert server.done == ["commit"] * 2


def test_a_transaction_is_run_again_where_its_commit_was_cut_short_and_did_not_come_about() -> None:
    server = Server(fails_with(OperationFailure("cut short", 290)), fails_with(of_no_such_transaction()))
    bodies = ["stored again", "stored"]

    async def body(session: Session) -> str:
        return bodies.pop()

    assert asyncio.run(run(server, body)) == "stored again"
    assert server.done == ["commit"] * 3


def test_a_transaction_whose_time_was_over_is_run_again() -> None:
    server, answers = Server(), [OperationFailure("its time is over", 290)]

    async def body(session: Session) -> str:
        if answers:
            raise answers.pop()
        return "stored"

    assert asyncio.run(run(server, body)) == "stored"
    assert server.done == ["abort", "commit"]


def test_any_other_answer_to_a_commit_is_raised() -> None:
    server = Server(fails_with(OperationFailure("not allowed", 13)))

    async def body(session: Session) -> str:
        return "stored"

    with pytest.raises(OperationFailure, match="not allowed"):
        asyncio.run(run(server, body))


def test_any_other_fault_is_raised() -> None:
    server = Server()

    async def body(session: Session) -> str:
        raise RuntimeError("the projection is wrong")

    with pytest.raises(RuntimeError, match="the projection is wrong"):
        asyncio.run(run(server, body))
    assert server.done == ["abort"]
