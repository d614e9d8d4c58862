"""The membership service over HTTP, in process: what a caller sends, and what comes back."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from services.membership.app import app
from services.membership.domain.organisations import organisations
from services.membership.reference import ods
from shared.events.membership import MemberJoined, PersonMerged, PersonRegistered
from shared.events.words import CoarseDate
from tests.builders import ANNA, affiliation_began, member_joined, member_left, trust_registered
from tests.in_memory import InMemoryWriter

RULES = organisations(ods.load())


@pytest.fixture
def writes() -> InMemoryWriter:
    return InMemoryWriter()


@pytest.fixture
async def client(writes: InMemoryWriter) -> AsyncIterator[httpx.AsyncClient]:
    async def with_state(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "state": {"writes": writes, "organisations": RULES, "checks": {}}}, receive, send)

    transport = httpx.ASGITransport(with_state)
    async with httpx.AsyncClient(transport=transport, base_url="http://membership/v1") as client:
        yield client


async def put(client: httpx.AsyncClient, path: str, /, status: int = 202, **body: Any) -> httpx.Response:
    answer = await client.put(path, json=body)
    assert answer.status_code == status, answer.text
    return answer


async def a_member(client: httpx.AsyncClient) -> str:
    """Somebody who joined the community `rehabilitation`, which was founded in January 2019."""
    await put(client, "/communities/rehabilitation", title="Rehabilitation", kind="practice", founded_on="2019-01")
    person: str = (await client.post("/people", json={})).json()["person_id"]
    await put(client, f"/communities/rehabilitation/members/{person}", role="member", joined_on="2019-02-01")
    return person


async def test_a_command_answers_with_positions_and_an_etag(client: httpx.AsyncClient, writes: InMemoryWriter) -> None:
    answer = await put(client, "/organisations/kings", kind="trust", ods_code="RJZ")
    assert answer.json() == {"positions": ["membership/organisation.kings@1"], "unchanged": False}
    assert (answer.headers["ETag"], answer.headers["Praxis-Position"]) == ('"1"', "membership/organisation.kings@1")
    assert writes.in_stream("membership/organisation.kings") == [trust_registered()]


async def test_the_same_command_again_changes_nothing(client: httpx.AsyncClient) -> None:
    await put(client, "/organisations/kings", kind="trust", ods_code="RJZ")
    again = await put(client, "/organisations/kings", kind="trust", ods_code="RJZ")
    assert again.json() == {"positions": [], "unchanged": True}
    assert again.headers["ETag"] == '"1"'


async def test_a_wrong_code_is_answered_with_the_nearest(client: httpx.AsyncClient) -> None:
    answer = await put(client, "/organisations/croydon", 400, kind="trust", ods_code="RXF", name="Croydon")
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["type"] == "/problems/unknown-code"
    assert problem["nearest"][0] == {"code": "RJ6", "name": "Croydon Health Services NHS Trust"}
    assert [error["field"] for error in problem["errors"]] == ["ods_code"]


async def test_a_programme_its_design_group_and_its_communities(
    client: httpx.AsyncClient, writes: InMemoryWriter
) -> None:
    person = (await client.post("/people", json={"name": "Anna"})).json()["person_id"]
    await put(client, "/organisations/network", kind="network", name="A network")
    await put(client, "/organisations/qkk", kind="integrated-care-board", ods_code="QKK")
    await put(client, "/organisations/kings", kind="trust", ods_code="RJZ")
    await put(client, "/organisations/kings/name", name="King's", renamed_on="2024")
    await put(client, "/organisations/kings/board", board_id="qkk", joined_on="2022-07-01")
    await put(client, "/organisations/kings/network", joined_on="2013")
    commission = partial(put, client, title="Cancer", commissioned_from="network")
    await commission("/programmes/earlier", commissioned_on="2018")
    await commission("/programmes/cancer", commissioned_on="2019-01", commissioned_by="network")
    await put(client, "/programmes/cancer/follows", earlier_programme_id="earlier", stated_reason="It went well")
    group = "/programmes/cancer/design-groups/initial"
    await put(client, group, met_on="2019-01", person_ids=[person], organisation_ids=["kings"])
    await put(client, f"{group}/domains", decided_on="2019-01", domains=[{"community_id": "rehab", "domain": "Care"}])
    await put(client, "/communities/rehab", title="Rehab", kind="practice", programme_id="cancer", host_id="network")
    group = "/communities/rehab/design-groups/again"
    await put(client, group, met_on="2020", organisation_ids=["kings"])
    await put(client, f"{group}/domains", decided_on="2020", domains=[{"community_id": "rehab", "domain": "Life"}])
    await put(client, "/communities/rehab/closed", closed_on="2021")
    assert [str(position) for position, _ in writes.facts][-6:] == [
        "membership/programme.cancer@3",
        "membership/programme.cancer@4",
        "membership/community.rehab@1",
        "membership/community.rehab@2",
        "membership/community.rehab@3",
        "membership/community.rehab@4",
    ]


async def test_the_same_reference_gives_the_same_person(client: httpx.AsyncClient, writes: InMemoryWriter) -> None:
    words = {"name": "Anna", "email": "anna@example.org", "reference": {"source": "sheet", "ref": "anna@example.org"}}
    first, again = [await client.post("/people", json=words) for _ in range(2)]
    assert first.json()["person_id"] == again.json()["person_id"]
    assert (first.json()["unchanged"], again.json()["unchanged"]) == (False, True)
    assert [fact for _, fact in writes.facts] == [PersonRegistered(person_id=first.json()["person_id"])]


async def test_without_a_reference_each_is_somebody_new(client: httpx.AsyncClient) -> None:
    people = {(await client.post("/people", json={"name": "Anna"})).json()["person_id"] for _ in range(3)}
    assert len(people) == 3


async def test_a_member_joins_and_leaves(client: httpx.AsyncClient, writes: InMemoryWriter) -> None:
    person = await a_member(client)
    await put(client, f"/communities/rehabilitation/members/{person}/left", left_on="2020-02-01")
    assert writes.in_stream("membership/community.rehabilitation")[1:] == [member_joined(person), member_left(person)]


async def test_a_cohort_is_completed(client: httpx.AsyncClient) -> None:
    person = await a_member(client)
    member = f"members/{person}"
    await put(client, f"/communities/rehabilitation/{member}/completed", 409, completed_on="2020")
    await put(client, "/communities/leadership", title="Leadership", kind="cohort")
    await put(client, f"/communities/leadership/{member}", role="member", how="enrolled", joined_on="2019")
    await put(client, f"/communities/leadership/{member}/completed", completed_on="2020")


async def test_an_affiliation_reaches_the_communities(client: httpx.AsyncClient, writes: InMemoryWriter) -> None:
    person = await a_member(client)
    answer = await put(client, f"/people/{person}/affiliations/first", began_on="2018", profession="midwife")
    assert answer.json()["positions"] == [f"membership/person.{person}@2", "membership/community.rehabilitation@3"]
    assert writes.in_stream("membership/community.rehabilitation")[-1] == affiliation_began(person_id=person)
    answer = await put(client, f"/people/{person}/affiliations/first/ended", ended_on="2020")
    assert answer.json()["positions"] == [f"membership/person.{person}@3", "membership/community.rehabilitation@4"]


async def test_leaving_before_joining_names_the_field(client: httpx.AsyncClient) -> None:
    person = await a_member(client)
    answer = await put(client, f"/communities/rehabilitation/members/{person}/left", 409, left_on="2019-01-31")
    assert answer.json()["type"] == "/problems/left-before-joining"
    assert answer.json()["errors"][0]["field"] == "left_on"


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        (f"/communities/nowhere/members/{ANNA}", {"role": "member", "joined_on": "2019"}, "community"),
        (f"/communities/rehabilitation/members/{ANNA}", {"role": "member", "joined_on": "2019"}, "person"),
        (f"/people/{ANNA}/affiliations/first", {"service": "maternity", "began_on": "2019"}, "person"),
        ("/organisations/nowhere/name", {"name": "Another", "renamed_on": "2019"}, "organisation"),
        ("/communities/new", {"title": "New", "kind": "practice", "programme_id": "nowhere"}, "programme_id"),
        ("/communities/new", {"title": "New", "kind": "practice", "host_id": "nowhere"}, "host_id"),
    ],
)
async def test_what_is_not_known_is_named(
    client: httpx.AsyncClient, path: str, body: dict[str, str], field: str
) -> None:
    await a_member(client)
    answer = await put(client, path, 404, **body)
    assert answer.json()["errors"][0]["field"] == field


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/communities/Rehab", {"title": "x", "kind": "practice"}, "community"),
        ("/communities/x", {"title": "x", "kind": "guild"}, "kind"),
        ("/communities/x", {"title": 7, "kind": "practice"}, "title"),
        ("/communities/x", {"title": " ", "kind": "practice"}, "title"),
        ("/communities/x", {"title": "x", "kind": "practice", "colour": "red"}, "colour"),
        ("/communities/x", {"title": "x", "kind": "practice", "founded_on": "2019-02-30"}, "founded_on"),
        ("/communities/x", {"title": "x", "kind": "practice", "demonstration_on": "2020"}, "demonstration_on"),
        ("/communities/x", {"title": "x", "kind": "practice", "reference": {"source": "k8s"}}, "reference.ref"),
        ("/communities/x/members/anna", {"role": "member", "joined_on": "2019"}, "person"),
        (f"/communities/x/members/{ANNA}", {"role": "king", "joined_on": "yesterday"}, "role"),
        ("/programmes/x", {"title": "x", "commissioned_on": "2019"}, "commissioned_from"),
        ("/programmes/x/design-groups/y/domains", {"decided_on": "2019", "domains": []}, "domains"),
    ],
)
async def test_wrong_fields_are_named(client: httpx.AsyncClient, path: str, body: dict[str, Any], field: str) -> None:
    answer = await put(client, path, 422, **body)
    assert field in [error["field"] for error in answer.json()["errors"]]


@pytest.mark.parametrize("body", ['{"title": "x', "", "{}{}"])
async def test_what_is_not_json_is_refused(client: httpx.AsyncClient, body: str) -> None:
    answer = await client.put("/communities/x", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422)
    assert answer.json()["errors"][0]["field"] == "body"


async def test_an_idempotency_key_returns_the_first_answer(client: httpx.AsyncClient, writes: InMemoryWriter) -> None:
    key = {"Idempotency-Key": '"8e03978e"'}
    first, again = [await client.post("/people", json={"name": "Anna"}, headers=key) for _ in range(2)]
    assert again.json() == {**first.json(), "unchanged": True}
    assert again.headers["Idempotent-Replayed"] == "true"
    assert len(writes.facts) == 1
    other = await client.post("/people", json={"name": "Ben"}, headers=key)
    assert (other.status_code, other.json()["type"]) == (422, "/problems/key-reused")


async def test_a_stale_edit_is_refused(client: httpx.AsyncClient, writes: InMemoryWriter) -> None:
    person = await a_member(client)
    member = f"/communities/rehabilitation/members/{person}"
    stale = await client.put(f"{member}/left", json={"left_on": "2020"}, headers={"If-Match": '"1"'})
    assert (stale.status_code, stale.json()["type"]) == (412, "/problems/changed-since")
    fresh = await client.put(f"{member}/left", json={"left_on": "2020"}, headers={"If-Match": '"2"'})
    assert (fresh.status_code, fresh.headers["ETag"]) == (202, '"3"')


async def test_no_fact_holds_what_a_person_is_called(client: httpx.AsyncClient, writes: InMemoryWriter) -> None:
    words = {"name": "Anna Example", "email": "a@example.org", "reference": {"source": "crm", "ref": "a@example.org"}}
    person = (await client.post("/people", json=words)).json()["person_id"]
    await put(client, "/communities/x", title="X", kind="practice", reference={"source": "crm", "ref": "secret key"})
    await put(client, f"/communities/x/members/{person}", role="member", joined_on="2019")
    told = " ".join(fact.model_dump_json() for _, fact in writes.facts)
    assert MemberJoined in [type(fact) for _, fact in writes.facts]
    assert not any(word in told for word in ("Anna", "example.org", "secret key", "crm"))


async def test_two_records_of_one_person_are_merged_and_the_reference_leads_to_the_one_that_goes_on(
    client: httpx.AsyncClient, writes: InMemoryWriter
) -> None:
    one = await a_member(client)
    words = {"name": "Anna", "reference": {"source": "sheet", "ref": "anna@example.org"}}
    other = (await client.post("/people", json=words)).json()["person_id"]
    answer = await put(client, f"/people/{other}/merged", into_id=one, merged_on="2020-06-30")
    assert answer.json()["positions"] == [f"membership/person.{other}@2"]
    assert (await client.post("/people", json=words)).json()["person_id"] == one
    path = f"/communities/rehabilitation/members/{other}"
    problem = (await put(client, path, 409, role="member", joined_on="2020-02-01")).json()
    assert (problem["type"], problem["into_id"]) == ("/problems/person-was-merged", one)
    merged = PersonMerged(person_id=other, into_id=one, merged_on=CoarseDate("2020-06-30"))
    assert writes.in_stream(f"membership/person.{other}")[1:] == [merged]


async def test_an_erased_person_is_known_by_no_reference_and_joins_nothing(
    client: httpx.AsyncClient, writes: InMemoryWriter
) -> None:
    words = {"name": "Anna", "reference": {"source": "sheet", "ref": "anna@example.org"}}
    person = (await client.post("/people", json=words)).json()["person_id"]
    await put(client, "/communities/rehabilitation", title="Rehabilitation", kind="practice")
    await put(client, f"/people/{person}/erased", erased_on="2020-06-30")
    path = f"/communities/rehabilitation/members/{person}"
    problem = (await put(client, path, 409, role="member", joined_on="2020-02-01")).json()
    assert problem["type"] == "/problems/person-was-erased"
    await put(client, f"/people/{person}/erased", 422, erased_on="2020-06")
    assert (await client.post("/people", json=words)).json()["person_id"] != person
