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

import httpx

from deploy.local.failures import Failure

DEFAULT_GATEWAY = "http://127.0.0.1:8080"
LONGEST_PAUSE = 5.0  # seconds between two tries
NOT_NOW = frozenset({429, 502, 503, 504})

Method = Literal["PUT", "POST"]


class GatewayAway(Failure):
    """It could not be reached, or said "not now", for longer than the caller's patience."""

    def __init__(self, url: str, why: str, patience: timedelta) -> None:
        super().__init__(
            f"The gateway at {url} was out of reach for {patience.total_seconds():.0f} s: {why}.",
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

    def key(self, *parts: str) -> str:
        """An idempotency key of the command itself, and of what else tells it apart."""
        words = json.dumps([*parts, self.method, self.path, self.body], sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(words.encode()).hexdigest()


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
        url: str = DEFAULT_GATEWAY,
        *,
        patience: timedelta = timedelta(minutes=2),
        at_once: int = 64,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self._patience = patience
        token = os.environ.get("PRAXIS_TOKEN")
        self._client = httpx.AsyncClient(
            base_url=self.url,
            headers={"Authorization": f"Bearer {token}"} if token else {},
            limits=httpx.Limits(max_connections=at_once, max_keepalive_connections=at_once),
            timeout=httpx.Timeout(30, pool=None),
            transport=transport,
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def command(self, command: Command, *, key: str, after: Iterable[str] = ()) -> Done:
        """Have a command carried out.

        Raises:
            Refused: it was not, and would not be if it came again.
            GatewayAway: whether it was is not known; the same key may be sent again.
        """
        headers = {"Idempotency-Key": f'"{key}"', **_after(after)}
        answer = await self._ask(command.method, command.path, headers, body=dict(command.body))
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
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Any:
        clock = asyncio.get_running_loop().time
        first_failed: float | None = None
        tries = 0
        while True:
            try:
                response = await self._client.request(method, path, headers=headers, json=body, params=query)
            except httpx.TransportError as problem:
                why, pause = str(problem) or type(problem).__name__, min(0.1 * 2**tries, LONGEST_PAUSE)
            else:
                if response.status_code not in NOT_NOW:
                    return _read(response)
                why, pause = _refusal(response).reason, _retry_after(response)
            tries += 1
            first_failed = clock() if first_failed is None else first_failed
            if clock() - first_failed > self._patience.total_seconds():
                raise GatewayAway(self.url, why, self._patience)
            await asyncio.sleep(pause * random.uniform(0.8, 1.4))


def _after(positions: Iterable[str]) -> dict[str, str]:
    text = ", ".join(positions)
    return {"Praxis-After": text} if text else {}


def _retry_after(response: httpx.Response) -> float:
    stated = response.headers.get("Retry-After", "")
    return min(float(stated), 60.0) if stated.isdecimal() else 1.0


def _read(response: httpx.Response) -> Any:
    if response.is_success:
        return response.json()
    refusal = _refusal(response)
    if response.status_code in (401, 403):
        raise NotAllowed(
            f"The gateway answers {response.status_code}: {refusal.reason}.",
            "give it a token of somebody who may do this, in PRAXIS_TOKEN.",
        )
    raise refusal


def _refusal(response: httpx.Response) -> Refused:
    """Its problem (RFC 9457), or what can be said without one."""
    try:
        problem = response.json()
        errors = problem.get("errors") or [{}]
        name = str(problem.get("type", "")).rpartition("/")[2]
        reason, where = str(problem["detail"]), str(errors[0].get("field", ""))
    except (ValueError, KeyError, AttributeError, TypeError):
        return Refused(response.status_code, "", f"{response.status_code} {response.reason_phrase}")
    return Refused(response.status_code, name, reason, where)
