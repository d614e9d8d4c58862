"""The exact sink on a real MongoDB: whatever is repeated, late, broken or fought over, a fact counts once."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

import pytest
from pymongo.errors import OperationFailure

from services.metrics.dead_letters import bury
from shared.events.fact import MAX_FACT_BYTES, Recorded
from shared.kafka import partition_of
from shared.mongo import Client, Database, Document
from shared.reading.heads import Seen
from shared.reading.metrics import FENCED
from shared.reading.sink import LONGEST_REASON, DeadLetter, LeavesOut, Sink, Unit
from tests.builders import OnKafka, form_opened, member_joined, on_kafka, recorded, registration_made, stream

TOPICS = ("membership", "convenings", "feedback")
FACTS = {"membership": member_joined(), "convenings": registration_made(), "feedback": form_opened()}
REHABILITATION = "community.rehabilitation"

Batch = dict[str, list[OnKafka]]
Reaction = Callable[[Unit, Sequence[Recorded]], Any]


@pytest.fixture(autouse=True)
async def collections(db: Database) -> None:
    """Made beforehand, as services do: a transaction should not have to."""
    for name in ("counts", "heads", "partitions", "letters", "outbox", "swollen"):
        await db.create_collection(name)


class Counting:
    """Counts the facts of each community with neither guard nor memory: whatever is folded twice counts twice.

    It keeps the counts that it writes, so it overwrites what others wrote if the sink lets it.
    """

    def __init__(self, react: Reaction = lambda unit, facts: None) -> None:
        self._react = react

    async def project(self, unit: Unit, facts: Sequence[Recorded]) -> None:
        keys = {fact.stream.key for fact in facts}
        counts = dict.fromkeys(keys, 0) | await unit.load("counts", keys, lambda document: int(document["count"]))
        for fact in facts:
            counts[fact.stream.key] += 1
        for key, count in counts.items():
            await unit.db.counts.replace_one({"_id": key}, {"count": count}, upsert=True, session=unit.session)
        unit.keep("counts", counts)
        outcome = self._react(unit, facts)
        if asyncio.iscoroutine(outcome):
            await outcome


async def keep_letters(unit: Unit, letters: Sequence[DeadLetter]) -> None:
    documents = [{"offset": letter.record.offset, "reason": letter.reason} for letter in letters]
    await unit.db.letters.insert_many(documents, session=unit.session)


def sink(client: Client, db: Database, projection: Counting | None = None, topics: Sequence[str] = TOPICS) -> Sink:
    """A sink as a process that has just begun has it."""
    return Sink(client, db, topics, projection or Counting(), keep_letters, cached=100)


def batch(topic: str, offsets: Collection[int]) -> Batch:
    """The facts of one community at these offsets of a topic; each one's version is its offset + 1."""
    return {topic: [good(topic, offset) for offset in offsets]}


def good(topic: str, offset: int, version: int | None = None) -> OnKafka:
    place = stream(topic=topic)  # type: ignore[arg-type]
    return on_kafka(recorded(FACTS[topic], version or offset + 1, place), offset)


async def count(db: Database, key: str = REHABILITATION) -> int:
    document = await db.counts.find_one({"_id": key})
    return document["count"] if document else 0


async def seen(db: Database, topic: str = "membership") -> Seen:
    document = await db.heads.find_one({"_id": f"{topic}/{REHABILITATION}"})
    return Seen.restored(document) if document else Seen()


async def next_offsets(db: Database) -> Document | None:
    document = await db.partitions.find_one({"_id": 0})
    return document["next"] if document else None


async def letters(db: Database) -> dict[int, str]:
    """Why each dead letter is one, by its offset."""
    return {letter["offset"]: letter["reason"] async for letter in db.letters.find()}


def fenced() -> float:
    return FENCED._value.get()  # type: ignore[no-any-return]


async def test_a_batch_that_comes_twice_counts_once(client: Client, db: Database) -> None:
    one = sink(client, db)
    await one.put(0, batch("membership", range(3)))
    await one.put(0, batch("membership", range(3)))
    await sink(client, db).put(0, batch("membership", range(3)))
    assert await count(db) == 3
    assert await next_offsets(db) == {"membership": 3, "convenings": 0, "feedback": 0}


async def test_of_overlapping_batches_only_what_is_new_counts(client: Client, db: Database) -> None:
    one = sink(client, db)
    for offsets in (range(3), range(1, 5), range(4, 5), range(2, 6), range(2)):
        await one.put(0, batch("membership", offsets))
    assert await count(db) == 6
    assert await seen(db) == Seen(head=6)
    assert await next_offsets(db) == {"membership": 6, "convenings": 0, "feedback": 0}, "never backwards"


async def test_a_fact_that_was_published_twice_counts_once(client: Client, db: Database) -> None:
    again = [good("membership", 0), good("membership", 1), good("membership", 2, version=1), good("membership", 3)]
    await sink(client, db).put(0, {"membership": again})
    assert await count(db) == 3
    assert await seen(db) == Seen(head=4, missing={3})


async def test_a_batch_that_begins_beyond_leaves_nothing_and_says_where_to_go_on(client: Client, db: Database) -> None:
    one = sink(client, db)
    await one.put(0, batch("membership", range(2)))
    for process in (one, sink(client, db)):
        with pytest.raises(LeavesOut) as beyond:
            await process.put(0, batch("convenings", range(1)) | batch("membership", range(3, 5)))
        assert beyond.value.next == {"membership": 2, "convenings": 0, "feedback": 0}
        assert await count(db) == 2
    await one.put(0, batch("membership", range(2, 5)))
    assert await count(db) == 5


async def test_a_batch_with_a_hole_in_it_leaves_nothing_and_says_where_to_go_on(client: Client, db: Database) -> None:
    one = sink(client, db)
    for offsets in ([0, 1, 4, 5], [0, 1, 1, 3]):
        with pytest.raises(LeavesOut) as hole:
            await one.put(0, batch("convenings", range(1)) | batch("membership", offsets))
        assert hole.value.next == {"membership": 0, "convenings": 0, "feedback": 0}
    assert await count(db) == 0
    assert await next_offsets(db) is None


async def test_an_offset_that_comes_twice_in_a_batch_is_taken_once(client: Client, db: Database) -> None:
    broken = replace(good("membership", 2), value=b"{")
    records = [*batch("membership", [0, 1])["membership"], broken]
    await sink(client, db).put(0, {"membership": [*records, *records, good("membership", 3)]})
    assert (await count(db), list(await letters(db))) == (3, [2])
    assert await next_offsets(db) == {"membership": 4, "convenings": 0, "feedback": 0}


async def test_who_slept_through_another_topics_batch_is_fenced_and_overwrites_nothing(
    client: Client, db: Database
) -> None:
    sleeper, awake = sink(client, db), sink(client, db)
    await sleeper.put(0, batch("membership", range(3)))
    await awake.put(0, batch("feedback", range(4)))
    before = fenced()
    await sleeper.put(0, batch("membership", range(3, 5)))
    assert fenced() == before + 1
    assert await count(db) == 9
    assert await next_offsets(db) == {"membership": 5, "convenings": 0, "feedback": 4}


async def test_who_slept_through_all_of_it_changes_nothing(client: Client, db: Database) -> None:
    sleeper, awake = sink(client, db), sink(client, db)
    await sleeper.put(0, batch("membership", range(2)))
    await awake.put(0, batch("membership", range(2, 6)))
    await sleeper.put(0, batch("membership", range(2, 6)))
    assert await count(db) == 6


async def test_who_comes_back_where_another_has_moved_on_goes_on_from_there(client: Client, db: Database) -> None:
    sleeper, awake = sink(client, db), sink(client, db)
    await sleeper.put(0, batch("membership", range(2)))
    await awake.put(0, batch("membership", range(2, 6)))
    await sleeper.put(0, batch("membership", range(6, 8)))  # no LeavesOut: what it trusted was old
    assert await count(db) == 8


async def test_two_that_fold_the_same_at_once_count_it_once(client: Client, db: Database) -> None:
    for begin in range(0, 60, 10):
        offsets = range(begin, begin + 10)
        topics = [batch("membership", offsets), batch("feedback", offsets), batch("membership", offsets)]
        await asyncio.gather(*(sink(client, db).put(0, records) for records in topics))
    assert await count(db) == 120
    assert await next_offsets(db) == {"membership": 60, "convenings": 0, "feedback": 60}


async def test_partitions_are_folded_side_by_side(client: Client, db: Database) -> None:
    one = sink(client, db)
    communities = [stream(f"community-{number}") for number in range(6)]

    async def put(number: int, offsets: range) -> None:
        facts = [recorded(member_joined(), offset + 1, communities[number]) for offset in offsets]
        await one.put(number, {"membership": [on_kafka(fact, fact.version - 1, number) for fact in facts]})

    for offsets in (range(5), range(5, 10)):
        await asyncio.gather(*(put(number, offsets) for number in range(6)))
    assert [await count(db, community.key) for community in communities] == [10] * 6


async def test_a_batch_that_fails_half_way_leaves_nothing_and_is_folded_right_afterwards(
    client: Client, db: Database
) -> None:
    broken = [True]

    def fail_once(unit: Unit, facts: Sequence[Recorded]) -> None:
        if broken and facts[0].version > 2:
            broken.pop()
            raise OperationFailure("not authorized", code=13)

    one = sink(client, db, Counting(fail_once))
    await one.put(0, batch("membership", range(2)))
    with pytest.raises(OperationFailure):
        await one.put(0, batch("membership", range(2, 5)))
    assert (await count(db), await seen(db)) == (2, Seen(head=2))
    await one.put(0, batch("membership", range(2, 5)))
    assert (await count(db), await seen(db)) == (5, Seen(head=5))


async def test_a_transaction_that_lost_its_server_is_run_again(client: Client, db: Database) -> None:
    lost = [1, 2]

    def lose(unit: Unit, facts: Sequence[Recorded]) -> None:
        if lost:
            raise OperationFailure("", lost.pop(), {"errorLabels": ["TransientTransactionError"]})

    one = sink(client, db, Counting(lose))
    await one.put(0, batch("membership", range(3)))
    assert lost == []
    assert await count(db) == 3


async def test_a_fact_that_cannot_be_folded_is_a_dead_letter_the_rest_is_folded(client: Client, db: Database) -> None:
    def choke(unit: Unit, facts: Sequence[Recorded]) -> None:
        if any(fact.version == 6 for fact in facts):
            raise RuntimeError("this one is poison")

    records = batch("membership", range(10)) | batch("feedback", range(3))
    await sink(client, db, Counting(choke)).put(0, records)
    assert await letters(db) == {5: "RuntimeError('this one is poison')"}
    assert await count(db) == 12
    assert await seen(db) == Seen(head=10, missing={6})
    assert await next_offsets(db) == {"membership": 10, "convenings": 0, "feedback": 3}


async def test_a_version_much_too_far_ahead_is_a_dead_letter_that_says_so(client: Client, db: Database) -> None:
    far = good("membership", 2, version=200_002)
    await sink(client, db).put(0, {"membership": [*batch("membership", range(2))["membership"], far]})
    assert await letters(db) == {2: "version 200002 cannot follow 2: no reader loses 100000 facts and more"}
    assert (await count(db), await seen(db)) == (2, Seen(head=2))


async def test_another_fact_at_a_version_that_was_folded_is_a_dead_letter_a_copy_is_not(
    client: Client, db: Database
) -> None:
    one, two, three = batch("membership", range(3))["membership"]
    another = replace(two.with_header("ce_id", b"another"), offset=2)
    again = replace(two, offset=3)
    for process in (sink(client, db), sink(client, db)):
        await process.put(0, {"membership": [one, two, another, again]})
    assert await letters(db) == {
        2: "membership/community.rehabilitation@2 was folded before as another fact, with the id "
        "community.rehabilitation-2, and this one's id is another: one of the two was not sent by the service whose "
        "stream it is"
    }
    await sink(client, db).put(0, {"membership": [replace(three, offset=4)]})
    assert (await count(db), await seen(db)) == (3, Seen(head=3))


async def test_whose_version_stands_there_twice_is_missing_nowhere(client: Client, db: Database) -> None:
    one, two = batch("membership", range(2))["membership"]
    twice = replace(two, headers=(*two.headers, ("ce_sequence", b"3")))
    await sink(client, db).put(0, {"membership": [one, twice]})
    assert await letters(db) == {1: "the header ce_sequence stands there more than once"}
    assert (await count(db), await seen(db)) == (1, Seen(head=1))


async def test_what_mongodb_cannot_hold_is_a_dead_letter_the_rest_is_folded(client: Client, db: Database) -> None:
    async def swell(unit: Unit, facts: Sequence[Recorded]) -> None:
        for _ in range(2 if any(fact.version == 2 for fact in facts) else 0):
            grown = {"$push": {"words": "x" * 8_500_000}}
            await unit.db.swollen.update_one({"_id": 1}, grown, upsert=True, session=unit.session)

    await sink(client, db, Counting(swell)).put(0, batch("membership", range(4)))
    assert list(await letters(db)) == [1]
    assert await count(db) == 3
    assert await seen(db) == Seen(head=4, missing={2})


async def test_what_cannot_be_understood_is_a_dead_letter_and_its_version_missing(client: Client, db: Database) -> None:
    records: Batch = {
        "membership": [
            good("membership", 0),
            replace(good("membership", 1), value=b"{"),
            good("membership", 2).without_header("ce_subject"),
            good("membership", 3).with_header("ce_sequence", None),
            good("membership", 4).with_header("ce_subject", f"feedback/{REHABILITATION}".encode()),
            good("membership", 5, version=3),
        ]
    }
    await sink(client, db).put(0, records)
    assert {offset: reason[:20] for offset, reason in (await letters(db)).items()} == {
        1: "praxis.member-joined",
        2: "the header ce_subjec",
        3: "the header ce_sequen",
        4: "a fact about feedbac",
    }
    assert await count(db) == 2
    assert await seen(db) == Seen(head=3, missing={2})
    assert await seen(db, "feedback") == Seen(), "a stray says nothing about a stream of another topic"


async def test_what_stands_in_the_wrong_partition_is_a_dead_letter_and_disturbs_its_stream_in_no_way(
    client: Client, db: Database
) -> None:
    right = partition_of(REHABILITATION.encode(), 12)
    one, other = (Sink(client, db, TOPICS, Counting(), keep_letters, cached=100, spread_over=12) for _ in range(2))

    async def put(into: Sink, number: int, *versions: int, **changes: Any) -> None:
        offsets = (await into.next_offsets(number))["membership"]
        records = [good("membership", offsets + n, version) for n, version in enumerate(versions)]
        await into.put(number, {"membership": [replace(one, partition=number, **changes) for one in records]})

    await put(one, right, 1, 2)
    await put(other, right + 1, 3, 4)
    await put(other, right + 1, 3, value=b"{")
    await put(other, right + 1, 5, key=None)
    assert (await count(db), await seen(db)) == (2, Seen(head=2))
    await put(one, right, 3, 4)
    await put(other, right + 1, 4, 5)
    await put(one, right, 5)
    assert (await count(db), await seen(db)) == (5, Seen(head=5))
    found = await letters(db)
    assert len(found) == 6
    assert found[0].startswith(f"it stands in partition {right + 1}, and its key belongs in {right}: ")


async def test_a_version_that_cannot_be_true_is_a_dead_letter_the_rest_is_folded(client: Client, db: Database) -> None:
    records = [good("membership", 0), good("membership", 1, version=10**12), good("membership", 2, version=2)]
    await sink(client, db).put(0, {"membership": records})
    assert list(await letters(db)) == [1]
    assert (await count(db), await seen(db)) == (2, Seen(head=2))


async def test_a_good_one_that_comes_late_closes_the_gap(client: Client, db: Database) -> None:
    one = sink(client, db)
    broken = replace(good("membership", 1), value=b"{")
    await one.put(0, {"membership": [good("membership", 0), broken, good("membership", 2)]})
    assert await seen(db) == Seen(head=3, missing={2})
    await one.put(0, {"membership": [good("membership", 3, version=2)]})
    assert (await count(db), await seen(db)) == (3, Seen(head=3))


async def test_a_topic_that_is_added_begins_at_its_beginning_and_who_does_not_know_it_yet_does_not_disturb(
    client: Client, db: Database
) -> None:
    old, new = sink(client, db, topics=["membership"]), sink(client, db, topics=["feedback", "membership"])
    await old.put(0, batch("membership", range(3)))
    assert await new.next_offsets(0) == {"feedback": 0, "membership": 3}
    await asyncio.wait_for(new.put(0, batch("feedback", range(2)) | batch("membership", range(3, 5))), timeout=30)
    await asyncio.wait_for(old.put(0, batch("membership", range(5, 6))), timeout=30)
    assert await next_offsets(db) == {"membership": 6, "feedback": 2}
    assert await count(db) == 8


async def test_a_dead_letter_is_short_enough_to_be_sent_and_says_where_it_stood(client: Client, db: Database) -> None:
    def choke(unit: Unit, facts: Sequence[Recorded]) -> None:
        raise RuntimeError("y" * 100_000)

    huge = replace(good("membership", 0), value=b"x" * (MAX_FACT_BYTES + 1))
    broken = replace(good("membership", 1), value=b"{").with_header("ce_source", None)
    await Sink(client, db, TOPICS, Counting(choke), bury).put(0, {"membership": [huge, broken, good("membership", 2)]})
    outgoing = [document async for document in db.outbox.find().sort("_id")]
    assert [message["topic"] for message in outgoing] == ["membership.events.dead"] * 3
    assert [message["value"] for message in outgoing] == [b"", b"{", good("membership", 2).value]
    told = [dict(message["headers"]) for message in outgoing]
    assert [headers["praxis_offset"] for headers in told] == [b"0", b"1", b"2"]
    assert all(headers["praxis_topic"] == b"membership.events" for headers in told)
    assert all(0 < len(headers["praxis_reason"]) <= LONGEST_REASON for headers in told)
    assert all(value is not None for headers in told for value in headers.values())
