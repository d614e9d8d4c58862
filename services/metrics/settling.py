"""Settles dead letters: a record that is understood by now is folded as a late fact, or its version is given up.

Each is one transaction, by whatever process is asked: it counts up `settled` in the partition's document, so whoever
folds that partition at the moment misses and loads again what it had cached.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import NamedTuple

import structlog
from pymongo.errors import PyMongoError

from services.metrics import dead_letters
from services.metrics.dead_letters import WAITING, Letter, Settled
from services.metrics.fold import Fold
from shared.events.fact import Position, Recorded, Stream
from shared.kafka import NotUnderstood, decode, partition_of
from shared.mongo import Client, Database, Document, Session, transact
from shared.reading.heads import Seen
from shared.reading.sink import Partition, Unit, is_of_a_document
from shared.refusals import Conflict, NotFound, Unavailable
from shared.views.builds import BUILDS, CURRENT, FIRST, Build

log = structlog.get_logger(__name__)

WITHIN = timedelta(seconds=15)


class UnknownDeadLetter(NotFound):
    def __init__(self, id: str) -> None:
        super().__init__(f"There is no dead letter '{id}': `praxis dead-letters list --all` lists them", field="id")


class StillNotUnderstood(Conflict):
    """This release cannot fold it either."""

    def __init__(self, id: str, reason: str) -> None:
        detail = f"This release does not understand it either: {reason}. Replay it with one that does, or discard it"
        super().__init__(detail, field="id", id=id)


class Discarded(Conflict):
    def __init__(self, id: str, settled: Settled) -> None:
        detail = f"{settled.by} discarded it on {settled.at:%Y-%m-%d}, because {settled.why}: that is final"
        super().__init__(detail, field="id", id=id)


class AlreadyReplayed(Conflict):
    def __init__(self, id: str, settled: Settled) -> None:
        detail = f"{settled.by} replayed it on {settled.at:%Y-%m-%d}: it is folded, so there is nothing to do without"
        super().__init__(detail, field="id", id=id)


class NotKnownYet(Unavailable):
    """What became of a letter in a transaction that took too long."""

    def __init__(self) -> None:
        super().__init__("MongoDB takes too long, so it is not known yet whether this was done: do it again")


class Listed(NamedTuple):
    """A letter, and whether figures are incomplete for want of it."""

    letter: Letter
    missing: bool


class DeadLetters:
    """What is kept of them, and how they are settled, in the build that is read at that moment."""

    def __init__(self, client: Client, db: Database, partitions: int) -> None:
        """`partitions` is how many the topics have."""
        self._client, self._db, self._partitions = client, db, partitions

    async def listed(self, *, settled_too: bool, after: str, limit: int) -> list[Listed]:
        """In order of their ids, those after an id."""
        query: Document = {"_id": {"$gt": after}, **({} if settled_too else WAITING)}
        found = self._db.dead_letters.find(query).sort("_id").limit(limit)
        return await self._seen([Letter.restored(document) async for document in found])

    async def letter(self, id: str) -> Listed:
        document = await self._db.dead_letters.find_one({"_id": id})
        if document is None:
            raise UnknownDeadLetter(id)
        (listed,) = await self._seen([Letter.restored(document)])
        return listed

    async def replay(self, id: str, settled: Settled) -> bool:
        """Fold the record, once; False where its version was there before, by whatever way.

        Raises:
            StillNotUnderstood, Discarded: nothing was changed.
        """
        letter, _ = await self.letter(id)
        if letter.discarded:
            raise Discarded(id, letter.discarded)
        if letter.left_out:
            raise StillNotUnderstood(id, f"its {' and '.join(letter.left_out)} is too long to be a fact's")
        try:
            fact = decode(letter)
            async with _in_time():
                folded = await transact(
                    self._client,
                    lambda session: self._settle(letter, fact.position, fact, "replayed", settled, session),
                )
        except NotUnderstood as problem:
            raise StillNotUnderstood(id, str(problem)) from None
        except Exception as problem:
            if isinstance(problem, (PyMongoError, Unavailable)) and not is_of_a_document(problem):
                raise
            log.exception("dead_letter.not_folded", id=id)
            raise StillNotUnderstood(id, repr(problem)) from problem
        log.info("dead_letter.replayed", id=id, folded=folded, by=settled.by)
        return folded

    async def discard(self, id: str, settled: Settled) -> None:
        """Do without the record: its version is no longer missing, unless for another letter that still waits.

        Raises:
            Discarded, AlreadyReplayed: it was settled before.
        """
        letter, _ = await self.letter(id)
        if letter.discarded:
            raise Discarded(id, letter.discarded)
        if letter.replayed:
            raise AlreadyReplayed(id, letter.replayed)
        async with _in_time():
            await transact(
                self._client, lambda session: self._settle(letter, letter.position, None, "discarded", settled, session)
            )
        log.warning("dead_letter.discarded", id=id, by=settled.by, why=settled.why)

    async def take_over(self, build: Build) -> None:
        """Settle in another build, too, what was settled and does not come to the same there by itself.

        What was replayed is folded, where that build made a dead letter of it as well. What was discarded is given up:
        a build that meets such a record misses it. What this release cannot fold is left as it is.
        """
        async for document in self._db.dead_letters.find({"replayed": {"$ne": None}}):
            letter = Letter.restored(document)
            try:
                await self._fold_in(build, decode(letter))
            except Exception as problem:
                if isinstance(problem, PyMongoError) and not is_of_a_document(problem):
                    raise
                log.warning("dead_letter.not_taken_over", id=letter.id, build=build.number, reason=repr(problem))
        await self._give_up_in(build)

    async def _fold_in(self, build: Build, fact: Recorded) -> None:
        head = await self._db[build.heads].find_one({"_id": str(fact.stream)})
        seen = Seen.restored(head) if head else Seen()
        if not seen.has(fact.version) or fact.version in seen.given_up:
            await transact(self._client, partial(self._fold_late, build, fact))

    async def _give_up_in(self, build: Build) -> None:
        positions = await dead_letters.given_up(self._db)
        streams = sorted({str(position.stream) for position in positions})
        missing = {"_id": {"$in": streams}, "missing": {"$ne": []}}
        heads = {document["_id"]: document async for document in self._db[build.heads].find(missing)}
        for position in positions:
            head = heads.get(str(position.stream))
            if head and position.version in head["missing"]:
                await transact(self._client, partial(self._give_up, build, position))

    async def _settle(
        self,
        letter: Letter,
        position: Position | None,
        fact: Recorded | None,
        how: str,
        settled: Settled,
        session: Session,
    ) -> bool:
        build, fresh = await _build(self._db, session), False
        if fact:
            fresh = await self._fold_late(build, fact, session)
        elif position and not await self._stands_at(position, session, but=letter.id):
            await self._give_up(build, position, session)
        await self._db.dead_letters.update_one({"_id": letter.id}, {"$set": {how: settled._asdict()}}, session=session)
        return fresh

    async def _fold_late(self, build: Build, fact: Recorded, session: Session) -> bool:
        """False where its version was there before."""
        async with self._seen_apart(build, fact.stream, session) as (number, seen):
            fresh = seen.take(fact.version)
            if fresh:
                unit = Unit(self._db, session, Partition(number, {}, None), cached=0)
                await Fold(build).project(unit, [fact])
        return fresh

    async def _give_up(self, build: Build, position: Position, session: Session) -> None:
        async with self._seen_apart(build, position.stream, session) as (_, seen):
            seen.give_up(position.version)

    @asynccontextmanager
    async def _seen_apart(self, build: Build, stream: Stream, session: Session) -> AsyncIterator[tuple[int, Seen]]:
        """A stream's partition number and what was seen of it, to be changed apart from the topics."""
        heads, id = self._db[build.heads], str(stream)
        head = await heads.find_one({"_id": id}, session=session)
        # a letter may have stood elsewhere, and topics made anew may have more of them
        number = head["partition"] if head else partition_of(stream.key.encode(), self._partitions)
        seen = Seen.restored(head) if head else Seen()
        # before all else, so that it is the worker that loses the race: it tries again at once, and often
        await self._db[build.partitions].update_one({"_id": number}, {"$inc": {"settled": 1}}, session=session)
        yield number, seen
        changed = {"partition": number, **seen.document()}
        await heads.update_one({"_id": id}, {"$set": changed}, upsert=True, session=session)

    async def _stands_at(self, position: Position, session: Session, *, but: str) -> bool:
        """Whether another letter of this position still waits."""
        others = {"position": str(position), "_id": {"$ne": but}, **WAITING}
        return await self._db.dead_letters.find_one(others, {"_id": 1}, session=session) is not None

    async def _seen(self, letters: list[Letter]) -> list[Listed]:
        build = await _build(self._db)
        streams = {str(letter.position.stream) for letter in letters if letter.position}
        found = self._db[build.heads].find({"_id": {"$in": sorted(streams)}})
        heads = {document["_id"]: Seen.restored(document) async for document in found}

        def is_missing(position: Position | None) -> bool:
            head = position and heads.get(str(position.stream))
            return bool(head and position and position.version in head.missing)

        return [Listed(letter, is_missing(letter.position)) for letter in letters]


async def _build(db: Database, session: Session | None = None) -> Build:
    pointer = await db[BUILDS].find_one({"_id": CURRENT}, session=session)
    return Build(pointer["build"]) if pointer else FIRST


@asynccontextmanager
async def _in_time() -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(WITHIN.total_seconds()):
            yield
    except TimeoutError:
        raise NotKnownYet from None
