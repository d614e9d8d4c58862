"""Whose fault an error is: a driver's own are told as an engine that is away, others stay what they are."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import uvloop

from shared.drivers import KafkaDriverFailed, MongoDriverFailed, by_its_name


def writes_in(module: str) -> Callable[[asyncio.StreamWriter], None]:
    """Code of a module that writes on a connection."""
    code: dict[str, Any] = {"__name__": module}
    exec("def write(writer): writer.write(b'a request')", code)
    write: Callable[[asyncio.StreamWriter], None] = code["write"]
    return write


@pytest.mark.parametrize(
    ("module", "told"),
    [
        pytest.param("aiokafka.conn", KafkaDriverFailed, id="aiokafka's"),
        pytest.param("pymongo.network_layer", MongoDriverFailed, id="PyMongo's"),
        pytest.param("services.metrics.fold", RuntimeError, id="our own"),
    ],
)
def test_who_writes_on_a_connection_that_is_closed_is_told_by_its_name(module: str, told: type[Exception]) -> None:
    async def run() -> None:
        server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
        async with server:
            _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.transport.abort()
            await asyncio.sleep(0.01)

            async def work() -> None:
                writes_in(module)(writer)

            await by_its_name(work())

    with pytest.raises(told) as problem:
        uvloop.run(run())
    assert type(problem.value) is told
    assert "the handler is closed" in str(problem.value)
