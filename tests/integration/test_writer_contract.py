"""One contract for the writer and for the one that tests use in its place: the same cases against both."""

import asyncio
import itertools
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Protocol

import pytest
from pymongo import MongoClient
from ulid import ULID

from services.membership.domain.communities import (
    Community,
    Found,
    IdTakenByAnotherReference,
    UnknownCommunity,
    communities,
)
from services.membership.domain.design_groups import Meet, design_groups
from services.membership.domain.memberships import Join, Leave, memberships
from services.membership.domain.people import Affiliate, Register, UnknownPerson, affiliations, people
from services.membership.domain.references import Reference
from shared.events.fact import Fact, Position
from shared.events.membership import CommunityKind, Role
from shared.http.commands import Writes
from shared.mongo import Database, connect
from shared.refusals import KeyReused, PreconditionFailed
from shared.writing.decider import Command, Decider, Key
from shared.writing.ledger import recorded_of
from shared.writing.writer import Envelope, Writer, Written
from tests.builders import ANNA, affiliation_began, member_joined, on, person_registered
from tests.in_memory import InMemoryWriter


class Subject(Protocol):
    """A writer, and what it has recorded."""

    @property
    def writes(self) -> Writes: ...

    async def facts(self) -> list[tuple[Position, Fact]]: ...


class InMemory:
    def __init__(self) -> None:
        self.writes = InMemoryWriter()

    async def facts(self) -> list[tuple[Position, Fact]]:
        return sorted(self.writes.facts, key=lambda recorded: recorded[0])


class OnMongo:
    """Writers of one database, as the replicas of a service are, in turn."""

    def __init__(self, writers: Sequence[Writer], db: Database) -> None:
        self._turns, self._db = itertools.cycle(writers), db

    @property
    def writes(self) -> Writer:
        return next(self._turns)

    async def facts(self) -> list[tuple[Position, Fact]]:
        recorded = [recorded_of(event) async for event in self._db.events.find()]
        waiting = [message["_id"] async for message in self._db.outbox.find()]
        places = [{"stream": str(one.stream), "version": one.version} for one in recorded]
        assert sorted(waiting, key=str) == sorted(places, key=str), "every fact waits for the relay"
        return sorted(((one.position, one.fact) for one in recorded), key=lambda one: one[0])


@asynccontextmanager
async def replicas(url: str, count: int) -> AsyncIterator[tuple[Sequence[Writer], Database]]:
    """So many writers at work on a database of their own."""
    client = connect(url)
    db = client[f"writers_{uuid.uuid4().hex[:12]}"]
    writers = [Writer(client, db) for _ in range(count)]
    running = [asyncio.create_task(writer.run()) for writer in writers]
    try:
        yield writers, db
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await client.drop_database(db.name)
        await client.close()


@pytest.fixture(params=["in memory", "one on MongoDB", "two on MongoDB"])
async def subject(request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    if request.param == "in memory":
        yield InMemory()
    else:
        url = request.getfixturevalue("mongo")
        async with replicas(url, 1 if request.param == "one on MongoDB" else 2) as (writers, db):
            yield OnMongo(writers, db)


async def write(
    subject: Subject,
    decider: Decider[Any, Any],
    key: Key,
    command: Command,
    *,
    idempotency_key: str | None = None,
    if_match: int | None = None,
) -> Written:
    envelope = Envelope(idempotency_key or str(uuid.uuid4()), command.model_dump_json(), if_match)
    return await subject.writes(decider, key, command, envelope)


def a_practice(title: str = "rehabilitation", reference: Reference | None = None) -> Found:
    return Found(title=title, kind=CommunityKind.PRACTICE, reference=reference)


async def found(subject: Subject, *names: str) -> None:
    for name in names:
        await write(subject, communities, (name,), a_practice(name))


async def register(subject: Subject, person: str = ANNA, **words: Any) -> Written:
    return await write(subject, people, (person, None, None), Register(**words))


def join(role: Role = Role.MEMBER) -> Join:
    return Join(role=role, joined_on=on("2019-02-01"))


async def test_facts_are_numbered_from_one_in_their_streams(subject: Subject) -> None:
    await found(subject, "rehabilitation")
    await register(subject)
    written = await write(subject, memberships, ("rehabilitation", ANNA), join())
    assert [str(place) for place in written.positions] == ["membership/community.rehabilitation@2"]
    assert (written.version, written.replayed) == (2, False)
    assert [str(place) for place, _ in await subject.facts()] == [
        "membership/community.rehabilitation@1",
        "membership/community.rehabilitation@2",
        f"membership/person.{ANNA}@1",
    ]


async def test_a_key_that_comes_again_gives_the_first_answer_and_adds_nothing(subject: Subject) -> None:
    key = (ANNA, None, None)
    first = await write(subject, people, key, Register(name="Anna"), idempotency_key="once")
    minted_anew = (str(ULID()).lower(), None, None)
    again = await write(subject, people, minted_anew, Register(name="Anna"), idempotency_key="once")
    assert again == Written(first.positions, first.version, {"person_id": ANNA}, replayed=True)
    assert len(await subject.facts()) == 1


async def test_two_of_the_same_key_in_flight_are_carried_out_once(subject: Subject) -> None:
    keys = [(str(ULID()).lower(), None, None) for _ in range(20)]
    answers = await asyncio.gather(
        *(write(subject, people, key, Register(name="Anna"), idempotency_key="once") for key in keys)
    )
    assert len({answer.answer["person_id"] for answer in answers}) == 1
    assert sorted(answer.replayed for answer in answers) == [False] + [True] * 19
    assert len(await subject.facts()) == 1


async def test_a_key_with_another_command_is_refused(subject: Subject) -> None:
    await write(subject, people, (ANNA, None, None), Register(name="Anna"), idempotency_key="once")
    with pytest.raises(KeyReused):
        await write(subject, people, (ANNA, None, None), Register(name="Ben"), idempotency_key="once")


async def test_a_stale_edit_is_refused_and_a_fresh_one_is_not(subject: Subject) -> None:
    await found(subject, "rehabilitation")
    await register(subject)
    joined = await write(subject, memberships, ("rehabilitation", ANNA), join())
    leave = Leave(left_on=on("2020"))
    with pytest.raises(PreconditionFailed) as raised:
        await write(subject, memberships, ("rehabilitation", ANNA), leave, if_match=1)
    assert raised.value.data == {"version": joined.version}
    left = await write(subject, memberships, ("rehabilitation", ANNA), leave, if_match=joined.version)
    assert left.version == joined.version + 1


async def test_other_facts_in_the_stream_do_not_disturb_an_edit(subject: Subject) -> None:
    await found(subject, "rehabilitation")
    await register(subject)
    joined = await write(subject, memberships, ("rehabilitation", ANNA), join())
    met = Meet(met_on=on("2019"), organisation_ids=())
    await write(subject, design_groups, ("community", "rehabilitation", "initial"), met)
    leave = Leave(left_on=on("2020"))
    left = await write(subject, memberships, ("rehabilitation", ANNA), leave, if_match=joined.version)
    assert (joined.version, left.version) == (2, 4)


async def test_a_refusal_stores_nothing_and_leaves_its_key_free(subject: Subject) -> None:
    await found(subject, "rehabilitation")
    with pytest.raises(UnknownPerson):
        await write(subject, memberships, ("rehabilitation", ANNA), join(), idempotency_key="once")
    assert len(await subject.facts()) == 1
    await register(subject)
    written = await write(subject, memberships, ("rehabilitation", ANNA), join(), idempotency_key="once")
    assert not written.replayed
    assert len(written.positions) == 1


async def test_a_refusal_among_others_disturbs_none_of_them(subject: Subject) -> None:
    await found(subject, "rehabilitation")
    await register(subject)
    places = ("rehabilitation", "nowhere", "rehabilitation")
    joining = [write(subject, memberships, (one, ANNA), join()) for one in places]
    outcomes = await asyncio.gather(*joining, return_exceptions=True)
    assert isinstance(outcomes[0], Written)
    assert isinstance(outcomes[1], UnknownCommunity)
    assert isinstance(outcomes[2], Written)


async def test_what_is_as_commanded_adds_nothing_and_keeps_its_version(subject: Subject) -> None:
    await found(subject, "rehabilitation")
    again = await write(subject, communities, ("rehabilitation",), a_practice())
    assert (again.positions, again.version, again.replayed) == ((), 1, False)
    assert len(await subject.facts()) == 1


async def test_what_is_kept_is_stored_without_a_fact(subject: Subject) -> None:
    await found(subject, "rehabilitation")
    first, other = Reference(source="k8s", ref="re.hab"), Reference(source="k8s", ref="re-hab")
    given = await write(subject, communities, ("rehabilitation",), a_practice(reference=first))
    assert given.positions == ()
    with pytest.raises(IdTakenByAnotherReference, match=r"'re\.hab' of k8s"):
        await write(subject, communities, ("rehabilitation",), a_practice(reference=other))


async def test_the_same_reference_gives_one_person_under_many_callers(subject: Subject) -> None:
    command = Register(reference=Reference(source="sheet", ref="anna@example.org"))
    keys = [(str(ULID()).lower(), "sheet", "anna@example.org") for _ in range(30)]
    answers = await asyncio.gather(*(write(subject, people, key, command) for key in keys))
    (person,) = {answer.answer["person_id"] for answer in answers}
    assert [fact for _, fact in await subject.facts()] == [person_registered(person)]


async def test_many_at_once_are_numbered_without_a_gap(subject: Subject) -> None:
    await found(subject, "rehabilitation")
    members = [str(ULID()).lower() for _ in range(50)]
    await asyncio.gather(*(register(subject, member) for member in members))
    joined = await asyncio.gather(
        *(write(subject, memberships, ("rehabilitation", member), join()) for member in members)
    )
    assert sorted(place.version for one in joined for place in one.positions) == list(range(2, 52))
    stream = Community(key="rehabilitation").stream()
    facts = {place: fact for place, fact in await subject.facts() if place.stream == stream}
    assert [place.version for place in facts] == list(range(1, 52))
    for member, written in zip(members, joined, strict=True):
        assert [facts[place] for place in written.positions] == [member_joined(member)]


async def test_an_affiliation_reaches_every_community_where_the_person_is_known(subject: Subject) -> None:
    names = ["rehabilitation", "ultrasound", "operations"]
    await found(subject, *names, "elsewhere")
    await register(subject)
    await asyncio.gather(*(write(subject, memberships, (name, ANNA), join()) for name in names))
    command = Affiliate(profession="midwife", began_on=on("2018"))
    written = await write(subject, affiliations, (ANNA, "first"), command)
    assert written.version == 2  # of the person's own stream
    assert {str(place) for place in written.positions} == {
        f"membership/person.{ANNA}@2",
        *(f"membership/community.{name}@3" for name in names),
    }
    facts = dict(await subject.facts())
    assert [facts[place] for place in written.positions] == [affiliation_began()] * 4


async def test_the_first_fact_about_somebody_brings_their_affiliations_along(subject: Subject) -> None:
    await found(subject, "rehabilitation")
    await register(subject)
    await write(subject, affiliations, (ANNA, "first"), Affiliate(profession="midwife", began_on=on("2018")))
    written = await write(subject, memberships, ("rehabilitation", ANNA), join())
    facts = dict(await subject.facts())
    assert [facts[place] for place in written.positions] == [affiliation_began(), member_joined()]
    assert written.version == 3


async def test_a_join_and_an_affiliation_at_once_leave_nothing_out(subject: Subject) -> None:
    """Whichever comes first, the community's stream ends up with both."""
    names = [f"community-{number}" for number in range(10)]
    await found(subject, *names)
    await register(subject)
    joining = [write(subject, memberships, (name, ANNA), join()) for name in names]
    affiliating = write(subject, affiliations, (ANNA, "first"), Affiliate(profession="midwife", began_on=on("2018")))
    await asyncio.gather(*joining[:5], affiliating, *joining[5:])
    streams: dict[str, list[Fact]] = {name: [] for name in names}
    for place, fact in await subject.facts():
        streams.get(place.stream.id, []).append(fact)
    for facts in streams.values():
        assert sorted(type(fact).__name__ for fact in facts) == ["AffiliationBegan", "CommunityFounded", "MemberJoined"]


class Overtaken:
    """A decider that another process overtakes, once: it writes to the person, whom the command only looks at."""

    def __init__(self, mongo: str, database: str, decider: Decider[Any, Any]) -> None:
        self._mongo, self._database, self._decider = mongo, database, decider
        self.decided = 0

    def __call__(self, command: Any, situation: Any) -> Sequence[Any]:
        self.decided += 1
        if self.decided == 1:
            person = {"_id": f"membership/person.{ANNA}"}
            with MongoClient[dict[str, Any]](self._mongo) as other:
                assert other[self._database].streams.update_one(person, {"$inc": {"touched": 1}}).matched_count
        return self._decider.decide(command, situation)


async def test_who_decides_from_what_somebody_else_changes_meanwhile_decides_again(mongo: str) -> None:
    async with replicas(mongo, 1) as (writers, db):
        subject = OnMongo(writers, db)
        await found(subject, "rehabilitation")
        await register(subject)
        member = ("rehabilitation", ANNA)
        await write(subject, memberships, member, join())
        await write(subject, memberships, member, Leave(left_on=on("2019-03-01")))
        again = Join(role=Role.MEMBER, joined_on=on("2019-04-01"))
        overtaken = Overtaken(mongo, db.name, memberships)
        await write(subject, replace(memberships, decide=overtaken), member, again)
    assert overtaken.decided == 2, "it lost the race"


async def test_who_is_registered_again_while_they_are_erased_is_decided_again(mongo: str) -> None:
    """Else the receipt of the one is not there yet for the other to delete."""
    async with replicas(mongo, 1) as (writers, db):
        subject = OnMongo(writers, db)
        key, register_them = (ANNA, "sheet", "anna"), Register(reference=Reference(source="sheet", ref="anna"))
        await write(subject, people, key, register_them)
        overtaken = Overtaken(mongo, db.name, people)
        await write(subject, replace(people, decide=overtaken), key, register_them)
    assert overtaken.decided == 2, "it lost the race"
