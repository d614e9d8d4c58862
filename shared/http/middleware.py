"""What every request goes through: its trace, its size."""

import json
import time

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared import telemetry

log = structlog.get_logger(__name__)

MAX_BODY_BYTES = 1024 * 1024


class Trace:
    """Takes up the caller's trace context or begins one, answers with it, and logs the request under it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        traceparent = telemetry.accept(Headers(scope=scope).get("traceparent"))
        began, status = time.perf_counter(), 500

        async def traced(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["traceparent"] = traceparent
            await send(message)

        try:
            await self._app(scope, receive, traced)
        finally:
            if not scope["path"].startswith(("/health", "/metrics")):
                milliseconds = round((time.perf_counter() - began) * 1000, 1)
                log.info(
                    "request.answered",
                    method=scope["method"],
                    path=scope["path"],
                    status=status,
                    ms=milliseconds,
                )


class BodyLimit:
    """Refuses a body above the limit before it is taken in."""

    def __init__(self, app: ASGIApp, most: int = MAX_BODY_BYTES) -> None:
        self._app, self._most = app, most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        stated = Headers(scope=scope).get("content-length", "0")
        if stated.isdecimal() and int(stated) > self._most:
            return await self._refuse(scope, send)
        body, more = bytearray(), True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self._most:
                return await self._refuse(scope, send)
        taken = False

        async def replay() -> Message:
            nonlocal taken
            if taken:
                return await receive()
            taken = True
            return {"type": "http.request", "body": bytes(body), "more_body": False}

        return await self._app(scope, replay, send)

    async def _refuse(self, scope: Scope, send: Send) -> None:
        detail = f"The body is larger than {self._most // 1024} kB: send it in parts"
        body = json.dumps(
            {
                "type": "/problems/body-too-large",
                "title": "That is too much at once",
                "status": 413,
                "detail": detail,
                "instance": scope["path"],
                "errors": [{"field": "body", "detail": detail}],
            }
        ).encode()
        headers = [
            (b"content-type", b"application/problem+json"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        await send({"type": "http.response.start", "status": 413, "headers": headers})
        await send({"type": "http.response.body", "body": body})
