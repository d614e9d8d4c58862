"""Commands of the convenings service over HTTP, in process: addresses, bodies, positions, ETags, problems."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient, Response
from starlette.types import Receive, Scope, Send

from services.convenings.api import router
from services.convenings.known import KnownCommunity, KnownOrganisation, KnownPerson
from shared.events.fact import Fact
from shared.http.app import application
from tests.builders import (
    ANNA,
    BEN,
    affiliation_began,
    attendance_taken,
    became_eligible,
    ceased_eligible,
    convening_cancelled,
    convening_held,
    convening_rescheduled,
    convening_scheduled,
    innovation_registered,
    person_attended,
    registration_made,
    registration_withdrawn,
    stage_reached,
)
from tests.in_memory import InMemoryWriter

SPRING = "/v1/communities/rehabilitation/convenings/spring"
FORM = "/v1/communities/rehabilitation/feedback-forms/after"
INNOVATION = "/v1/innovations/gdm-health"
SCHEDULED = {"title": "Spring convening", "scheduled_on": "2019-03-01"}
ILLUSTRATIVE = {"kind": "illustrative", "words": "Made up to show adoption"}


class Service:
    """The service's API, and what it recorded."""

    def __init__(self, client: AsyncClient, writer: InMemoryWriter) -> None:
        self._client, self._writer = client, writer

    async def put(self, path: str, body: Mapping[str, Any] | None = None, **headers: str) -> Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self._client.put(path, json=dict(body or {}), headers=named)

    async def accept(self, path: str, body: Mapping[str, Any] | None = None) -> None:
        answer = await self.put(path, body)
        assert answer.status_code == 202, answer.text

    def recorded(self, stream: str = "convenings/community.rehabilitation") -> list[Fact]:
        return self._writer.in_stream(stream)


def no_engines(app: FastAPI) -> AbstractAsyncContextManager[Mapping[str, Any]]:
    return nullcontext({"checks": {}})


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    writer = InMemoryWriter()
    writer.knows(
        KnownCommunity(key="rehabilitation", founded=True),
        KnownPerson(key=ANNA, registered=True, affiliations={2: affiliation_began()}),
        KnownOrganisation(key="rj2", registered=True),
    )
    app = application("Convenings", no_engines)
    app.include_router(router)

    async def with_state(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "state": {"writes": writer}}, receive, send)

    async with AsyncClient(transport=ASGITransport(with_state), base_url="http://convenings") as client:
        yield Service(client, writer)


async def test_a_convening_goes_its_way_from_scheduled_to_attended(service: Service) -> None:
    await service.accept(SPRING, {**SCHEDULED, "capacity": 30, "reference": {"source": "tickets", "ref": "4711"}})
    await service.accept(f"{SPRING}/date", {"scheduled_on": "2019-04-01"})
    await service.accept(f"{SPRING}/registrations/{ANNA}", {"registered_on": "2019-02-01"})
    await service.accept(f"{SPRING}/registrations/{ANNA}/withdrawn", {"withdrawn_on": "2019-02-10"})
    await service.accept(f"{SPRING}/held", {"held_on": "2019-04-01"})
    await service.accept(f"{SPRING}/attendance/{ANNA}", {"minutes": 90})
    assert service.recorded() == [
        convening_scheduled(capacity=30),
        convening_rescheduled(scheduled_on="2019-04-01"),
        affiliation_began(),
        registration_made(),
        registration_withdrawn(),
        convening_held(held_on="2019-04-01"),
        attendance_taken(held_on="2019-04-01"),
        person_attended(attended_on="2019-04-01", minutes=90),
    ]


async def test_attendance_is_taken_although_nobody_came(service: Service) -> None:
    await service.accept(SPRING, SCHEDULED)
    await service.accept(f"{SPRING}/held", {"held_on": "2019-03-01"})
    await service.accept(f"{SPRING}/attendance")
    assert service.recorded()[-1] == attendance_taken()


async def test_a_convening_is_cancelled(service: Service) -> None:
    await service.accept(SPRING, SCHEDULED)
    await service.accept(f"{SPRING}/cancelled", {"cancelled_on": "2019-02-20", "reason": "Snow"})
    assert service.recorded()[-1] == convening_cancelled(reason="Snow")


async def test_the_answer_says_where_the_facts_stand_and_the_version_of_the_thing(service: Service) -> None:
    answer = await service.put(SPRING, SCHEDULED)
    assert answer.json() == {"positions": ["convenings/community.rehabilitation@1"], "unchanged": False}
    assert answer.headers["praxis-position"] == "convenings/community.rehabilitation@1"
    assert answer.headers["etag"] == '"1"'
    again = await service.put(SPRING, SCHEDULED)
    assert again.json() == {"positions": [], "unchanged": True}


async def test_registrations_do_not_disturb_an_edit_of_the_convening(service: Service) -> None:
    etag = (await service.put(SPRING, SCHEDULED)).headers["etag"]
    await service.accept(f"{SPRING}/registrations/{ANNA}", {"registered_on": "2019-02-01"})
    fresh = await service.put(f"{SPRING}/date", {"scheduled_on": "2019-04"}, If_Match=etag)
    assert fresh.status_code == 202
    stale = await service.put(f"{SPRING}/date", {"scheduled_on": "2019-05"}, If_Match=etag)
    assert stale.status_code == 412


async def test_a_refusal_is_a_problem_that_names_the_field_and_the_remedy(service: Service) -> None:
    await service.accept(SPRING, SCHEDULED)
    refused = await service.put(f"{SPRING}/attendance/{ANNA}")
    assert refused.status_code == 409
    assert refused.headers["content-type"] == "application/problem+json"
    problem = refused.json()
    assert problem["type"] == "/problems/not-held-yet"
    assert problem["errors"][0]["field"] == "convening"
    assert "say first that it was held" in problem["detail"]


async def test_what_is_not_known_is_named(service: Service) -> None:
    await service.accept(SPRING, SCHEDULED)
    await service.accept(INNOVATION, {"title": "GDm-Health"})
    eligible = {"eligible_from": "2018"}
    for path, body, field in [
        ("/v1/communities/elsewhere/convenings/spring", SCHEDULED, "community"),
        (f"{SPRING}/registrations/{BEN}", {"registered_on": "2019-02-01"}, "person"),
        (f"{INNOVATION}/eligible/rxf", eligible, "organisation"),
        ("/v1/innovations/other", {"title": "Other", "community_id": "elsewhere"}, "community_id"),
    ]:
        answer = await service.put(path, body)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (404, field)


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        (SPRING, {**SCHEDULED, "scheduled_on": "2019-02-30"}, "scheduled_on"),
        (SPRING, {**SCHEDULED, "capacity": 0}, "capacity"),
        (SPRING, {**SCHEDULED, "starts_at": "2019-03-01T10:00:00"}, "starts_at"),
        (SPRING, {**SCHEDULED, "colour": "red"}, "colour"),
        (f"{SPRING}/attendance/anna", {}, "person"),
        (f"{SPRING}/attendance/{ANNA}", {"minutes": 1441}, "minutes"),
        (f"{SPRING}/cancelled", {"cancelled_on": "2019-02"}, "cancelled_on"),
    ],
)
async def test_a_field_that_is_not_as_it_must_be_is_named(
    service: Service, path: str, body: Mapping[str, Any], field: str
) -> None:
    answer = await service.put(path, body)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_feedback_is_asked_for_and_given(service: Service) -> None:
    questions = [
        {"question_id": "useful", "text": "Was it useful?", "scale": "ordered", "answers": ["no", "yes"]},
        {"question_id": "recommend", "text": "Would you recommend it?", "scale": "recommendation"},
        {"question_id": "comments", "text": "What changed?", "scale": "words"},
    ]
    await service.accept(FORM, {"title": "Afterwards", "opened_on": "2019-03-01", "questions": questions})
    response = {
        "received_on": "2019-03-02",
        "answers": {"useful": "yes", "recommend": 9},
        "words": {"comments": "It changed how I work"},
    }
    await service.accept(f"{FORM}/responses/{ANNA}", response)
    fact = service.recorded("feedback/community.rehabilitation")[-1].model_dump(mode="json")
    assert fact["answers"] == [
        {"question_id": "useful", "answer": "yes"},
        {"question_id": "recommend", "answer": "9"},
    ]
    assert fact["in_words"] == ["comments"]
    assert "It changed" not in str(fact)


async def test_a_question_without_the_answers_that_its_scale_needs_is_refused(service: Service) -> None:
    questions = [{"question_id": "useful", "text": "Was it useful?", "scale": "ordered", "answers": ["yes"]}]
    answer = await service.put(FORM, {"title": "Afterwards", "opened_on": "2019-03-01", "questions": questions})
    assert answer.status_code == 422
    assert "two or more different answers" in answer.json()["detail"]


async def test_an_innovation_is_registered_and_adopted(service: Service) -> None:
    await service.accept(INNOVATION, {"title": "GDm-Health", "community_id": "rehabilitation"})
    await service.accept(f"{INNOVATION}/eligible/rj2", {"eligible_from": "2018", "eligible_until_on": "2022"})
    adopted = {"stage": "adopted", "reached_on": "2019", "source": ILLUSTRATIVE}
    await service.accept(f"{INNOVATION}/adoption/rj2", adopted)
    assert service.recorded("feedback/innovation.gdm-health") == [
        innovation_registered(community_id="rehabilitation"),
        became_eligible(),
        ceased_eligible(),
        stage_reached(),
    ]
