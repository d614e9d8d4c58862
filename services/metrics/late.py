"""Changes what a build has seen of a stream apart from the topics: a fact is folded late, a version is given up.

It counts up `settled` in the partition's document, so whoever folds that partition at the moment misses and loads again
what it had cached.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.metrics.fold import Fold
from shared.events.fact import Position, Recorded, Stream
from shared.kafka import partition_of
from shared.mongo import Database, Session
from shared.reading.heads import Seen
from shared.reading.sink import Partition, Unit, take
from shared.views.builds import Build


class Late:
    """What comes late to one build. All of it is done in the session's transaction."""

    def __init__(self, db: Database, build: Build, partitions: int) -> None:
        """`partitions` is how many the topics have."""
        self._db, self._build, self._partitions = db, build, partitions

    async def fold(self, fact: Recorded, session: Session) -> bool:
        """False where its version was there before.

        Raises:
            TooFarAhead, AnotherStandsThere: nothing is folded.
        """
        async with self._seen_apart(fact.stream, session) as (number, seen):
            fresh = take(seen, fact)
            if fresh:
                unit = Unit(self._db, session, Partition(number, {}, None), cached=0)
                await Fold(self._build).project(unit, [fact])
        return fresh

    async def give_up(self, position: Position, session: Session) -> None:
        """Do without a version that is missing."""
        async with self._seen_apart(position.stream, session) as (_, seen):
            seen.give_up(position.version)

    @asynccontextmanager
    async def _seen_apart(self, stream: Stream, session: Session) -> AsyncIterator[tuple[int, Seen]]:
        """A stream's partition number and what was seen of it, to be changed."""
        heads, id = self._db[self._build.heads], str(stream)
        head = await heads.find_one({"_id": id}, session=session)
        # a letter may have stood elsewhere, and topics made anew may have more of them
        number = head["partition"] if head else partition_of(stream.key.encode(), self._partitions)
        seen = Seen.restored(head)
        # before all else, so that it is the worker that loses the race: it tries again at once, and often
        counted_up = {"$inc": {"settled": 1}, "$setOnInsert": {"next": {}}}  # there, so that a flip meets it
        await self._db[self._build.partitions].update_one({"_id": number}, counted_up, upsert=True, session=session)
        yield number, seen
        changed = {"partition": number, **seen.document()}
        await heads.update_one({"_id": id}, {"$set": changed}, upsert=True, session=session)
