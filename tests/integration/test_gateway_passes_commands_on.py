"""The gateway before the real services: their contracts as they are, their answers as they come."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from openapi_spec_validator import validate

from deploy.local.system import System

ORGANISATION = {"kind": "charity", "name": "A charity"}


@pytest.fixture
async def client(system: System) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{system.ports.gateway}", timeout=20) as client:
        yield client


@pytest.fixture
def name() -> str:
    """Of something that nobody else has."""
    return f"t-{uuid.uuid4()}"


async def test_a_command_is_carried_out_once_under_its_key(client: httpx.AsyncClient, name: str) -> None:
    headers = {"Idempotency-Key": f'"{uuid.uuid4()}"'}
    first = await client.put(f"/v1/organisations/{name}", json=ORGANISATION, headers=headers)
    again = await client.put(f"/v1/organisations/{name}", json=ORGANISATION, headers=headers)
    other = await client.put(f"/v1/organisations/{name}", json=ORGANISATION | {"name": "B"}, headers=headers)
    assert (first.status_code, again.status_code, other.status_code) == (202, 202, 422)
    assert first.headers["Praxis-Position"] == f"membership/organisation.{name}@1"
    assert first.json()["positions"] == [f"membership/organisation.{name}@1"]
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["ETag"] == first.headers["ETag"]


async def test_a_refusal_of_a_service_comes_back_as_it_is(client: httpx.AsyncClient, name: str) -> None:
    answer = await client.put(f"/v1/organisations/{name}", json={"kind": "no such kind", "name": "A"})
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "kind"


async def test_a_convening_can_be_scheduled_in_a_community_that_was_only_just_founded(
    client: httpx.AsyncClient, name: str
) -> None:
    founded = await client.put(f"/v1/communities/{name}", json={"title": "A community", "kind": "practice"})
    scheduled = await client.put(
        f"/v1/communities/{name}/convenings/first",
        json={"title": "The first", "scheduled_on": "2030-01-31"},
        headers={"Praxis-After": founded.headers["Praxis-Position"]},
    )
    assert (founded.status_code, scheduled.status_code) == (202, 202), scheduled.text
    assert scheduled.headers["Praxis-Position"] == f"convenings/community.{name}@1"


async def test_hundreds_of_commands_at_once_are_all_carried_out(client: httpx.AsyncClient, name: str) -> None:
    async def found(number: int) -> int:
        return (await client.put(f"/v1/organisations/{name}-{number}", json=ORGANISATION)).status_code

    assert set(await asyncio.gather(*map(found, range(100)))) == {202}


async def test_the_description_is_of_the_views_and_of_all_commands_and_is_valid(client: httpx.AsyncClient) -> None:
    document: dict[str, Any] = (await client.get("/openapi.json")).json()
    validate(document)
    offered = {f"{method} {path}" for path, item in document["paths"].items() for method in item}
    assert {
        "get /v1/measures",
        "put /v1/communities/{community}",
        "put /v1/communities/{community}/convenings/{convening}",
        "post /v1/people",
    } <= offered


async def test_the_page_of_achievements_is_served(client: httpx.AsyncClient) -> None:
    page = await client.get("/")
    assert page.status_code == 200
    assert "What the communities have achieved" in page.text
    assert "<script" not in page.text
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
