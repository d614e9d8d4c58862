"""Work that is told to end does, although the database is away and its driver says so in the place of ending."""

import asyncio
from types import SimpleNamespace
from typing import Any, Self

from pymongo.errors import AutoReconnect

from shared.writing.relay import Relay


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
