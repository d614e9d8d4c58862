"""The way to a running system: commands and views over the gateway's public HTTP contract, with patience."""

import asyncio
import hashlib
import json
import os
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import TracebackType
from typing import Any, Literal, Self

import aiohttp

from deploy.local.failures import Failure

LONGEST_PAUSE = 5.0  # seconds between two tries
NOT_NOW = frozenset({429, 502, 503, 504})

Method = Literal["PUT", "POST"]


class GatewayAway(Failure):
    """It could not be reached, or said "not now", for longer than the caller's patience."""

    def __init__(self, url: str, why: str, patience: timedelta) -> None:
        super().__init__(
            f"The gateway at {url} was out of reach, or said 'not now', for {patience.total_seconds():.0f} s: {why}.",
            "`praxis status` says what runs, `praxis up` starts it; another address is given with --gateway. "
            "Then run the same command again: nothing is recorded twice.",
        )


class NotAllowed(Failure):
    """The gateway asks who it is, or does not let them."""


class Refused(Exception):
    """A command that was not carried out, or a view that is not there: the server's own words."""

    def __init__(self, status: int, problem: str, reason: str, field: str = "") -> None:
        super().__init__(reason)
        self.status, self.problem, self.reason, self.field = status, problem, reason, field


@dataclass(frozen=True)
class Command:
    """What is sent; the same command under the same key is carried out once."""

    method: Method
    path: str
    body: Mapping[str, Any]

    def content(self) -> bytes:
        """The body as it is sent: the same bytes each time, since a key stands for them."""
        return json.dumps(self.body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    def key(self, *parts: str) -> str:
        """An idempotency key of the command itself, and of what else tells it apart."""
        words = "\n".join((*parts, self.method, self.path)).encode()
        return hashlib.sha256(words + b"\n" + self.content()).hexdigest()


@dataclass(frozen=True)
class Done:
    """What is stored. `positions` are empty where nothing had to be added."""

    positions: tuple[str, ...] = ()
    unchanged: bool = True
    answer: Mapping[str, Any] = field(default_factory=dict)


class Gateway:
    """Commands and views. Tries again while the system is away, with growing pauses, under the same key."""

    def __init__(
        self,
        url: str,
        *,
        patience: timedelta = timedelta(minutes=2),
        at_once: int = 64,
    ) -> None:
        self.url = url.rstrip("/")
        self._patience = patience
        self._at_once = at_once
        self._client: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        token = os.environ.get("PRAXIS_TOKEN")
        self._client = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {token}"} if token else {},
            connector=aiohttp.TCPConnector(limit=self._at_once),
            timeout=aiohttp.ClientTimeout(total=30),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.close()

    async def command(self, command: Command, *, key: str, after: Iterable[str] = ()) -> Done:
        """Have a command carried out.

        Raises:
            Refused: it was not, and would not be if it came again.
            GatewayAway: whether it was is not known; the same key may be sent again.
        """
        headers = {"Idempotency-Key": f'"{key}"', "Content-Type": "application/json", **_after(after)}
        answer = await self._ask(command.method, command.path, headers, body=command.content())
        return Done(tuple(answer.get("positions", ())), bool(answer.get("unchanged", False)), answer)

    async def view(self, path: str, *, as_at: str | None = None, after: Iterable[str] = ()) -> Any:
        """Read a view, if asked as at a day, and not before it includes some positions.

        Raises:
            Refused: there is no such thing.
        """
        return await self._ask("GET", path, _after(after), query={"as_at": as_at} if as_at else {})

    async def _ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        *,
        body: bytes | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Any:
        clock = asyncio.get_running_loop().time
        first_failed: float | None = None
        tries = 0
        while True:
            try:
                async with self._client.request(
                    method, self.url + path, headers=headers, data=body, params=query
                ) as response:
                    content = await response.read()
            except (aiohttp.ClientError, TimeoutError) as problem:
                why, pause = str(problem) or type(problem).__name__, min(0.1 * 2**tries, LONGEST_PAUSE)
            else:
                if response.status not in NOT_NOW:
                    return _read(response, content)
                why, pause = _refusal(response, content).reason, _retry_after(response)
            tries += 1
            first_failed = clock() if first_failed is None else first_failed
            if clock() - first_failed > self._patience.total_seconds():
                raise GatewayAway(self.url, why, self._patience)
            await asyncio.sleep(pause * random.uniform(0.8, 1.4))


def _after(positions: Iterable[str]) -> dict[str, str]:
    text = ", ".join(positions)
    return {"Praxis-After": text} if text else {}


def _retry_after(response: aiohttp.ClientResponse) -> float:
    stated = response.headers.get("Retry-After", "")
    return min(float(stated), 60.0) if stated.isdecimal() else 1.0


def _read(response: aiohttp.ClientResponse, content: bytes) -> Any:
    if response.ok:
        return json.loads(content)
    refusal = _refusal(response, content)
    if response.status in (401, 403):
        raise NotAllowed(
            f"The gateway answers {response.status}: {refusal.reason}.",
            "give it a token of somebody who may do this, in PRAXIS_TOKEN.",
        )
    raise refusal


def _refusal(response: aiohttp.ClientResponse, content: bytes) -> Refused:
    """Its problem (RFC 9457), or what can be said without one."""
    try:
        problem = json.loads(content)
        errors = problem.get("errors") or [{}]
        name = str(problem.get("type", "")).rpartition("/")[2]
        reason, where = str(problem["detail"]), str(errors[0].get("field", ""))
        if len(errors) == 1:  # without the field before it, which is told apart
            reason = str(errors[0].get("detail", reason))
    except (ValueError, KeyError, AttributeError, TypeError):
        return Refused(response.status, "", f"{response.status} {response.reason}")
    return Refused(response.status, name, reason, where)
