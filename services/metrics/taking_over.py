"""Settles in the build of a rebuild, too, what was settled in the one that is read."""

from collections.abc import Collection
from functools import partial

import structlog
from pymongo.errors import PyMongoError

from services.metrics import dead_letters
from services.metrics.dead_letters import Letter
from services.metrics.late import Late
from shared.events.fact import Recorded, Stream
from shared.kafka import decode, partition_of
from shared.mongo import Client, Database, Document, Session, transact
from shared.reading.heads import Seen
from shared.reading.sink import is_of_a_document
from shared.views.builds import Build

log = structlog.get_logger(__name__)


class TakingOver:
    """Takes over into one build what was settled and does not come to the same there by itself.

    What was folded by a replay is folded, where that build made a dead letter of it as well. What was discarded is
    given up: a build that meets such a record misses it. What this release cannot fold is left as it is.
    """

    def __init__(self, client: Client, db: Database, builds: tuple[Build, Build], partitions: int) -> None:
        """`builds` are the one that is read and the one that is written; `partitions` is how many the topics have."""
        self._client, self._db, (self._old, self._build), self._partitions = client, db, builds, partitions
        self._late = Late(db, self._build, partitions)
        self._folded = set[str]()
        """The replayed letters of which this build has the fact: it does not lose it again."""
        self._told = set[str]()

    async def settle(self, numbers: Collection[int], as_of: Session | None = None) -> None:
        """What is settled by now of the streams of these partition numbers; with a session in a snapshot, what was at
        that time. Done again it does what is new.

        The build has come there to where the other one is: else it would fold what was replayed before the fact that
        stands in its place, and miss what it meets afterwards.
        """
        replayed: Document = {**dead_letters.kept_in(self._old), "_id": {"$nin": sorted(self._folded)}}
        async for document in self._db.dead_letters.find(replayed, session=as_of):
            letter = Letter.restored(document)
            try:
                fact = decode(letter)
                if not self._is_in(numbers, fact.stream):
                    continue
                await self._fold(letter.id, fact)
            except Exception as problem:
                if isinstance(problem, PyMongoError) and not is_of_a_document(problem):
                    raise
                self._tell(letter, problem)
            else:
                self._folded.add(letter.id)
        await self._give_up(numbers, as_of)

    def _is_in(self, numbers: Collection[int], stream: Stream) -> bool:
        return partition_of(stream.key.encode(), self._partitions) in numbers

    async def _fold(self, id: str, fact: Recorded) -> None:
        head = await self._db[self._build.heads].find_one({"_id": str(fact.stream)})
        seen = Seen.restored(head)
        if not seen.has(fact.version) or fact.version in seen.given_up:
            await transact(self._client, partial(self._fold_late, id, fact))

    async def _fold_late(self, id: str, fact: Recorded, session: Session) -> None:
        if await self._late.fold(fact, session):
            builds = [self._old.number, self._build.number]  # the old one, too: an earlier release did not say
            there = {"$addToSet": {"folded_in": {"$each": builds}}}
            await self._db.dead_letters.update_one({"_id": id}, there, session=session)

    async def _give_up(self, numbers: Collection[int], as_of: Session | None) -> None:
        given_up = await dead_letters.given_up(self._db, (self._old, self._build), as_of)
        positions = [position for position in given_up if self._is_in(numbers, position.stream)]
        streams = sorted({str(position.stream) for position in positions})
        missing = {"_id": {"$in": streams}, "missing": {"$ne": []}}
        heads = {document["_id"]: document async for document in self._db[self._build.heads].find(missing)}
        for position in positions:
            head = heads.get(str(position.stream))
            if head and position.version in head["missing"]:
                await transact(self._client, partial(self._late.give_up, position))

    def _tell(self, letter: Letter, problem: Exception) -> None:
        if letter.id not in self._told:
            self._told.add(letter.id)
            log.warning("dead_letter.not_taken_over", id=letter.id, build=self._build.number, reason=repr(problem))
