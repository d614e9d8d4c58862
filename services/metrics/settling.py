"""Settles dead letters: a record that is understood by now is folded as a late fact, or its version is given up.

Each is one transaction, by whatever process is asked.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import NamedTuple

import structlog
from pymongo.errors import PyMongoError

from services.metrics import dead_letters
from services.metrics.dead_letters import Letter, Settled, waiting
from services.metrics.gaps import Gap, gaps
from services.metrics.late import Late
from shared.events.fact import Position, Recorded
from shared.kafka import NotUnderstood, decode
from shared.mongo import Client, Database, Document, Session, transact
from shared.reading.heads import Seen, TooFarAhead
from shared.reading.sink import AnotherStandsThere, is_of_a_document
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


class PlaceIsTaken(Conflict):
    """Another fact was folded in its place."""

    def __init__(self, id: str, reason: str) -> None:
        remedy = (
            "Find out which of the two is on record: if it is the other one, discard this one; if it is this one, "
            "discard the other one, where that was replayed, rebuild, and replay this one then"
        )
        super().__init__(f"It is not folded: {reason}. {remedy}", field="id", id=id)


class Discarded(Conflict):
    def __init__(self, id: str, settled: Settled) -> None:
        detail = f"{settled.by} discarded it on {settled.at:%Y-%m-%d}, because {settled.why}: that is final"
        super().__init__(detail, field="id", id=id)


class NotKnownYet(Unavailable):
    """What became of a letter in a transaction that took too long."""

    def __init__(self) -> None:
        super().__init__("MongoDB takes too long, so it is not known yet whether this was done: do it again")


class Listed(NamedTuple):
    """A letter, as the build has it that is read."""

    letter: Letter
    missing: bool
    """Whether figures are incomplete for want of it."""
    folded: bool
    """Whether its fact came from here."""
    buried: bool


class DeadLetters:
    """What is kept of them, and how they are settled, in the build that is read at that moment."""

    def __init__(self, client: Client, db: Database, partitions: int) -> None:
        """`partitions` is how many the topics have."""
        self._client, self._db, self._partitions = client, db, partitions

    async def listed(self, *, settled_too: bool, after: str, limit: int) -> list[Listed]:
        """In order of their ids, those after an id."""
        which = {} if settled_too else waiting(await _build(self._db))
        query: Document = {"_id": {"$gt": after}, **which}
        found = self._db.dead_letters.find(query).sort("_id").limit(limit)
        return await self._seen([Letter.restored(document) async for document in found])

    async def gaps(self, *, after: str, limit: int) -> list[Gap]:
        """What is missing and no letter waits for, in order of streams, those after one."""
        return await gaps(self._db, await _build(self._db), after=after, limit=limit)

    async def letter(self, id: str) -> Listed:
        document = await self._db.dead_letters.find_one({"_id": id})
        if document is None:
            raise UnknownDeadLetter(id)
        (listed,) = await self._seen([Letter.restored(document)])
        return listed

    async def replay(self, id: str, settled: Settled) -> bool:
        """Fold the record, once; False where its version was there before, by whatever way.

        Raises:
            StillNotUnderstood, PlaceIsTaken, Discarded: nothing was changed.
        """
        letter = (await self.letter(id)).letter
        if letter.discarded:
            raise Discarded(id, letter.discarded)
        if letter.left_out:
            raise StillNotUnderstood(id, f"its {' and '.join(letter.left_out)} is too long to be a fact's")
        try:
            fact = decode(letter)
            async with _in_time():
                folded = await transact(
                    self._client,
                    lambda session: self._fold(letter, fact, settled, session),
                )
        except Discarded:
            raise
        except AnotherStandsThere as problem:
            raise PlaceIsTaken(id, str(problem)) from None
        except (NotUnderstood, TooFarAhead) as problem:
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

        One that was folded stays so until a rebuild, which does without it.

        Raises:
            Discarded: it was before.
        """
        letter = (await self.letter(id)).letter
        async with _in_time():
            await transact(self._client, lambda session: self._discard(letter, settled, session))
        log.warning("dead_letter.discarded", id=id, by=settled.by, why=settled.why)

    async def _fold(self, letter: Letter, fact: Recorded, settled: Settled, session: Session) -> bool:
        await self._require_not_discarded(letter.id, session)
        build = await _build(self._db, session)
        fresh = await Late(self._db, build, self._partitions).fold(fact, session)
        if not fresh:
            await self._require_there(letter, fact, build, session)
        # who folded it is not to be forgotten for somebody who found it there
        which = {"_id": letter.id} if fresh else {"_id": letter.id, "replayed": None}
        builds = [build.number] if fresh else []
        change: Document = {"$set": {"replayed": settled._asdict()}, "$addToSet": {"folded_in": {"$each": builds}}}
        await self._db.dead_letters.update_one(which, change, session=session)
        return fresh

    async def _require_there(self, letter: Letter, fact: Recorded, build: Build, session: Session) -> None:
        """
        Raises:
            AnotherStandsThere: its version was seen, and as another fact.
        """
        if build.number in letter.displaced_in:
            raise AnotherStandsThere(fact.position, fact.id)
        folded = {**dead_letters.folded_in(build), "topic": letter.topic, "key": letter.key, "_id": {"$ne": letter.id}}
        async for document in self._db.dead_letters.find(folded, session=session):
            with suppress(NotUnderstood):
                other = decode(Letter.restored(document))
                if other.position == fact.position and other.id != fact.id:
                    raise AnotherStandsThere(fact.position, fact.id, other.id)

    async def _discard(self, letter: Letter, settled: Settled, session: Session) -> None:
        await self._require_not_discarded(letter.id, session)
        build = await _build(self._db, session)
        if letter.position and not await self._stands_at(letter.position, build, session, but=letter.id):
            await Late(self._db, build, self._partitions).give_up(letter.position, session)
        discarded = {"$set": {"discarded": settled._asdict()}}
        await self._db.dead_letters.update_one({"_id": letter.id}, discarded, session=session)

    async def _require_not_discarded(self, id: str, session: Session) -> None:
        letter = await self._db.dead_letters.find_one({"_id": id}, {"discarded": 1}, session=session)
        if letter and (settled := Settled.restored(letter.get("discarded"))):
            raise Discarded(id, settled)

    async def _stands_at(self, position: Position, build: Build, session: Session, *, but: str) -> bool:
        """Whether another letter of this position still waits."""
        others = {"position": str(position), "_id": {"$ne": but}, **waiting(build)}
        return await self._db.dead_letters.find_one(others, {"_id": 1}, session=session) is not None

    async def _seen(self, letters: list[Letter]) -> list[Listed]:
        build = await _build(self._db)
        streams = {str(letter.position.stream) for letter in letters if letter.position}
        found = self._db[build.heads].find({"_id": {"$in": sorted(streams)}})
        heads = {document["_id"]: Seen.restored(document) async for document in found}

        def is_missing(position: Position | None) -> bool:
            head = position and heads.get(str(position.stream))
            return bool(head and position and position.version in head.missing)

        return [
            Listed(letter, is_missing(letter.position), letter.is_folded_in(build), letter.is_buried_in(build))
            for letter in letters
        ]


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
