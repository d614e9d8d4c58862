"""The build that is current, and the sink that goes on with the next one when its own is closed."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

import structlog
from pymongo.errors import DuplicateKeyError

from services.metrics.fold import Fold
from shared.kafka import Record
from shared.mongo import Database, Document
from shared.reading.sink import Closed, Folding
from shared.running import until_done
from shared.views.builds import BUILDS, CURRENT, FIRST, Build

log = structlog.get_logger(__name__)

T = TypeVar("T")


async def current_build(db: Database) -> Build:
    """The build that the pointer names; the first, if there is none yet."""
    try:
        await db[BUILDS].insert_one({"_id": CURRENT, "build": FIRST.number})
    except DuplicateKeyError:
        pointer = await db[BUILDS].find_one({"_id": CURRENT})
        return Build(pointer["build"]) if pointer else FIRST
    return FIRST


class CurrentBuild:
    """Folds into the current build, whichever that is: when it finds its own closed, it opens the one that took over.

    Nothing else has to be done then: what the other has folded is dropped there, and a batch that begins beyond that is
    sought back as ever.
    """

    build: Build

    def __init__(self, db: Database, sink_of: Callable[[Build], Folding]) -> None:
        self._db, self._sink_of = db, sink_of
        self._opening = asyncio.Lock()
        self._sink: Folding

    async def open(self) -> None:
        """Open it; its collections are there afterwards."""
        build = await current_build(self._db)
        await Fold(build).prepare(self._db)
        self.build, self._sink = build, self._sink_of(build)

    async def next_offsets(self, number: int) -> dict[str, int]:
        return await self._on_current(lambda sink: sink.next_offsets(number))

    async def stored(self, number: int) -> Document | None:
        return await self._on_current(lambda sink: sink.stored(number))

    async def learn(self, number: int, fields: Document) -> None:
        await self._on_current(lambda sink: sink.learn(number, fields))

    async def put(self, number: int, records: Mapping[str, Sequence[Record]]) -> None:
        await self._on_current(lambda sink: sink.put(number, records))

    async def _on_current(self, do: Callable[[Folding], Awaitable[T]]) -> T:
        while True:
            build = self.build
            try:
                return await do(self._sink)
            except Closed:
                async with self._opening:
                    if self.build == build:
                        await until_done(self.open)  # MongoDB may be away again
                if self.build == build:
                    raise
                log.info("build.followed", closed=build.number, current=self.build.number)
