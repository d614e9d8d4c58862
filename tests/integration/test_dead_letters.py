"""Dead letters on a real MongoDB: kept with the offset or not at all, replayed once, discarded for good, bounded."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from httpx import ASGITransport, AsyncClient
from starlette.types import Receive, Scope, Send

from services.metrics import dead_letters
from services.metrics.api import DeadLetterView
from services.metrics.app import app
from services.metrics.builds import current_build
from services.metrics.comparison import Apart, Comparison, compare
from services.metrics.dead_letters import Limit, Settled, TooManyDeadLetters, bury
from services.metrics.flip import begin, give_up, unseen_streams
from services.metrics.fold import Fold
from services.metrics.settling import (
    DeadLetters,
    Discarded,
    PlaceIsTaken,
    StillNotUnderstood,
    UnknownDeadLetter,
)
from services.metrics.taking_over import TakingOver
from shared.events.fact import FACTS, SOURCE_TOPICS, Recorded
from shared.events.membership import MemberJoined
from shared.kafka import partition_of
from shared.mongo import Client, Database
from shared.reading.heads import Seen
from shared.reading.metrics import FENCED
from shared.reading.sink import DeadLetter, Sink, Unit
from shared.views.builds import BUILDS, CURRENT, FIRST, Build
from tests.builders import OnKafka, community_founded, member_joined, on_kafka, recorded, stream

PEOPLE = [f"01hzy{number:021d}" for number in range(1_000)]
STREAM = str(stream())
RELEASE = "this one"
NUMBERS = range(12)
HOME = partition_of(stream().key.encode(), 12)
OPERATOR = Settled("ops", "a test", datetime(2026, 1, 31, 12, tzinfo=UTC))


@pytest.fixture(autouse=True)
async def collections(db: Database) -> None:
    await db.create_collection("outbox")
    await Fold(FIRST).prepare(db)
    await dead_letters.prepare(db)


@pytest.fixture
def letters(client: Client, db: Database) -> DeadLetters:
    return DeadLetters(client, db, 12)


def sink(client: Client, db: Database, build: Build = FIRST, **options: Any) -> Sink:
    """A sink as a worker that has just begun has it."""
    limit = options.pop("limit", Limit())
    options |= {"heads": build.heads, "partitions": build.partitions, "cached": 100}
    return Sink(client, db, SOURCE_TOPICS, Fold(build), partial(bury, limit=limit, build=build), **options)


def records(versions: Sequence[int]) -> dict[str, list[OnKafka]]:
    """A community, founded and joined by one person after the other; each version at its offset."""
    facts = [recorded(member_joined(PEOPLE[n]) if n > 1 else community_founded(), n) for n in versions]
    return {"membership": [on_kafka(fact, fact.version - 1) for fact in facts]}


def broken(versions: Sequence[int], poison: Sequence[int], by: bytes = b"{") -> dict[str, list[OnKafka]]:
    batch = records(versions)["membership"]
    return {"membership": [replace(one, value=by) if one.offset + 1 in poison else one for one in batch]}


class OldRelease:
    """A release that does not know yet that somebody can join."""

    def __enter__(self) -> None:
        del FACTS[MemberJoined.type]

    def __exit__(self, *_: object) -> None:
        FACTS[MemberJoined.type] = MemberJoined


def at_home(versions: Sequence[int]) -> list[OnKafka]:
    """Records in the partition where their key belongs."""
    return [replace(one, partition=HOME) for one in records(versions)["membership"]]


def astray(record: OnKafka, id: bytes | None = None) -> OnKafka:
    """The same in another partition, as the first there; with an id of its own, if one is given."""
    record = record.with_header("ce_id", id) if id else record
    return replace(record, partition=(HOME + 1) % 12, offset=0)


async def members(db: Database, build: Build = FIRST) -> int:
    sums = await db[build.sums].find({"measure": "members", "key": ""}).to_list()
    return sum(sum(document["days"].values()) for document in sums)


async def seen(db: Database, build: Build = FIRST) -> Seen:
    head = await db[build.heads].find_one({"_id": STREAM})
    assert head is not None
    return Seen.restored(head)


async def waiting(letters: DeadLetters) -> list[str]:
    return [one.letter.id for one in await letters.listed(settled_too=False, after="", limit=1_000)]


async def test_a_letter_keeps_its_record_as_it_was_and_is_published(
    client: Client, db: Database, letters: DeadLetters
) -> None:
    record = on_kafka(recorded(community_founded(), 1), 41, partition=3)
    record = replace(record.with_header("ce_id", None), value=b"\xff{")
    await sink(client, db).put(3, {"membership": [replace(record, offset=0)]})
    (id,) = await waiting(letters)
    assert id.startswith("membership-3-0-")
    letter, missing, *_ = await letters.letter(id)
    assert (letter.key, letter.value, letter.headers) == (record.key, record.value, record.headers)
    assert (str(letter.position), missing) == (f"{STREAM}@1", True)
    assert letter.reason == "the header ce_id is missing"
    message = await db.outbox.find_one()
    assert message is not None
    assert (message["topic"], dict(message["headers"])["praxis_offset"]) == ("membership.events.dead", b"0")


async def test_a_batch_that_fails_leaves_neither_letter_nor_message(client: Client, db: Database) -> None:
    class Failing(Fold):
        async def project(self, unit: Unit, facts: Sequence[Recorded]) -> None:
            await super().project(unit, facts)
            await bury(unit, [DeadLetter(on_kafka(facts[0]), "to be rolled back", None)])
            raise asyncio.CancelledError

    one = Sink(client, db, SOURCE_TOPICS, Failing(FIRST), bury, heads=FIRST.heads, partitions=FIRST.partitions)
    with pytest.raises(asyncio.CancelledError):
        await one.put(0, records([1]))
    assert await db.dead_letters.count_documents({}) == await db.outbox.count_documents({}) == 0


async def test_what_a_later_release_understands_is_folded_once(
    client: Client, db: Database, letters: DeadLetters
) -> None:
    worker = sink(client, db)
    with OldRelease():
        await worker.put(0, records([1, 2]))
        (id,) = await waiting(letters)
        with pytest.raises(StillNotUnderstood, match=r"no fact is called praxis\.member-joined\.v1"):
            await letters.replay(id, OPERATOR)
    await worker.put(0, records([3, 4]))
    assert (await members(db), (await letters.letter(id)).missing) == (2, True)

    assert sorted(await asyncio.gather(*(letters.replay(id, OPERATOR) for _ in range(3)))) == [False, False, True]
    assert not await letters.replay(id, OPERATOR)
    assert (await members(db), await seen(db)) == (3, Seen(head=4))
    assert await waiting(letters) == []
    letter, missing, *_ = await letters.letter(id)
    assert (letter.replayed, missing) == (OPERATOR, False)


async def test_who_had_cached_the_partition_overwrites_nothing_of_what_was_replayed(
    client: Client, db: Database, letters: DeadLetters
) -> None:
    worker = sink(client, db)
    with OldRelease():
        await worker.put(0, records([1, 2]))
    await worker.put(0, records([3]))
    before = FENCED._value.get()
    for id in await waiting(letters):
        assert await letters.replay(id, OPERATOR)
    await worker.put(0, records([4, 5]))
    assert FENCED._value.get() == before + 1
    assert (await members(db), await seen(db)) == (4, Seen(head=5))


async def test_replaying_amid_a_busy_worker_is_exact(client: Client, db: Database, letters: DeadLetters) -> None:
    worker = sink(client, db)
    with OldRelease():
        await worker.put(0, records(range(1, 16)))
    ids = await waiting(letters)
    assert len(ids) == 14

    async def work() -> None:
        for version in range(16, 216):
            await worker.put(0, records([version]))

    async def replay() -> None:
        for id in ids:
            await asyncio.gather(letters.replay(id, OPERATOR), letters.replay(id, OPERATOR))

    await asyncio.gather(work(), replay())
    assert (await members(db), await seen(db)) == (214, Seen(head=215))


async def test_what_came_right_by_itself_is_not_folded_again(
    client: Client, db: Database, letters: DeadLetters
) -> None:
    worker = sink(client, db)
    with OldRelease():
        await worker.put(0, records([1, 2]))
    again = [replace(records([2])["membership"][0], offset=2)]
    await worker.put(0, {"membership": again})
    (id,) = await waiting(letters)
    assert not await letters.replay(id, OPERATOR)
    assert (await members(db), await waiting(letters)) == (1, [])


async def test_a_letter_of_topics_that_had_other_partitions_counts_where_its_stream_is_now(
    client: Client, db: Database, letters: DeadLetters
) -> None:
    now = Build(1)
    with OldRelease():
        await sink(client, db).put(0, records([1, 2]))
    await db[now.heads].update_many({}, {"$set": {"partition": 1}})
    await db[now.partitions].insert_one({"_id": 1, "next": {"membership": 2}})
    (id,) = await waiting(letters)
    assert await letters.replay(id, OPERATOR)
    settled = {one["_id"]: one.get("settled") async for one in db[now.partitions].find()}
    assert settled == {0: None, 1: 1}, "whoever folds that partition loads again what it had cached"
    assert (await db[now.heads].distinct("partition"), await members(db)) == ([1], 1)


async def test_what_is_discarded_is_not_missing_and_never_folded(
    client: Client, db: Database, letters: DeadLetters
) -> None:
    worker = sink(client, db)
    with OldRelease():
        await worker.put(0, records([1, 2, 3]))
    id, other = await waiting(letters)
    await letters.discard(id, OPERATOR)
    assert await seen(db) == Seen(head=1, missing={3}, given_up={2})
    assert await waiting(letters) == [other]
    assert (await letters.letter(id)).letter.discarded == OPERATOR
    for settle in (letters.replay, letters.discard):
        with pytest.raises(Discarded, match="ops discarded it on 2026-01-31, because a test"):
            await settle(id, OPERATOR)
    await worker.put(0, {"membership": [replace(records([4])["membership"][0], offset=3)]})
    assert (await members(db), await seen(db)) == (1, Seen(head=4, missing={3}, given_up={2}))


async def test_a_fact_that_stands_where_something_else_was_discarded_is_folded(
    client: Client, db: Database, letters: DeadLetters
) -> None:
    worker, stray = sink(client, db), replace(records([2])["membership"][0], value=b"{")
    await worker.put(0, {"membership": [*records([1])["membership"], stray]})
    (id,) = await waiting(letters)
    await letters.discard(id, OPERATOR)
    real = {"membership": [replace(one, offset=one.offset + 1) for one in records([2, 3])["membership"]]}
    await worker.put(0, real)
    assert (await members(db), await seen(db)) == (2, Seen(head=3))

    build = Build(2)
    await Fold(build).prepare(db)
    fresh = sink(client, db, build, discarded=await dead_letters.discarded(db))
    await fresh.put(0, {"membership": [*records([1])["membership"], stray, *real["membership"]]})
    assert (await members(db, build), await seen(db, build)) == (2, Seen(head=3))


async def test_a_version_is_given_up_only_when_nothing_that_stands_there_still_waits(
    client: Client, db: Database, letters: DeadLetters
) -> None:
    stray = replace(records([2])["membership"][0], value=b"{", offset=2)
    with OldRelease():
        await sink(client, db).put(0, {"membership": [*records([1, 2])["membership"], stray]})
    real, broken = await waiting(letters)
    await letters.discard(broken, OPERATOR)
    assert await seen(db) == Seen(head=1, missing={2})
    assert await dead_letters.given_up(db, [FIRST]) == []
    await letters.discard(real, OPERATOR)
    assert await seen(db) == Seen(head=1, given_up={2})
    assert [str(position) for position in await dead_letters.given_up(db, [FIRST])] == [f"{STREAM}@2"]


async def test_what_was_replayed_and_is_discarded_then_is_folded_in_no_later_build(
    client: Client, db: Database, letters: DeadLetters
) -> None:
    *good, ahead = at_home([1, 2, 9])
    stray = astray(ahead)
    current = sink(client, db, spread_over=12)
    await current.put(HOME, {"membership": good})
    await current.put(stray.partition, {"membership": [stray]})
    (id,) = await waiting(letters)
    assert await letters.replay(id, OPERATOR)
    await letters.discard(id, OPERATOR)
    assert (await members(db), (await seen(db)).head) == (2, 9), "it stays where it is"
    for settle in (letters.replay, letters.discard):
        with pytest.raises(Discarded, match="ops discarded it"):
            await settle(id, OPERATOR)

    anew = Build(2)
    await Fold(anew).prepare(db)
    fresh = sink(client, db, anew, spread_over=12, discarded=await dead_letters.discarded(db))
    await fresh.put(HOME, {"membership": good})
    await fresh.put(stray.partition, {"membership": [stray]})
    await TakingOver(client, db, (FIRST, anew), 12).settle(NUMBERS)
    assert (await members(db, anew), await seen(db, anew)) == (1, Seen(head=2))
    (unseen,) = await unseen_streams(db, FIRST, anew)
    assert (str(unseen.stream), unseen.versions) == (STREAM, [9])
    undone = await dead_letters.claimed(db, dead_letters.undone_in(FIRST))
    assert await unseen_streams(db, FIRST, anew, undone) == [], "who decided to do without it does not miss it"


async def test_a_replay_that_folds_nothing_changes_nothing_in_another_build(
    client: Client, db: Database, letters: DeadLetters
) -> None:
    good = at_home([1, 2, 3, 4])
    stray = astray(good[2], b"a stray")
    current = sink(client, db, spread_over=12)
    await current.put(stray.partition, {"membership": [stray]})
    await current.put(HOME, {"membership": good})
    (id,) = await waiting(letters)
    assert await letters.replay(id, OPERATOR) is False

    anew = Build(2)
    await Fold(anew).prepare(db)
    fresh = sink(client, db, anew, spread_over=12)
    await fresh.put(stray.partition, {"membership": [stray]})
    await TakingOver(client, db, (FIRST, anew), 12).settle(NUMBERS)
    await fresh.put(HOME, {"membership": good})
    assert (await members(db, anew), await seen(db, anew)) == (3, Seen(head=4))
    assert await waiting(letters) == [], "and no fact became a dead letter for it"
    await letters.discard(id, OPERATOR)
    assert await dead_letters.claimed(db, dead_letters.undone_in(FIRST)) == set(), "its place is still to be there"


async def test_who_folded_it_is_not_forgotten_for_who_found_it_there(
    client: Client, db: Database, letters: DeadLetters
) -> None:
    with OldRelease():
        await sink(client, db).put(0, records([1, 2]))
    (id,) = await waiting(letters)
    assert await letters.replay(id, OPERATOR)
    assert not await letters.replay(id, OPERATOR._replace(by="somebody else"))
    assert (await letters.letter(id)).letter.replayed == OPERATOR


async def test_another_build_does_without_what_was_discarded_and_folds_what_was_not(
    client: Client, db: Database, letters: DeadLetters
) -> None:
    with OldRelease():
        await sink(client, db).put(0, records([1, 2, 3]))
    id, _ = await waiting(letters)
    await letters.discard(id, OPERATOR)
    build = Build(2)
    await Fold(build).prepare(db)
    fresh = sink(client, db, build, discarded=await dead_letters.discarded(db))
    await fresh.put(0, records([1, 2, 3, 4]))
    assert (await members(db, build), await seen(db, build)) == (2, Seen(head=4, missing={2}))
    await TakingOver(client, db, (FIRST, build), 12).settle(NUMBERS)
    assert await seen(db, build) == Seen(head=4, given_up={2})
    await fresh.put(0, records([5]))
    assert (await members(db, build), await seen(db, build)) == (3, Seen(head=5, given_up={2}))

    old = Build(3)
    await Fold(old).prepare(db)
    with OldRelease():
        await sink(client, db, old, discarded=await dead_letters.discarded(db)).put(0, records([1, 2, 3]))
    await TakingOver(client, db, (FIRST, old), 12).settle(NUMBERS)
    assert await seen(db, old) == Seen(head=1, missing={3}, given_up={2})
    assert len(await waiting(letters)) == 1, "the same record is the same letter in each build"


async def rebuilding(client: Client, db: Database, build: Build) -> Sink:
    """The sink of a rebuild that begins now."""
    await Fold(build).prepare(db)
    noting = partial(dead_letters.note_folded, builds=(FIRST, build))
    return sink(client, db, build, discarded=await dead_letters.discarded(db), note_folded=noting)


async def test_a_rebuild_that_has_folded_what_was_discarded_meanwhile_is_begun_anew(
    client: Client, db: Database, letters: DeadLetters
) -> None:
    with OldRelease():
        await sink(client, db).put(0, records([1, 2, 3]))
    id, _ = await waiting(letters)
    assert await begin(db, RELEASE) == (FIRST, Build(2))
    anew = await rebuilding(client, db, Build(2))
    await letters.discard(id, OPERATOR)
    await anew.put(0, records([1, 2, 3]))
    assert await begin(db, RELEASE) == (FIRST, Build(3))
    anew = await rebuilding(client, db, Build(3))
    await anew.put(0, records([1, 2, 3]))
    assert await begin(db, RELEASE) == (FIRST, Build(3))
    assert await seen(db, Build(3)) == Seen(head=3, missing={2})


async def test_what_a_rebuild_understands_is_folded_from_its_letter_and_waits_no_longer(
    client: Client, db: Database, letters: DeadLetters
) -> None:
    with OldRelease():
        await sink(client, db).put(0, records([1, 2]))
    (id,) = await waiting(letters)
    anew = Build(2)
    await (await rebuilding(client, db, anew)).put(0, records([1, 2]))
    assert await waiting(letters) == [id], "the build that is read is without it"
    await current_build(db)
    await db[BUILDS].update_one({"_id": CURRENT}, {"$set": {"build": anew.number}})
    assert await waiting(letters) == []
    listed = await letters.letter(id)
    assert (listed.folded, listed.letter.replayed, listed.missing) == (True, None, False)
    assert not await letters.replay(id, OPERATOR)
    assert (await letters.letter(id)).letter.folded_in == (anew.number,), "although it was found there"
    await letters.discard(id, OPERATOR)
    undone = await dead_letters.claimed(db, dead_letters.undone_in(anew))
    assert {position.version for position in undone} == {2}, "the next rebuild does without it"


async def test_what_only_a_rebuild_that_is_given_up_did_not_understand_waits_for_nobody(
    client: Client, db: Database, letters: DeadLetters
) -> None:
    await sink(client, db).put(0, broken([1, 2, 3], poison=[3]))
    (id,) = await waiting(letters)
    await begin(db, RELEASE)
    anew = await rebuilding(client, db, Build(2))
    with OldRelease():  # as where the wrong one was begun
        await anew.put(0, broken([1, 2, 3], poison=[3]))
    assert await db.dead_letters.count_documents({}) == 2
    assert await waiting(letters) == [id], "the build that is read has the fact"
    await give_up(db)
    assert await db.dead_letters.count_documents({}) == 1
    assert await waiting(letters) == [id]


async def test_a_letter_of_topics_that_are_gone_is_elsewhere_and_keeps_nobody_waiting(
    client: Client, db: Database, letters: DeadLetters
) -> None:
    await sink(client, db).put(0, broken([1, 2, 3], poison=[3]))
    (id,) = await waiting(letters)
    anew = Build(2)
    await (await rebuilding(client, db, anew)).put(0, broken([1, 2, 3], poison=[3], by=b"["))
    await current_build(db)
    await db[BUILDS].update_one({"_id": CURRENT}, {"$set": {"build": anew.number}})
    (other,) = await waiting(letters)
    assert other != id
    every = await letters.listed(settled_too=True, after="", limit=1_000)
    states = {one.letter.id: DeadLetterView.of(one).state for one in every}
    assert states == {id: "elsewhere", other: "waiting"}
    await letters.discard(other, OPERATOR)
    assert (await letters.letter(other)).missing is False
    given_up = await dead_letters.given_up(db, (anew, Build(3)))
    assert [position.version for position in given_up] == [3], "as in the build that is read"


async def test_what_was_discarded_is_said_to_be_so_whether_it_is_understood_or_not(
    client: Client, db: Database, letters: DeadLetters
) -> None:
    await sink(client, db).put(0, broken([1, 2, 3], poison=[3]))
    (id,) = await waiting(letters)
    await letters.discard(id, OPERATOR)
    with pytest.raises(Discarded, match="that is final"):
        await letters.replay(id, OPERATOR)


async def test_a_rebuild_that_another_release_began_is_begun_anew(db: Database) -> None:
    assert await begin(db, "an earlier one") == (FIRST, Build(2))
    assert await begin(db, "an earlier one") == (FIRST, Build(2))
    assert await begin(db, RELEASE) == (FIRST, Build(3)), "what it has folded, this one might fold otherwise"


async def test_what_was_folded_and_is_discarded_all_the_same_is_done_without(
    client: Client, db: Database, letters: DeadLetters
) -> None:
    good = records([1, 2, 3])
    await sink(client, db).put(0, good)
    with OldRelease():  # a rebuild of one that never took over, of a time when letters did not say whose they are
        anew = await rebuilding(client, db, Build(2))
        await anew.put(0, good)
    await db.dead_letters.update_many({}, {"$unset": {"buried_in": "", "folded_in": ""}})
    id, _ = await waiting(letters)
    await letters.discard(id, OPERATOR)
    await Fold(Build(3)).prepare(db)
    anew = await rebuilding(client, db, Build(3))
    await anew.put(0, good)
    await TakingOver(client, db, (FIRST, Build(3)), 12).settle(NUMBERS)
    comparison = Comparison()
    async with client.start_session(snapshot=True) as session:
        await compare(comparison, db, (FIRST, Build(3)), None, session)
    assert comparison.streams_apart == [Apart(STREAM, [(2, 2)], [], [(2, 2)])], "it is told and to be accepted"
    assert comparison.differs
    assert await unseen_streams(db, FIRST, Build(3)) == [], "and then does not keep it from taking over"


async def test_letters_that_an_earlier_release_settled_are_read(
    client: Client, db: Database, letters: DeadLetters
) -> None:
    with OldRelease():
        await sink(client, db).put(0, records([1, 2, 3]))
    id, other = await waiting(letters)
    settled = {**OPERATOR._asdict(), "folded": True}  # a field of that release
    await db.dead_letters.update_one({"_id": id}, {"$set": {"replayed": settled}})
    assert (await letters.letter(id)).letter.replayed == OPERATOR
    assert await letters.replay(other, OPERATOR)
    assert await letters.replay(id, OPERATOR) is True, "it said so, and is not there"
    await dead_letters.say_folded(db, FIRST)
    assert await db.dead_letters.count_documents(dead_letters.folded_in(Build(2))) == 0


async def test_another_build_folds_what_was_replayed_and_is_a_dead_letter_there_too(
    client: Client, db: Database, letters: DeadLetters
) -> None:
    number = partition_of(stream().key.encode(), 12)
    elsewhere = (number + 1) % 12
    (stray,) = records([3])["membership"]
    stray = replace(stray, partition=elsewhere, offset=0)
    good = {"membership": [replace(one, partition=number) for one in records([1, 2])["membership"]]}
    builds = FIRST, Build(2)
    await Fold(Build(2)).prepare(db)
    current, fresh = (sink(client, db, build, spread_over=12) for build in builds)
    for one in (current, fresh):
        await one.put(number, good)
        await one.put(elsewhere, {"membership": [stray]})
    (id,) = await waiting(letters)
    assert await letters.replay(id, OPERATOR)
    assert (await members(db, Build(2)), await seen(db, Build(2))) == (1, Seen(head=2))
    for _ in range(2):
        await TakingOver(client, db, (FIRST, Build(2)), 12).settle(NUMBERS)
        assert (await members(db, Build(2)), await seen(db, Build(2))) == (2, Seen(head=3))
    further = [replace(one, partition=number) for one in records([4])["membership"]]
    await fresh.put(number, {"membership": [replace(further[0], offset=2)]})
    assert (await members(db, Build(2)), await seen(db, Build(2))) == (3, Seen(head=4))
    assert (await members(db), await unseen_streams(db, *builds)) == (2, [])


async def test_a_stray_that_was_replayed_in_the_place_of_a_fact_is_told_when_that_comes(
    client: Client, db: Database, letters: DeadLetters
) -> None:
    one, two, three, four = at_home([1, 2, 3, 4])
    forged = astray(three, b"forged")
    current = sink(client, db, spread_over=12)
    await current.put(HOME, {"membership": [one, two]})
    await current.put(forged.partition, {"membership": [forged]})
    (id,) = await waiting(letters)
    assert await letters.replay(id, OPERATOR)
    await current.put(HOME, {"membership": [three]})
    (told,) = await waiting(letters)
    letter = (await letters.letter(told)).letter
    assert letter.reason.startswith(f"{STREAM}@3 was folded before as another fact, with the id forged, and")
    with pytest.raises(PlaceIsTaken, match="if it is the other one, discard this one; if it is this one"):
        await letters.replay(told, OPERATOR)

    anew = Build(2)
    await Fold(anew).prepare(db)
    fresh = sink(client, db, anew, spread_over=12)
    settled = TakingOver(client, db, (FIRST, anew), 12)
    await fresh.put(forged.partition, {"membership": [forged]})
    await settled.settle([n for n in NUMBERS if n != HOME])
    await fresh.put(HOME, {"membership": [one, two, three]})
    await settled.settle(NUMBERS)
    comparison = Comparison()
    async with client.start_session(snapshot=True) as session:
        await compare(comparison, db, (FIRST, anew), HOME, session)
    ids = "forged", "community.rehabilitation-3"
    assert comparison.streams_apart == [Apart(STREAM, [], [], ids=ids)]
    later = Build(3)  # beside one that has the fact in its place, and not the stray
    await Fold(later).prepare(db)
    await sink(client, db, later, spread_over=12).put(HOME, {"membership": [one, two]})
    await TakingOver(client, db, (anew, later), 12).settle(NUMBERS)
    assert (await members(db, later), await seen(db, later)) == (1, Seen(head=2))
    (unseen,) = await unseen_streams(db, anew, later, await dead_letters.claimed(db, dead_letters.folded_in(anew)))
    assert unseen.versions == [3], "and the fact is missed where it is not"
    await current.put(HOME, {"membership": [four]})
    with pytest.raises(PlaceIsTaken):  # also where it is not at the head any more
        await letters.replay(told, OPERATOR)
    assert (await members(db, anew), await seen(db, anew)) == (2, Seen(head=3))


async def test_a_letter_in_whose_place_another_one_was_replayed_is_not_there_before(
    client: Client, db: Database, letters: DeadLetters
) -> None:
    one, two, three = at_home([1, 2, 3])
    stray = astray(two, b"a stray")
    current = sink(client, db, spread_over=12)
    with OldRelease():
        await current.put(HOME, {"membership": [one, two]})
    (real,) = await waiting(letters)
    await current.put(stray.partition, {"membership": [stray]})
    (id,) = [id for id in await waiting(letters) if id != real]
    assert await letters.replay(id, OPERATOR)
    await current.put(HOME, {"membership": [three]})
    with pytest.raises(PlaceIsTaken, match="as another fact, with the id a stray"):
        await letters.replay(real, OPERATOR)
    assert await waiting(letters) == [real]


async def test_what_was_settled_is_taken_over_as_it_was_at_the_time_of_a_snapshot(
    client: Client, db: Database, letters: DeadLetters
) -> None:
    batch = broken([1, 2, 3], poison=[2, 3])
    await sink(client, db).put(0, batch)
    anew = Build(2)
    await Fold(anew).prepare(db)
    await sink(client, db, anew).put(0, batch)
    first, second = await waiting(letters)
    await letters.discard(first, OPERATOR)
    settled = TakingOver(client, db, (FIRST, anew), 12)
    async with client.start_session(snapshot=True) as session:
        await db[FIRST.heads].find_one(session=session)
        await letters.discard(second, OPERATOR)
        await settled.settle(NUMBERS, as_of=session)
        assert await seen(db, anew) == Seen(head=1, missing={3}, given_up={2})
    await settled.settle(NUMBERS)
    assert await seen(db, anew) == await seen(db) == Seen(head=1, given_up={2, 3})


async def test_another_build_is_left_without_what_this_release_cannot_fold(
    client: Client, db: Database, letters: DeadLetters
) -> None:
    with OldRelease():
        await sink(client, db).put(0, records([1, 2]))
    (id,) = await waiting(letters)
    await letters.replay(id, OPERATOR)
    await Fold(Build(2)).prepare(db)
    with OldRelease():
        await sink(client, db, Build(2)).put(0, records([1, 2]))
        await TakingOver(client, db, (FIRST, Build(2)), 12).settle(NUMBERS)
    assert await seen(db, Build(2)) == Seen(head=1, missing={2})
    assert [str(one.stream) for one in await unseen_streams(db, FIRST, Build(2))] == [STREAM]


async def test_what_says_nothing_about_its_place_can_be_discarded(
    client: Client, db: Database, letters: DeadLetters
) -> None:
    record = records([1])["membership"][0].without_header("ce_subject")
    await sink(client, db).put(0, {"membership": [record]})
    (id,) = await waiting(letters)
    with pytest.raises(StillNotUnderstood, match="the header ce_subject is missing"):
        await letters.replay(id, OPERATOR)
    await letters.discard(id, OPERATOR)
    assert await waiting(letters) == []
    with pytest.raises(UnknownDeadLetter):
        await letters.replay("membership-0-0-000000", OPERATOR)


async def test_a_record_too_long_to_be_kept_is_kept_without_what_is_too_long_and_can_be_discarded(
    client: Client, db: Database, letters: DeadLetters
) -> None:
    one, two = records([2, 3])["membership"]
    long_value = replace(one, value=b'{"x": "%s' % (b"x" * 20_000_000))
    long_headers = replace(two, headers=(*two.headers, ("a", b"x" * 17_000_000), ("a", b"y")), value=b"{")
    await sink(client, db).put(0, {"membership": [*records([1])["membership"], long_value, long_headers]})
    first, second = [(await letters.letter(id)).letter for id in await waiting(letters)]
    assert (first.left_out, first.key, first.value, first.headers) == (("value",), one.key, None, one.headers)
    assert (second.left_out, second.value, second.headers) == (("headers",), b"{", two.headers)
    with pytest.raises(StillNotUnderstood, match="its value is too long to be a fact's"):
        await letters.replay(first.id, OPERATOR)
    await letters.discard(first.id, OPERATOR)
    build = Build(2)
    await Fold(build).prepare(db)
    fresh = sink(client, db, build, discarded=await dead_letters.discarded(db))
    await fresh.put(0, {"membership": [*records([1])["membership"], long_value]})
    assert await waiting(letters) == [second.id], "known as the same record by all that it was"


async def test_a_dead_letter_of_whatever_size_is_published_and_says_what_is_left_out(
    client: Client, db: Database, letters: DeadLetters
) -> None:
    one, two, three, four = (replace(record, value=b"{") for record in records([1, 2, 3, 4])["membership"])
    many = (("again", b"1"), ("again", b"2"), ("none", None), *((f"{n}", b"x" * 1_000) for n in range(900)))
    sizes = [
        replace(one, headers=(*many, *one.headers)),
        replace(two, key=b"k" * 900_000),
        replace(three, value=b"v" * 262_144, key=b"k" * 262_144, headers=(("h", b"h" * 262_000),)),
        replace(four, headers=tuple(("", b"") for _ in range(100_000))),
    ]
    await sink(client, db).put(0, {"membership": sizes})
    messages = await db.outbox.find().sort("_id.version").to_list()
    told = [dict(message["headers"]) for message in messages]
    assert [one.get("praxis_left_out") for one in told] == [b"headers", b"key", None, b"headers"]
    assert messages[0]["headers"][:3] == [["again", b"1"], ["again", b"2"], ["0", b"x" * 1_000]]
    for message in messages:
        length = len(message["key"]) + len(message["value"])
        assert length + sum(len(name) + len(value) + 10 for name, value in message["headers"]) < 1_000_000
    kept = [(await letters.letter(id)).letter for id in await waiting(letters)]
    assert [letter.left_out for letter in kept] == [(), (), (), ("headers",)]
    assert kept[0].headers == sizes[0].headers


LIMIT = Limit(share=0.05, of_last=100, at_least=5)


async def test_a_reader_that_understands_too_little_stops_before_it_buries_more(
    client: Client, db: Database, letters: DeadLetters
) -> None:
    with OldRelease():
        await sink(client, db, limit=LIMIT).put(0, records([1, 2, 3, 4, 5]))
        for worker in (sink(client, db, limit=LIMIT), sink(client, db, limit=LIMIT)):  # as if started again
            with pytest.raises(TooManyDeadLetters, match="5 of the last 6 records of partition 0 could not be"):
                await worker.put(0, records([6]))
            with pytest.raises(TooManyDeadLetters):
                await worker.put(0, records(range(6, 500)))
            assert await worker.next_offsets(0) == {"membership": 5, "convenings": 0, "feedback": 0}
    assert await db.dead_letters.count_documents({}) == await db.outbox.count_documents({}) == 4

    await sink(client, db, limit=LIMIT).put(0, records(range(6, 500)))  # a release that understands them
    for id in await waiting(letters):
        assert await letters.replay(id, OPERATOR)
    assert (await members(db), await seen(db)) == (498, Seen(head=499))


async def test_letters_that_are_settled_or_long_ago_leave_room_for_others(
    client: Client, db: Database, letters: DeadLetters
) -> None:
    worker = sink(client, db, limit=LIMIT)
    await worker.put(0, broken(range(1, 5), poison=range(1, 5)))
    with pytest.raises(TooManyDeadLetters):
        await worker.put(0, broken([5], poison=[5]))
    (id, *_) = await waiting(letters)
    await letters.discard(id, OPERATOR)
    await worker.put(0, broken([5], poison=[5]))
    await worker.put(0, records(range(6, 206)))
    await worker.put(0, broken(range(206, 210), poison=range(206, 210)))
    assert len(await waiting(letters)) == 8


async def test_what_can_be_borne_of_a_batch_is_buried_so_that_somebody_can_look_at_it(
    client: Client, db: Database, letters: DeadLetters
) -> None:
    worker = sink(client, db, limit=LIMIT)
    batch = broken(range(1, 50), poison=range(20, 30))
    for stopped_at in (23, 27):
        with pytest.raises(TooManyDeadLetters):
            await worker.put(0, batch)
        assert (await worker.next_offsets(0))["membership"] == stopped_at
        for id in await waiting(letters):
            await letters.discard(id, OPERATOR)
    await worker.put(0, batch)
    assert (await members(db), await seen(db)) == (38, Seen(49, missing={28, 29}, given_up=set(range(20, 28))))


async def test_a_few_among_many_stop_nobody(client: Client, db: Database, letters: DeadLetters) -> None:
    poison = range(10, 500, 25)  # 4 %
    await sink(client, db, limit=LIMIT).put(0, broken(range(1, 501), poison))
    assert len(await waiting(letters)) == len(poison)


async def test_poison_that_only_folding_shows_is_bounded_too(
    client: Client, db: Database, letters: DeadLetters, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def choke(self: Fold, unit: Unit, facts: Sequence[Recorded]) -> None:
        raise ZeroDivisionError

    worker = sink(client, db, limit=LIMIT)
    with monkeypatch.context() as bad_release:
        bad_release.setattr(Fold, "project", choke)
        with pytest.raises(TooManyDeadLetters, match="ZeroDivisionError"):
            await worker.put(0, records(range(1, 33)))
        (id, *_) = await waiting(letters)
        with pytest.raises(StillNotUnderstood, match="ZeroDivisionError"):
            await letters.replay(id, OPERATOR)
    assert len(await waiting(letters)) == 4
    assert (await worker.next_offsets(0))["membership"] == 4


# over HTTP


@pytest.fixture
async def http(letters: DeadLetters) -> AsyncIterator[AsyncClient]:
    async def with_state(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "state": {"dead_letters": letters, "checks": {}}}, receive, send)

    async with AsyncClient(transport=ASGITransport(with_state), base_url="http://metrics/v1") as http:
        yield http


async def test_what_is_missing_and_in_no_letter_is_listed(client: Client, db: Database, http: AsyncClient) -> None:
    with OldRelease():
        await sink(client, db).put(0, records([1, 2]))  # version 2 is a letter
    later = [replace(record, offset=offset) for offset, record in enumerate(records([6, 7, 9])["membership"], 2)]
    await sink(client, db).put(0, {"membership": later})
    page = {"gaps": [{"stream": str(STREAM), "versions": [[3, 5], [8, 8]]}], "next": None}
    assert (await http.get("/gaps")).json() == page
    assert (await http.get("/gaps", params={"after": str(STREAM)})).json() == {"gaps": [], "next": None}


async def test_operations_staff_list_show_replay_and_discard_over_http(
    client: Client, db: Database, http: AsyncClient
) -> None:
    with OldRelease():
        await sink(client, db).put(0, records([1, 2, 3]))
    first = (await http.get("/dead-letters", params={"limit": 1})).json()
    second = (await http.get("/dead-letters", params={"limit": 1, "after": first["next"]})).json()
    assert second["next"] is None
    one, other = first["dead_letters"][0], second["dead_letters"][0]
    assert (one["position"], one["state"], one["missing"]) == (f"{STREAM}@2", "waiting", True)

    whole = (await http.get(f"/dead-letters/{one['id']}")).json()
    assert '"joined_on":"2019-02-01"' in whole["value"]
    assert ["ce_type", "praxis.member-joined.v1"] in whole["headers"]

    assert (await http.post(f"/dead-letters/{one['id']}/replay", json={"by": "ops"})).json() == {
        "id": one["id"],
        "folded": True,
    }
    nameless = await http.post(f"/dead-letters/{other['id']}/discard", json={"by": "ops"})
    assert (nameless.status_code, nameless.json()["errors"][0]["field"]) == (422, "why")
    for at, remedy in {
        "0001-01-01T00:00+14:00": "it is no time with its time zone: write it as 2026-01-31T12:00Z",
        "yesterday": "it is no time with its time zone: write it as 2026-01-31T12:00Z",
        "2026-01-31T12:00": "it is no time with its time zone: write it as 2026-01-31T12:00Z",
        "2999-01-31T12:00Z": "it lies in the future: say when it was decided",
    }.items():
        told = {"by": "ops", "why": "no such time", "at": at}
        timeless = await http.post(f"/dead-letters/{other['id']}/discard", json=told)
        assert (timeless.status_code, timeless.json()["errors"]) == (422, [{"field": "at", "detail": remedy}])
    decided = {"by": "ops", "why": "sent by a test", "at": "2026-01-31T12:00:00Z"}
    done = (await http.post(f"/dead-letters/{other['id']}/discard", json=decided)).json()
    assert (done["state"], done["discarded"]) == ("discarded", decided)

    assert (await http.get("/dead-letters")).json()["dead_letters"] == []
    states = [
        letter["state"] for letter in (await http.get("/dead-letters", params={"all": True})).json()["dead_letters"]
    ]
    assert states == ["replayed", "discarded"]
    assert (await http.get("/dead-letters/nobody")).json()["type"] == "/problems/unknown-dead-letter"
    again = await http.post(f"/dead-letters/{other['id']}/replay", json={"by": "ops"})
    assert (again.status_code, again.json()["type"]) == (409, "/problems/discarded")
