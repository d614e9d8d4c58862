"""Carries commands to the services, a stream's always to the same replica while that can be reached."""

import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import aiohttp
import structlog
from yarl import URL

from services.gateway import metrics
from services.gateway.replicas import Service, ranked
from shared.refusals import Unavailable

log = structlog.get_logger(__name__)

MOST_CONNECTIONS = 1_000
KEPT_ALIVE_S = 4  # less than the 5 s after which uvicorn closes an idle connection
AVOIDED_S = 1.0  # how long a replica that could not be reached is asked last
# Nothing was sent where the connection was not made; what broke off later may have been carried out.
NOT_REACHED = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


class ServiceOutOfReach(Unavailable):
    """No replica took the command."""


class OutcomeUnknown(Unavailable):
    """The command was sent; whether it was carried out is not known here."""


@dataclass(frozen=True)
class Parcel:
    """A command as it goes to its service."""

    method: str
    target: str
    """Path and query, as they were sent."""
    headers: Mapping[str, str]
    body: bytes
    stream: str
    """What decides on the replica."""
    idempotency_key: str


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes


def http_client(connect_timeout: timedelta) -> aiohttp.ClientSession:
    """One for all; aiohttp, because passing a command on costs 0.5 ms of CPU with it and 1.6 with httpx."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=MOST_CONNECTIONS, keepalive_timeout=KEPT_ALIVE_S),
        timeout=aiohttp.ClientTimeout(sock_connect=connect_timeout.total_seconds()),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
    )


class Courier:
    def __init__(self, http: aiohttp.ClientSession, connect_timeout: timedelta, command_timeout: timedelta) -> None:
        self._http = http
        self._timeout = aiohttp.ClientTimeout(
            total=command_timeout.total_seconds(), sock_connect=connect_timeout.total_seconds()
        )
        self._avoided_until: dict[str, float] = {}

    async def carry(self, service: Service, parcel: Parcel) -> Reply:
        """Send it to its replica, to the next where that cannot be reached, once more where the connection broke off.

        Sending twice is safe: the parcel has an idempotency key.

        Raises:
            ServiceOutOfReach: no replica could be reached.
            OutcomeUnknown: it was sent and not answered.
        """
        to_ask, sent = deque(self._in_order(service.urls, parcel.stream)), 0
        while to_ask and sent < 2:
            url = to_ask.popleft()
            try:
                with metrics.PASSED_SECONDS.labels(service.name).time():
                    reply = await self._send(url, parcel)
            except NOT_REACHED as problem:
                self._avoided_until[url] = time.monotonic() + AVOIDED_S
                self._turned_away(service, url, "out_of_reach", problem)
            except TimeoutError:
                raise self._unknown(service, parcel, "did not answer in time") from None
            except (aiohttp.ClientError, ConnectionError) as problem:
                sent += 1
                to_ask.append(url)  # the last to be asked once more, where it is not the only one
                self._turned_away(service, url, "broken_off", problem)
            else:
                metrics.PASSED.labels(service.name, str(reply.status)).inc()
                return reply
        if sent:
            raise self._unknown(service, parcel, "broke the connection off before it answered")
        metrics.NOT_PASSED.labels(service.name, "out_of_reach").inc()
        raise ServiceOutOfReach(
            f"The service {service.name} cannot be reached just now: the command was not carried out. "
            f"Send it again under the same Idempotency-Key",
            **_told(service, parcel),
        )

    def _in_order(self, urls: Sequence[str], stream: str) -> list[str]:
        order, now = ranked(urls, stream), time.monotonic()
        return sorted(order, key=lambda url: self._avoided_until.get(url, 0.0) > now)

    async def _send(self, url: str, parcel: Parcel) -> Reply:
        async with self._http.request(
            parcel.method,
            URL(url + parcel.target, encoded=True),
            headers=parcel.headers,
            data=parcel.body,
            timeout=self._timeout,
            allow_redirects=False,
        ) as answer:
            return Reply(answer.status, answer.headers, await answer.read())

    def _turned_away(self, service: Service, url: str, reason: str, problem: BaseException) -> None:
        metrics.TURNED_AWAY.labels(service.name, reason).inc()
        log.warning("replica.turned_away", of=service.name, url=url, reason=str(problem) or type(problem).__name__)

    def _unknown(self, service: Service, parcel: Parcel, what: str) -> OutcomeUnknown:
        metrics.NOT_PASSED.labels(service.name, "outcome_unknown").inc()
        return OutcomeUnknown(
            f"The service {service.name} {what}, so it is not known here whether the command was carried out. "
            f"Send it again under the same Idempotency-Key: it is carried out once, and you are given its answer",
            retry_after=2,
            **_told(service, parcel),
        )


def _told(service: Service, parcel: Parcel) -> dict[str, Any]:
    return {"service": service.name, "idempotency_key": parcel.idempotency_key}
