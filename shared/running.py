"""How a service runs: its background work, and what happens when that fails."""

import asyncio
import contextlib
import faulthandler
import gc
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from types import TracebackType
from typing import Any, Self

import structlog
import uvicorn
from aiokafka.conn import create_conn
from aiokafka.errors import KafkaError
from fastapi import FastAPI
from pymongo.errors import PyMongoError

from shared.drivers import by_its_name
from shared.mongo import Client

log = structlog.get_logger(__name__)

LOOK_AFTER = "see whether it runs and, where it ended by itself, what its log says last"

ENDS_WITHIN_S = 15.0
"""From a failure to the end of the process, however the rest of it takes that."""

_failures: list[str] = []
_servers: list[uvicorn.Server] = []


class Tasks:
    """Work that goes on beside the requests. If one of them fails, the process ends, loudly, to be started again."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[Any]] = []
        self._ending = False

    def start(self, name: str, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._watch)
        self._tasks.append(task)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending = True
        for task in reversed(self._tasks):  # what was started last leans on what was started first
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _watch(self, task: asyncio.Task[Any]) -> None:
        problem: BaseException | None
        if not task.cancelled():
            problem = task.exception()
        elif self._ending:
            return
        else:  # a library let the end of a task of its own pass for that of ours
            problem = RuntimeError("it was cancelled, and nobody here did that")
        if problem is not None:
            _fail(task, problem)


def _fail(task: asyncio.Task[Any], problem: BaseException) -> None:
    log.critical("task.died", task=task.get_name(), reason=str(problem), exc_info=problem)
    _failures.append(f"{task.get_name()}: {problem}")
    if _servers and len(_failures) == 1:
        certain = threading.Timer(ENDS_WITHIN_S, _end_at_once)
        certain.daemon = True
        certain.start()
    for server in _servers:
        server.should_exit = True


def _end_at_once() -> None:
    """End, saying why, although something does not end that was told to: a library that waits for an engine, say."""
    faulthandler.dump_traceback(file=sys.stderr, all_threads=True)
    sys.stderr.write(f"{_why()} (and what else ran did not end within {ENDS_WITHIN_S:.0f} s: the stacks are above)\n")
    sys.stderr.flush()
    os._exit(1)


def _why() -> str:
    return f"stopped, because this failed: {'; '.join(_failures)}"


def told_to_end() -> bool:
    """Whether this task was cancelled, be it that a driver raised an error of its own in the place of that.

    Closing a cursor of a database that is away does so: a loop that only waits for `CancelledError` then never ends.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def until_done(work: Callable[[], Awaitable[Any]], pause: timedelta = timedelta(seconds=1)) -> None:
    """Do something that needs MongoDB, again and again while that is away."""
    while True:
        try:
            await by_its_name(work())
        except PyMongoError as problem:
            log.warning("database.out_of_reach", reason=str(problem))
            await asyncio.sleep(pause.total_seconds())
        else:
            return


def mongo_check(client: Client) -> Callable[[], Awaitable[str | None]]:
    async def check() -> str | None:
        try:
            await by_its_name(asyncio.wait_for(client.admin.command("ping"), timeout=1))
        except (PyMongoError, TimeoutError) as problem:
            return f"it does not answer ({type(problem).__name__}): {LOOK_AFTER}"
        return None

    return check


def kafka_check(bootstrap: str) -> Callable[[], Awaitable[str | None]]:
    async def check() -> str | None:
        for server in bootstrap.split(","):
            host, _, port = server.strip().rpartition(":")
            with contextlib.suppress(KafkaError, OSError, TimeoutError):
                # it asks a question, too: one that is frozen still lets connect
                connection = await asyncio.wait_for(create_conn(host, int(port)), timeout=1)
                connection.close()
                return None
        return f"no broker answers at {bootstrap}: {LOOK_AFTER}"

    return check


def collect_seldom() -> None:
    """Let Python look for cyclic garbage seldom, and never among what is there to stay.

    By default it walks all that is held whenever that has grown by a quarter, which is half of the time that a busy
    reader takes; cycles come of exceptions and closed connections only, and are few.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(500_000, 20, 50)


def serve(app: FastAPI, host: str, port: int) -> None:
    """Serve until told to stop, which is no failure; exits 1, saying why, if background work failed."""
    config = uvicorn.Config(app, host=host, port=port, log_config=None, access_log=False, server_header=False)
    server = uvicorn.Server(config)
    _servers.append(server)

    def stop(*_: object) -> None:  # before uvicorn listens to it, and once more when it has stopped
        server.should_exit = True

    signal.signal(signal.SIGTERM, stop)
    collect_seldom()
    with contextlib.suppress(KeyboardInterrupt):
        server.run()
    if _failures:
        sys.exit(_why())
