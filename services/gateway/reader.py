"""Reads the services' contracts, so that what a service takes appears at the public door by itself."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import aiohttp
import orjson
import structlog

from services.gateway import metrics
from services.gateway.contracts import Document, Routes, commands, operations
from services.gateway.openapi import merged
from services.gateway.replicas import Service

log = structlog.get_logger(__name__)

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 2.0  # until each has been read once
PATIENCE_S, AT_MOST_EVERY_S = 2.0, 1.0


class Contracts:
    """The contracts as last read: who takes what (`routes`), and all of them as one (`document`).

    A service that goes away leaves its contract behind; one that never answered has none.
    """

    def __init__(
        self,
        http: aiohttp.ClientSession,
        services: Sequence[Service],
        own: Mapping[str, Any],
        every: timedelta,
    ) -> None:
        self._http, self._services, self._own, self._every = http, services, own, every.total_seconds()
        self._read: dict[str, Document] = {}
        self._reading = asyncio.Lock()
        self._read_at = 0.0
        self._put_together()

    @property
    def unread(self) -> list[str]:
        """The services whose contract has not been read yet."""
        return [service.name for service in self._services if service.name not in self._read]

    def check(self, service: Service) -> Callable[[], Awaitable[str | None]]:
        async def read() -> str | None:
            return "its contract has not been read yet" if service.name in self.unread else None

        return read

    async def run(self) -> None:
        """Read for ever: soon again until all have been read once, then every so often."""
        pause = FIRST_PAUSE_S
        while True:
            async with self._reading:
                await self._read_all()
            pause = min(pause * 2, LONGEST_PAUSE_S) if self.unread else self._every
            await asyncio.sleep(pause)

    async def refresh(self) -> None:
        """Read again because somebody asks for what is not known; at most once a second, and once for all who ask."""
        async with self._reading:
            if time.monotonic() - self._read_at >= AT_MOST_EVERY_S:
                await self._read_all()

    async def _read_all(self) -> None:
        found = await asyncio.gather(*map(self._read_one, self._services))
        self._read_at = time.monotonic()
        changed = False
        for service, contract in zip(self._services, found, strict=True):
            if contract is not None and contract != self._read.get(service.name):
                self._read[service.name] = contract
                changed = True
                offered = len(list(commands(contract)))
                metrics.OPERATIONS.labels(service.name).set(offered)
                log.info("contract.read", of=service.name, commands=offered)
        if changed:
            self._put_together()

    async def _read_one(self, service: Service) -> Document | None:
        """From the first replica that answers."""
        for url in service.urls:
            try:
                async with self._http.get(f"{url}/openapi.json", timeout=aiohttp.ClientTimeout(PATIENCE_S)) as answer:
                    answer.raise_for_status()
                    contract = orjson.loads(await answer.read())
                if isinstance(contract, dict):
                    return contract
                reason = "it is not an object"
            except (aiohttp.ClientError, TimeoutError, orjson.JSONDecodeError) as problem:
                reason = str(problem) or type(problem).__name__
            log.warning("contract.unread", of=service.name, url=url, reason=reason)
        return None

    def _put_together(self) -> None:
        # In the order of the settings, not of reading, so that every gateway decides alike.
        read = {service.name: self._read[service.name] for service in self._services if service.name in self._read}
        offered = {name: commands(contract) for name, contract in read.items()}
        self.routes = Routes({"gateway": operations(self._own), **offered})
        self.document = orjson.dumps(merged(self._own, read))
