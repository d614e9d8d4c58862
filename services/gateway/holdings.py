"""What `metrics` holds, read in one snapshot: what a view is made from cannot change while it is read."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, TypeVar

from shared.events.fact import SOURCE_TOPICS, Position
from shared.measures.measure import Sums
from shared.measures.united import absent, goes_on, key_of, united
from shared.mongo import Client, Database, Document, Session
from shared.reading.heads import Waiting, unseen
from shared.refusals import Unavailable
from shared.views.builds import BUILDS, CURRENT, DATABASE, FIRST, Build
from shared.views.records import ParticipationRecord, PersonRecord, Record, ids_in

R = TypeVar("R", bound=Record)

LOOK_EVERY = timedelta(milliseconds=250)


class NotSeenYet(Unavailable):
    """The views do not include everything yet that the reader has written."""

    def __init__(self, missing: Collection[Position]) -> None:
        places = [str(position) for position in missing]
        detail = f"The views do not include yet: {', '.join(places)}. Come again in a second"
        super().__init__(detail, field="Praxis-After", missing=places)


class Holdings:
    """One snapshot of one build."""

    def __init__(self, db: Database, session: Session, build: Build) -> None:
        self._db, self._session, self._build = db, session, build

    async def record(self, kind: type[R], *key: str) -> R | None:
        """One record by what tells it from others of its kind."""
        document = await self._db[self._build.records].find_one(
            {"_id": "/".join((kind.kind, *key))}, {"value": 1}, session=self._session
        )
        return kind.restored(document["value"]) if document else None

    async def records(self, kind: type[R], scopes: Iterable[str] | None = None, **where: Any) -> list[R]:
        """The records of a kind, in these scopes, with these values; dots in a field's name are written `__`."""
        query: Document = {f"value.{field.replace('__', '.')}": value for field, value in where.items()}
        if scopes is None:
            query["_id"] = {"$gt": f"{kind.kind}/", "$lt": f"{kind.kind}0"}  # "0" follows "/"
        elif places := [place for scope in scopes for place in ids_in(scope, kind)]:
            query["$or"] = places
        else:
            return []
        found = self._db[self._build.records].find({**query, "kind": kind.kind}, {"value": 1}, session=self._session)
        return [kind.restored(document["value"]) async for document in found.sort("_id")]

    async def participations(self, scopes: Iterable[str] | None = None, **where: Any) -> list[ParticipationRecord]:
        """As `records`; what is found is united with what the same people did there under ids that were merged."""
        found = further = await self.records(ParticipationRecord, scopes, **where)
        while others := absent(further) - {key_of(one) for one in found}:
            ids = ["/".join((ParticipationRecord.kind, *key)) for key in sorted(others)]
            more = self._db[self._build.records].find({"_id": {"$in": ids}}, {"value": 1}, session=self._session)
            further = [ParticipationRecord.restored(document["value"]) async for document in more]
            found = [*found, *further]
        return united(found)

    async def by_id(self, kind: type[R], ids: Iterable[str]) -> dict[str, R]:
        """Those of these ids that are on record, of a kind that has but one id."""
        query = {"_id": {"$in": [f"{kind.kind}/{id}" for id in sorted(ids)]}}
        found = self._db[self._build.records].find(query, {"value": 1}, session=self._session)
        return {document["_id"].partition("/")[2]: kind.restored(document["value"]) async for document in found}

    async def listed(self, kind: str, after: str, limit: int) -> list[Document]:
        """Ids, titles and marks of the records of a kind, in order of their ids, those after an id."""
        found = self._db[self._build.records].find(
            {"_id": {"$gt": f"{kind}/{after}", "$lt": f"{kind}0"}},  # "0" follows "/"
            {"title": {"$ifNull": ["$value.title", {"$last": "$value.names.name"}]}, "value.demonstration_on": 1},
            session=self._session,
        )
        return [
            {
                "id": document["_id"].partition("/")[2],
                "title": document.get("title"),
                "demonstration_on": document["value"].get("demonstration_on"),
            }
            async for document in found.sort("_id").limit(limit)
        ]

    async def sums(self, scopes: Collection[str], as_at: str) -> dict[str, Sums]:
        """The sums up to a day, by scope."""
        held: dict[str, dict[str, dict[str, int]]] = {scope: defaultdict(dict) for scope in scopes}
        query = {"scope": {"$in": list(scopes)}, "year": {"$lte": as_at[:4]}}
        fields = {"scope": 1, "measure": 1, "key": 1, "year": 1, "days": 1}
        async for document in self._db[self._build.sums].find(query, fields, session=self._session):
            added = sum(delta for day, delta in document["days"].items() if day <= as_at)
            keyed = held[document["scope"]][document["measure"]]
            keyed[document["key"]] = keyed.get(document["key"], 0) + added
        return {scope: Sums(measures) for scope, measures in held.items()}

    async def distinct_people(self, query: Document) -> int:
        """How many different people the participations that a query finds are of; ids that were merged are one."""
        merged = await self.records(PersonRecord, merged_into={"$gt": ""})
        into = {one.person_id: one.merged_into for one in merged if one.merged_into is not None}
        one_each: list[Document] = [
            {"$match": {"kind": "participation", **query}},
            {"$group": {"_id": "$value.person_id"}},
        ]
        records = self._db[self._build.records]
        counted = await records.aggregate([*one_each, {"$count": "people"}], session=self._session)
        count: int = sum([document["people"] async for document in counted])
        if not into:
            return count
        involved: Document = {"$match": {"_id": {"$in": sorted({*into, *into.values()})}}}
        ids = {d["_id"] async for d in await records.aggregate([*one_each, involved], session=self._session)}
        return count - len(ids) + len({goes_on(id, into) for id in ids})

    async def is_incomplete(self, scopes: Collection[str]) -> bool:
        """Whether versions are missing in streams of these scopes."""
        streams = [f"{topic}/{scope}" for topic in SOURCE_TOPICS for scope in scopes]
        query = {"_id": {"$in": streams}, "missing": {"$ne": []}}
        return await self._db[self._build.heads].find_one(query, {"_id": 1}, session=self._session) is not None


class Views:
    """Opens snapshots that include what a reader has written."""

    def __init__(self, client: Client, within: timedelta = timedelta(seconds=3), database: str = DATABASE) -> None:
        self._client, self._db, self._within = client, client[database], within
        self._build = FIRST
        self._waiting = Waiting(lambda: self._db[self._build.heads], topics=SOURCE_TOPICS)

    @asynccontextmanager
    async def open(self, after: Collection[Position] = ()) -> AsyncIterator[Holdings]:
        """A snapshot that includes these positions.

        Raises:
            NotSeenYet: it would not, even after a bounded wait.
        """
        if after and (missing := await self._until_seen(after)):
            raise NotSeenYet(missing)
        async with self._client.start_session(snapshot=True) as session:
            await self._look_which_build(session)
            if after and (missing := await unseen(self._db[self._build.heads], after, session)):
                raise NotSeenYet(missing)
            yield Holdings(self._db, session, self._build)

    async def _until_seen(self, positions: Collection[Position]) -> Collection[Position]:
        """Wait; those that are still not seen. Another build may take over meanwhile, and only that one goes on."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._within.total_seconds()
        while missing := await self._waiting.until_seen(positions, min(self._within, LOOK_EVERY)):
            if clock() >= deadline:
                return missing
            await self._look_which_build()
        return []

    async def _look_which_build(self, session: Session | None = None) -> None:
        pointer = await self._db[BUILDS].find_one({"_id": CURRENT}, session=session)
        self._build = Build(pointer["build"]) if pointer else FIRST
