"""A lease: one holder at a time does a thing, unless it dies or sleeps; whoever relies on it must bear two."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog
from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError, PyMongoError

from shared.drivers import by_its_name
from shared.mongo import Database
from shared.running import told_to_end

log = structlog.get_logger(__name__)


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
                    await self._work(work)
                finally:
                    await self._let_go()
            await asyncio.sleep(self._lasts.total_seconds() / 5)

    async def _work(self, work: Callable[[], Awaitable[None]]) -> None:
        working, holding = asyncio.ensure_future(work()), asyncio.ensure_future(self.hold())
        try:
            await asyncio.wait({working, holding}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (working, holding):
                task.cancel()
            results = await asyncio.gather(working, holding, return_exceptions=True)
            for result in results:
                if isinstance(result, Exception):
                    log.warning("lease.work_failed", lease=self._name, reason=repr(result))

    async def _let_go(self) -> None:
        """So that another need not wait until it has run out."""
        with contextlib.suppress(PyMongoError, TimeoutError):
            await by_its_name(asyncio.wait_for(self.give_up(), timeout=1))
