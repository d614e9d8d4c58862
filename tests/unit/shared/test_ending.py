"""Work that is told to end does, although the database is away and its driver says so in the place of ending."""

import asyncio
import subprocess
import sys
from types import SimpleNamespace
from typing import Any, Self

from pymongo.errors import AutoReconnect

from deploy.local.settings import REPOSITORY
from shared.writing.relay import Relay

DOES_NOT_END = """
import asyncio, contextlib, sys
from collections.abc import AsyncIterator
from shared import running
from shared.http.app import application

running.ENDS_WITHIN_S = 0.5

async def fail() -> None:
    raise RuntimeError("the log is another")

async def never_end() -> None:
    while True:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

@contextlib.asynccontextmanager
async def lifespan(app) -> AsyncIterator[dict]:
    async with running.Tasks() as tasks:
        tasks.start("other", never_end())
        tasks.start("worker", fail())
        yield {"checks": {}}

running.serve(application("a service", lifespan), "127.0.0.1", 0)
"""


def test_what_failed_ends_the_process_although_the_rest_of_it_does_not_end() -> None:
    command = [sys.executable, "-c", DOES_NOT_END]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "stopped, because this failed: worker: the log is another (and what else ran did not end" in done.stderr


class Away:
    """A change stream that cannot be closed at first: what that raises takes the place of the cancellation."""

    def __init__(self) -> None:
        self._raises = [AutoReconnect("the database is away")]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._raises:
            raise self._raises.pop()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> None:
        await asyncio.Event().wait()


def test_the_relay_stops_watching_although_its_change_stream_cannot_be_closed() -> None:
    async def ends() -> bool:
        stream = Away()

        async def watch(pipeline: Any) -> Away:
            return stream

        database: Any = SimpleNamespace(outbox=SimpleNamespace(watch=watch))
        watching = asyncio.create_task(Relay(database, "nowhere:1", asyncio.Event())._watch())
        await asyncio.sleep(0.01)
        watching.cancel()
        done, _ = await asyncio.wait([watching], timeout=1)
        return bool(done)

    assert asyncio.run(ends())
