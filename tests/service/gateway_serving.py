"""The gateway in this process, with services of the test behind it, all on real sockets."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import Body, FastAPI, Request, Response
from starlette.types import ASGIApp

from services.gateway.app import app as gateway_app

NOWHERE = "http://127.0.0.1:9"  # the discard port: refused


@asynccontextmanager
async def served(app: ASGIApp) -> AsyncIterator[str]:
    """Its address, while it is served."""
    config = uvicorn.Config(app, port=0, log_config=None, ws="none", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


@dataclass
class Seen:
    """What a service of the test was sent."""

    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Service:
    """Takes PUT at its paths, keeps what it was sent, and answers as it is told to."""

    paths: tuple[str, ...]
    answer: Callable[[Seen], Response] = lambda seen: Response(b"{}", 202, media_type="application/json")
    takes: timedelta = timedelta()
    seen: list[Seen] = field(default_factory=list)

    def app(self) -> FastAPI:
        app = FastAPI()

        async def take(request: Request, body: Any = Body(None)) -> Response:
            raw: bytes = request.scope["raw_path"]
            query: bytes = request.scope["query_string"]
            target = (raw + (b"?" + query if query else b"")).decode()
            self.seen.append(Seen(target, request.headers, await request.body()))
            await asyncio.sleep(self.takes.total_seconds())
            return self.answer(self.seen[-1])

        for path in self.paths:
            parameters = [
                {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
                for name in re.findall(r"{(\w+)}", path)
            ]
            app.put(path, status_code=202, openapi_extra={"parameters": parameters})(take)
        return app


@asynccontextmanager
async def gateway(
    monkeypatch: pytest.MonkeyPatch, membership: list[str], convenings: list[str], **settings: str
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a gateway before these replicas; ready once each has been read, if any can be reached."""
    environment = {
        "mongo": "mongodb://127.0.0.1:9/?serverSelectionTimeoutMS=100",
        "membership_urls": json.dumps(membership),
        "convenings_urls": json.dumps(convenings),
        "connect_timeout": "PT20S",  # a busy machine is no replica out of reach
        **settings,
    }
    for name, value in environment.items():
        monkeypatch.setenv(f"PRAXIS_{name.upper()}", value)
    async with served(gateway_app) as url, httpx.AsyncClient(base_url=url, timeout=10) as client:
        yield client


async def until_read(client: httpx.AsyncClient) -> None:
    """Wait until the gateway has read every contract: only then does it know what there is not."""
    async with asyncio.timeout(10):
        while (await client.put("/v1/nothing")).status_code != 404:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


@asynccontextmanager
async def breaking(times: int, app: ASGIApp) -> AsyncIterator[str]:
    """Before an app: takes a command, and closes the connection instead of answering, so many times."""
    left = times

    async with served(app) as behind:

        async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal left
            try:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    (int(line[15:]) for line in head.lower().split(b"\r\n") if line[:15] == b"content-length:"), 0
                )
                body = await reader.readexactly(length)
                if left > 0 and not head.startswith(b"GET"):
                    left -= 1
                    return
                port = int(behind.rsplit(":", 1)[1])
                answers, asks = await asyncio.open_connection("127.0.0.1", port)
                asks.write(head.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n") + body)
                writer.write(await answers.read())
                await writer.drain()
                asks.close()
                await asks.wait_closed()
            finally:
                writer.close()
                await writer.wait_closed()

        server = await asyncio.start_server(meet, "127.0.0.1", 0)
        async with server:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
