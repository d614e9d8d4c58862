"""A lease: one holder at a time does a thing, unless it dies or sleeps; whoever relies on it must bear two."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

import structlog
from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError, PyMongoError

from shared.drivers import by_its_name
from shared.mongo import Database
from shared.running import told_to_end

log = structlog.get_logger(__name__)

T = TypeVar("T")


class HeldElsewhere(Exception):
    """Somebody else does it, or has taken it over."""

    def __init__(self, lease: str, holder: str | None) -> None:
        who = f" ({holder})" if holder else ""
        super().__init__(f"another {lease} is running{who}: wait for its end, or end it")


class Lease:
    """The lease `name` in a database's `leases`; time is the server's, so that clocks need not agree."""

    def __init__(self, db: Database, name: str, holder: str, lasts: timedelta = timedelta(seconds=10)) -> None:
        self._leases, self._name, self._holder, self._lasts = db.leases, name, holder, lasts

    async def take(self) -> bool:
        """Take it or prolong it; False where somebody else holds it."""
        until = {"$add": ["$$NOW", self._lasts // timedelta(milliseconds=1)]}
        free = {"$or": [{"$eq": ["$holder", self._holder]}, {"$not": [{"$gt": ["$until", "$$NOW"]}]}]}
        change = {
            "holder": {"$cond": [free, self._holder, "$holder"]},
            "until": {"$cond": [free, until, "$until"]},
        }
        try:
            lease = await self._leases.find_one_and_update(
                {"_id": self._name}, [{"$set": change}], upsert=True, return_document=ReturnDocument.AFTER
            )
        except DuplicateKeyError:  # two made it at once
            return False
        return lease is not None and lease["holder"] == self._holder

    async def seize(self) -> None:
        """Take it from whoever holds it and return once they have noticed, which they do when they next prolong it."""
        until = {"$add": ["$$NOW", self._lasts // timedelta(milliseconds=1)]}
        change = [{"$set": {"holder": self._holder, "until": until}}]
        before = await self._leases.find_one_and_update({"_id": self._name}, change, upsert=True)
        if before is not None and before["holder"] != self._holder:
            await asyncio.sleep(self._lasts.total_seconds() / 2)

    async def hold(self) -> None:
        """Prolong it as long as that goes well; returns once it is lost."""
        while True:
            await asyncio.sleep(self._lasts.total_seconds() / 3)
            if not await self.take():
                log.warning("lease.lost", lease=self._name)
                return

    async def claim(self) -> None:
        """Take it, if need be when it runs out for one who was killed with it.

        Raises:
            HeldElsewhere: it is prolonged, so somebody lives.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._lasts.total_seconds() + 2
        while not await self.take():
            if loop.time() > deadline:
                raise HeldElsewhere(self._name, await self._held_by())
            await asyncio.sleep(0.5)

    async def once(
        self, work: Callable[[], Awaitable[T]], away: Callable[[PyMongoError], object] = lambda problem: None
    ) -> T:
        """Do `work` under the lease that was claimed, and give it up. While MongoDB is away, nobody can take it; `away`
        is told each time that it is found so.

        Raises:
            HeldElsewhere: somebody has taken it all the same, and `work` was broken off.
        """
        working, holding = asyncio.ensure_future(work()), asyncio.ensure_future(self._hold_on(away))
        try:
            await asyncio.wait({working, holding}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                return working.result()
            working.cancel()  # first of all: somebody else is at it
            await asyncio.gather(working, return_exceptions=True)
            raise HeldElsewhere(self._name, await self._held_by())
        finally:
            for task in (working, holding):
                task.cancel()
            await asyncio.gather(working, holding, return_exceptions=True)
            await self._let_go()

    async def _hold_on(self, away: Callable[[PyMongoError], object]) -> None:
        while True:
            try:
                return await by_its_name(self.hold())
            except PyMongoError as problem:
                log.warning("lease.out_of_reach", lease=self._name, reason=str(problem))
                away(problem)
                await asyncio.sleep(self._lasts.total_seconds() / 10)

    async def _held_by(self) -> str | None:
        lease = await self._leases.find_one({"_id": self._name})
        return str(lease["holder"]) if lease else None

    async def give_up(self) -> None:
        await self._leases.delete_one({"_id": self._name, "holder": self._holder})

    async def while_held(self, work: Callable[[], Awaitable[None]]) -> None:
        """For ever: wait for the lease, then do `work` as long as it is held; work that ends or fails starts again."""
        while not told_to_end():
            try:
                held = await by_its_name(self.take())
            except PyMongoError as problem:
                log.warning("lease.out_of_reach", lease=self._name, reason=str(problem))
                held = False
            if held:
                log.info("lease.taken", lease=self._name, holder=self._holder)
                try:
                    await self.once(work)
                except Exception as problem:
                    log.warning("lease.work_failed", lease=self._name, reason=repr(problem))
            await asyncio.sleep(self._lasts.total_seconds() / 5)

    async def _let_go(self) -> None:
        """So that another need not wait until it has run out."""
        with contextlib.suppress(PyMongoError, TimeoutError):
            await by_its_name(asyncio.wait_for(self.give_up(), timeout=1))
