"""A person is merged and erased while they join elsewhere, on real engines: no stream lacks it, no word stays."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Any

import pytest

from services.gateway.gathering import Gathering
from services.gateway.holdings import Views
from services.gateway.views.community import community_view
from services.gateway.views.organisation import organisation_view
from services.membership.domain.communities import communities
from services.membership.domain.identity import Erase, Merge, erasures, mergers
from services.membership.domain.memberships import memberships
from services.membership.domain.people import (
    Affiliate,
    PersonWasErased,
    PersonWasMerged,
    Register,
    affiliations,
    people,
)
from services.membership.domain.references import Reference
from services.metrics.fold import Fold
from shared.events.fact import Fact, Recorded, Stream
from shared.mongo import Client, Database, Session, transact
from shared.reading.sink import Partition, Unit
from shared.refusals import Conflict
from shared.views.builds import FIRST
from shared.writing.decider import Command, Decider, Key
from shared.writing.writer import Envelope, Writer, Written
from tests.builders import (
    ANNA,
    BEN,
    CHIDI,
    DALIA,
    affiliation_began,
    attendance_taken,
    community_founded,
    convening_held,
    convening_scheduled,
    member_joined,
    on,
    organisation_registered,
    person_attended,
    person_erased,
    person_merged,
    person_registered,
    recorded,
)
from tests.integration.test_writer_contract import a_practice, join, replicas

E_MAIL = Reference(source="sign-in sheet", ref="anna@example.org")
MERGE, ERASE = Merge(into_id=BEN, merged_on=on("2020-06-30")), Erase(erased_on=on("2020-06-30"))
PLACES = [f"community-{number}" for number in range(30)]


class Service:
    """Two replicas of one, in turn."""

    def __init__(self, writers: Sequence[Writer], db: Database) -> None:
        self._writers, self.db, self._turn = writers, db, 0

    async def __call__(self, decider: Decider[Any, Any], key: Key, command: Command) -> Written:
        self._turn += 1
        envelope = Envelope(str(uuid.uuid4()), command.model_dump_json())
        return await self._writers[self._turn % len(self._writers)](decider, key, command, envelope)

    async def register(self, person: str, reference: Reference | None = None, name: str | None = None) -> str:
        key = (person, reference.source, reference.ref) if reference else (person, None, None)
        return str((await self(people, key, Register(name=name, reference=reference))).answer["person_id"])

    async def facts(self, stream: str) -> list[tuple[str, str]]:
        """Type and person of each of its facts, in order."""
        found = self.db.events.find({"_id.stream": stream}).sort("_id.version")
        return [(event["type"], event["data"].get("person_id", "")) async for event in found]


@pytest.fixture
async def service(mongo: str) -> AsyncIterator[Service]:
    async with replicas(mongo, 2) as (writers, db):
        yield Service(writers, db)


def of(fact: Fact) -> tuple[str, str]:
    return fact.type, fact.person_id  # type: ignore[attr-defined]  # all of these have one


async def test_wherever_somebody_joined_while_they_were_merged_it_is_known_after_that(service: Service) -> None:
    for person in (ANNA, BEN):
        await service.register(person)
        await service(affiliations, (person, "first"), Affiliate(profession="midwife", began_on=on("2018")))
    await asyncio.gather(*(service(communities, (place,), a_practice()) for place in PLACES))

    async def joining(place: str) -> None:
        with suppress(PersonWasMerged):
            await service(memberships, (place, ANNA), join())

    async def merging() -> None:
        await asyncio.sleep(0.02)
        await service(mergers, (ANNA, BEN), MERGE)

    await asyncio.gather(*(joining(place) for place in PLACES[:15]), merging(), *map(joining, PLACES[15:]))
    began, joined = of(affiliation_began(person_id=ANNA)), of(member_joined(ANNA))
    known = [began, joined, of(affiliation_began(person_id=BEN)), of(person_merged())]
    for place in PLACES:
        _, *facts = await service.facts(f"membership/community.{place}")
        assert facts in ([], known), place
    await service(communities, ("elsewhere",), a_practice())
    with pytest.raises(PersonWasMerged, match=BEN):
        await service(memberships, ("elsewhere", ANNA), join())


async def test_wherever_somebody_joined_while_they_were_erased_it_is_known_after_that(service: Service) -> None:
    await service.register(ANNA)
    await asyncio.gather(*(service(communities, (place,), a_practice()) for place in PLACES))

    async def joining(place: str) -> None:
        with suppress(PersonWasErased):
            await service(memberships, (place, ANNA), join())

    await asyncio.gather(*map(joining, PLACES[:15]), service(erasures, (ANNA,), ERASE), *map(joining, PLACES[15:]))
    for place in PLACES:
        _, *facts = await service.facts(f"membership/community.{place}")
        assert facts in ([], [of(member_joined(ANNA)), of(person_erased(ANNA))]), place


async def test_merges_that_meet_leave_one_who_goes_on(service: Service) -> None:
    for person in (ANNA, BEN, CHIDI):
        await service.register(person)
    ring = [(ANNA, BEN), (BEN, CHIDI), (CHIDI, ANNA)]

    async def merging(one: str, other: str) -> bool:
        with suppress(Conflict):
            await service(mergers, (one, other), Merge(into_id=other, merged_on=on("2020-06-30")))
            return True
        return False

    merges = sum(await asyncio.gather(*(merging(*pair) for pair in ring)))
    assert merges in (1, 2)
    assert await service.db.people.count_documents({"merged": None}) == 3 - merges


async def test_a_reference_leads_to_the_one_who_goes_on(service: Service) -> None:
    assert await service.register(ANNA, E_MAIL, "Anna") == ANNA
    await service.register(BEN)
    await service.register(CHIDI)
    await service(mergers, (ANNA, BEN), MERGE)
    assert await service.register("01hzy0000000000000000000ee", E_MAIL) == BEN
    await service(mergers, (BEN, CHIDI), Merge(into_id=CHIDI, merged_on=on("2020-07-31")))
    assert await service.register("01hzy0000000000000000000ee", E_MAIL) == CHIDI


async def test_of_who_was_erased_no_word_stays_of_any_record_that_was_theirs(service: Service) -> None:
    await service.register(ANNA, E_MAIL, "Anna Nightingale")
    await service.register(BEN, Reference(source="survey", ref="a.nightingale@example.org"), "A. Nightingale")
    await service(mergers, (ANNA, BEN), MERGE)
    assert await _holding(service.db, "ightingale", "example.org")
    await service(erasures, (BEN,), ERASE)
    assert await _holding(service.db, "ightingale", "example.org") == set()
    assert await service.db.receipts.count_documents({"answer.person_id": {"$exists": True}}) == 0
    assert await service.facts(f"membership/person.{BEN}") == [
        of(one) for one in (person_registered(BEN), person_erased(BEN))
    ]
    again = await service.register(CHIDI, E_MAIL)
    assert again == CHIDI, "a source that still names them makes them somebody new"


async def _holding(db: Database, *words: str) -> set[str]:
    """The collections in which one of these words stands anywhere."""
    names = await db.list_collection_names()
    documents = [(name, str(document)) for name in names async for document in db[name].find()]
    return {name for name, document in documents if any(word in document for word in words)}


async def test_views_count_who_was_merged_once_wherever_they_took_part(client: Client, db: Database) -> None:
    """Anna goes on as Ben, who goes on as Chidi. Anna belongs here, Ben came here, and Chidi belongs there."""
    here, there = Stream("membership", "community", "here"), Stream("membership", "community", "there")
    came = Stream("convenings", "community", "here")
    one, another = person_merged(ANNA, BEN), person_merged(BEN, CHIDI)
    began = affiliation_began(person_id=ANNA, organisation_id="kings")
    await fold(db, client, here, community_founded(), began, member_joined(ANNA), one, another)
    attended = person_attended(BEN, "spring", attended_on="2019-03-01")
    held = (convening_scheduled("spring"), convening_held("spring"), attendance_taken("spring"))
    await fold(db, client, came, *held, attended, another)
    await fold(db, client, there, community_founded(), member_joined(CHIDI), member_joined(DALIA))
    for person, merged in ((ANNA, one), (BEN, another)):
        await fold(db, client, Stream("membership", "person", person), person_registered(person), merged)
    await fold(db, client, Stream("membership", "organisation", "kings"), organisation_registered())
    async with Views(client, database=db.name).open() as holdings:
        gathering = Gathering(holdings, "2020-12-31")
        network = {figure.measure: figure.value for figure in (await gathering.network()).figures}
        community, basis = await gathering.community("here")
        figures = {figure.measure: figure.value for figure in community_view(community, basis).figures}
        organisation = organisation_view(*await gathering.organisation("kings"))
    assert (network["distinct-members"], network["distinct-participants"]) == (2, 1)
    assert (figures["members"], figures["participants"]) == (1, 1)
    assert [person.person_id for person in community.came] == [CHIDI]
    of_kings = {figure.measure: figure.value for figure in organisation.figures}
    assert of_kings == {"distinct-members": 1, "distinct-participants": 1}


async def fold(db: Database, client: Client, stream: Stream, *facts: Fact) -> None:
    """Each in a transaction of its own, as if a worker had been started for it."""
    await Fold(FIRST).prepare(db)
    for version, fact in enumerate(facts, start=1):
        this = recorded(fact, version, stream)

        async def body(session: Session, this: Recorded = this) -> None:
            await Fold(FIRST).project(Unit(db, session, Partition(0, {}, None), cached=0), [this])

        await transact(client, body)
