"""The lives of builds: one is begun beside the current one, takes over from it or is given up, and the old one goes."""

import asyncio
import re
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from pymongo import ReturnDocument

from services.metrics import dead_letters
from services.metrics.builds import current_build
from shared.events.fact import Position, Stream
from shared.mongo import Client, Database, Document, LostRaces, Session, transact
from shared.reading.heads import Seen
from shared.views.builds import BUILDS, CURRENT, NEXT, Build

LAST = "last"
"""The id of the highest number that a build was ever given: a sleeper may still write to one that was given up."""
SHOWN = 3
"""Streams, and versions of each, that are named."""
AT_ONCE = 1_000
PATIENCE = timedelta(seconds=10)
"""Nobody folds while it is tried to take over."""
HELD_WITHIN_S = 3.0
"""MongoDB ends a transaction that takes ten seconds."""

Offsets = Mapping[int, Mapping[str, int]]
"""Partition number -> topic -> offset."""


class NotReady(Exception):
    """The new build cannot take over yet, or not at all: the reason, for the operator. Nothing was changed."""


class Overtaken(NotReady):
    """Another rebuild has taken over meanwhile: there is nothing to go on with."""

    def __init__(self) -> None:
        super().__init__("another rebuild has taken over meanwhile")


class GivenUp(NotReady):
    """Somebody has given this rebuild up meanwhile: there is nothing to go on with, and nothing has taken over."""

    def __init__(self) -> None:
        super().__init__("it was given up meanwhile")


class Stale(NotReady):
    """What the new build has folded was discarded since: it is to be begun anew."""


class UnseenStream(NamedTuple):
    """A stream with versions that the old build has folded and the new one has not."""

    stream: Stream
    versions: Sequence[int]


class Unseen(NotReady):
    """The old build has folded what the new one has not."""

    def __init__(self, old: Build, new: Build, streams: Sequence[UnseenStream]) -> None:
        told = [f"{one.stream}@{', '.join(map(str, one.versions[:SHOWN]))}" for one in streams[:SHOWN]]
        more = f"; and {len(streams) - SHOWN:,} streams more" if len(streams) > SHOWN else ""
        super().__init__(
            f"build {old.number} has seen facts that build {new.number} has not, {'; '.join(told)}{more}: what is seen "
            f"must not be taken back"
        )


async def begin(db: Database, release: str) -> tuple[Build, Build]:
    """The current build and the one to be written beside it: that of a rebuild that was not finished, if there is one,
    unless another release began it, or a letter that it may have folded was discarded since.

    Whoever calls this and what follows holds the lease `rebuild`.
    """
    old = await current_build(db)
    under_way = await db[BUILDS].find_one({"_id": NEXT})
    is_ours = under_way and under_way.get("release") == release and not under_way.get("given_up")
    if under_way and is_ours and not await _is_stale(db, Build(under_way["build"])):
        return old, Build(under_way["build"])
    await give_up(db)
    highest = {"$set": {"build": {"$add": [{"$max": ["$build", old.number]}, 1]}}}
    last = await db[BUILDS].find_one_and_update(
        {"_id": LAST}, [highest], upsert=True, return_document=ReturnDocument.AFTER
    )
    assert last is not None
    new = Build(last["build"])
    await db[BUILDS].insert_one({"_id": NEXT, "build": new.number, "beside": old.number, "release": release})
    return old, new


async def give_up(db: Database) -> Build | None:
    """Leave no trace of the rebuild that was not finished; None where there is none.

    That it is given up is said first, of this build: then it never takes over, so that whoever sleeps in here wakes up
    beside one that nobody reads.
    """
    under_way = await db[BUILDS].find_one({"_id": NEXT})
    if under_way is None:
        return None
    build = Build(under_way["build"])
    this = {"_id": NEXT, "build": build.number}
    if not (await db[BUILDS].update_one(this, {"$set": {"given_up": True}})).matched_count:
        return None  # it has taken over meanwhile, or is gone
    await dead_letters.forget(db, build)
    await _drop(db, build)
    await db[BUILDS].delete_one(this)
    return build


async def require_under_way(db: Database, old: Build, new: Build) -> None:
    """
    Raises:
        Overtaken, GivenUp: one of the two builds, or both, may be gone.
    """
    under_way = await db[BUILDS].find_one({"_id": NEXT})  # first: who takes over changes both at once
    if await current_build(db) != old:
        raise Overtaken
    if under_way is None or under_way["build"] != new.number or under_way.get("given_up"):
        raise GivenUp


async def clear(db: Database) -> list[int]:
    """Drop what belongs to no build that is current or under way; the numbers of those builds.

    The closed partition documents of a build that was current stay for good: they are what stops whoever wakes up one
    day and would take a build without any for one that is to be folded from the beginning.

    What is there is looked at first, then which is under way, then which is current. In this order none is missed: a
    build is under way before it has collections, and then takes over; one that is neither never is again.
    """
    names = await db.list_collection_names()
    there = {int(found[2]) for name in names if (found := re.fullmatch(r"(records|sums|heads)_(\d+)", name))}
    under_way = await db[BUILDS].find_one({"_id": NEXT})
    kept = {(await current_build(db)).number} | ({under_way["build"]} if under_way else set())
    for number in sorted(there - kept):
        await _drop(db, Build(number))
    return sorted(there - kept)


async def _drop(db: Database, build: Build) -> None:
    for collection in build.collections:
        if collection != build.partitions or not await db[collection].find_one({"closed_at": {"$exists": True}}):
            await db.drop_collection(collection)


class CaughtUp(NamedTuple):
    """What is to be known once the old build is closed, and the new one has come to where it was stopped."""

    streams: Collection[str]
    """Those of which the old build may have folded what the new one has not. Only they are looked at: nothing is folded
    meanwhile.
    """
    without: Collection[Position] = ()
    """What the old build has folded, and somebody decided to do without."""


async def flip(
    client: Client,
    db: Database,
    old: Build,
    new: Build,
    partitions: int,
    caught_up: Callable[[Offsets], Awaitable[CaughtUp]],
) -> None:
    """Let the new build take over, in one transaction, if it has folded all that the old one has, but for what somebody
    decided to do without.

    That closes every partition document of the old build first: while it is open nobody can commit to the old build,
    afterwards nobody finds the offsets that they trust. `caught_up` returns once the new build has come to where the
    old one was stopped, and raises NotReady where it does not.

    Raises:
        Unseen, Stale, Overtaken, GivenUp, NotReady: nothing was changed.
    """
    try:
        await transact(
            client,
            lambda session: _flip(db, session, old, new, partitions, caught_up),
            patience=PATIENCE,
        )
    except LostRaces as problem:
        raise NotReady(f"MongoDB did not let build {new.number} take over: {problem}") from None


async def _flip(
    db: Database,
    session: Session,
    old: Build,
    new: Build,
    partitions: int,
    caught_up: Callable[[Offsets], Awaitable[CaughtUp]],
) -> None:
    stopped = await _close(db, session, old, partitions)
    pointer = await db[BUILDS].find_one({"_id": CURRENT}, session=session)
    if pointer is None or pointer["build"] != old.number:
        raise Overtaken
    under_way = {"_id": NEXT, "build": new.number, "given_up": {"$exists": False}}
    if not (await db[BUILDS].delete_one(under_way, session=session)).deleted_count:
        raise GivenUp
    await _until_held(db)
    streams, without = await caught_up(stopped)
    if await _is_stale(db, new):
        raise Stale("a dead letter that it has folded was discarded meanwhile: run it again, and it begins anew")
    if behind := await _unseen_of(streams, db, old, new, without, session):
        raise Unseen(old, new, behind)
    change = {"$set": {"build": new.number, "since": datetime.now(UTC)}}
    await db[BUILDS].update_one({"_id": CURRENT}, change, session=session)


async def _until_held(db: Database) -> None:
    """Return once a majority holds all that is committed by now: what was settled last stands in the way of no closing,
    and who reads apart from that transaction, as all do who look what the new build lacks, would not see it before.

    Raises:
        NotReady: the other nodes are too far behind.
    """
    try:
        async with asyncio.timeout(HELD_WITHIN_S):  # what a majority holds, it holds with all that was before
            await db[BUILDS].update_one({"_id": LAST}, {"$set": {"held_at": datetime.now(UTC)}})
    except TimeoutError:
        raise NotReady("most of MongoDB's nodes do not hold yet what was written last") from None


async def _is_stale(db: Database, build: Build) -> bool:
    """Whether a letter that the build has folded was discarded since."""
    undone = {"folded_in": build.number, "discarded": {"$ne": None}}
    return await db.dead_letters.find_one(undone, {"_id": 1}) is not None


async def _close(db: Database, session: Session, build: Build, partitions: int) -> Offsets:
    """Close every partition document, also those that are not there yet; the offsets that they had."""
    documents = db[build.partitions]
    closing: list[Document] = [{"$set": {"closed_at": "$next"}}, {"$unset": "next"}]
    await documents.update_many({"next": {"$exists": True}}, closing, session=session)
    found = {document["_id"]: document["closed_at"] async for document in documents.find({}, session=session)}
    absent: list[dict[str, Any]] = [
        {"_id": number, "closed_at": {}} for number in range(partitions) if number not in found
    ]
    if absent:
        await documents.insert_many(absent, session=session)
    return found


async def unseen_streams(
    db: Database, old: Build, new: Build, without: Collection[Position] = ()
) -> list[UnseenStream]:
    """Streams of which the new build has not folded all that the old one has, but for what somebody does without."""
    may_lack: list[Document] = [
        {"$lt": [{"$ifNull": ["$new.head", 0]}, "$head"]},
        *({"$ne": [{"$ifNull": [f"$new.{name}", []]}, []]} for name in ("missing", "given_up")),
    ]
    stages: list[Document] = [
        {"$sort": {"_id": 1}},
        {"$lookup": {"from": new.heads, "localField": "_id", "foreignField": "_id", "as": "new"}},
        {"$set": {"new": {"$first": "$new"}}},
        {"$match": {"$expr": {"$or": may_lack}}},
    ]
    found, expected = list[UnseenStream](), by_stream(without)
    async for document in await db[old.heads].aggregate(stages):
        found += _lacking(document, document.get("new"), expected)
    return found


async def _unseen_of(
    streams: Collection[str], db: Database, old: Build, new: Build, without: Collection[Position], session: Session
) -> list[UnseenStream]:
    """The same of these streams only. The old build is read in the session: so this fails where that has ended."""
    found, expected, ids = list[UnseenStream](), by_stream(without), sorted(streams)
    for begin in range(0, len(ids), AT_ONCE):
        these = {"_id": {"$in": ids[begin : begin + AT_ONCE]}}
        before = [document async for document in db[old.heads].find(these, session=session)]
        after = {document["_id"]: document async for document in db[new.heads].find(these)}
        for document in before:
            found += _lacking(document, after.get(document["_id"]), expected)
    return found


def by_stream(positions: Iterable[Position]) -> Mapping[Stream, set[int]]:
    versions = defaultdict[Stream, set[int]](set)
    for position in positions:
        versions[position.stream].add(position.version)
    return versions


def _lacking(old: Document, new: Document | None, expected: Mapping[Stream, set[int]]) -> Iterator[UnseenStream]:
    """The stream of two heads, if the new build lacks a version that is not expected to be lacking, and does not do
    without it because what stands there was discarded.
    """
    stream, after = Stream.parse(old["_id"]), Seen.restored(new)
    without = after.given_up | set(expected.get(stream, ()))
    if unseen := [version for version in Seen.restored(old).not_in(after) if version not in without]:
        yield UnseenStream(stream, unseen)
