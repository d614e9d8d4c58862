"""A gateway that answers as its contract says and remembers what it was sent, for tests of its clients."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass(frozen=True)
class Sent:
    path: str
    body: Any
    key: str
    after: str


Answer = Callable[[Sent], web.StreamResponse | None]


@dataclass
class FakeGateway:
    url: str = ""
    sent: list[Sent] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    """Asked in turn before a command is accepted; the first that answers decides."""
    at_once: int = 0
    most_at_once: int = 0
    _versions: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    _hang_up: list[str] = field(default_factory=list)
    _people: dict[str, str] = field(default_factory=dict)

    def of(self, ending: str) -> list[Sent]:
        return [one for one in self.sent if one.path.endswith(ending)]

    def hang_up_on(self, ending: str) -> None:
        """Close the connection without an answer, the first time that a path ends so."""
        self._hang_up.append(ending)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        try:
            headers = request.headers
            key, after = headers.get("Idempotency-Key", ""), headers.get("Praxis-After", "")
            sent = Sent(request.path, await request.json(), key, after)
            self.sent.append(sent)
            await asyncio.sleep(0.001)
            for ending in [one for one in self._hang_up if sent.path.endswith(one)]:
                self._hang_up.remove(ending)
                assert request.transport is not None
                request.transport.close()
            for answer in self.answers:
                if (given := answer(sent)) is not None:
                    return given
            return self._accepted(sent)
        finally:
            self.at_once -= 1

    def _accepted(self, sent: Sent) -> web.Response:
        stream = _stream(sent.path)
        body: dict[str, Any] = {}
        if sent.path == "/v1/people":
            ref = sent.body["reference"]["ref"]
            body["person_id"] = self._people.setdefault(ref, f"id-of-{ref}")
            stream = f"membership/person.id-of-{ref}"
        self._versions[stream] += 1
        return web.json_response(
            {"positions": [f"{stream}@{self._versions[stream]}"], "unchanged": False, **body}, status=202
        )


def _stream(path: str) -> str:
    topic = "convenings" if "/convenings/" in path else "membership"
    return f"{topic}/community.{path.split('/')[3]}" if path.startswith("/v1/communities/") else "membership/other.x"


def refusal(status: int, detail: str, field: str = "", headers: dict[str, str] | None = None) -> web.Response:
    errors = [{"field": field, "detail": detail}] if field else []
    problem = {"type": "/problems/some", "title": "", "status": status, "detail": detail, "errors": errors}
    return web.json_response(problem, status=status, headers=headers)


@asynccontextmanager
async def fake_gateway() -> AsyncIterator[FakeGateway]:
    gateway = FakeGateway()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", gateway.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    gateway.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield gateway
    finally:
        await runner.cleanup()
