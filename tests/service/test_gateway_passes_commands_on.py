import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import aiohttp
import httpx
import pytest
from fastapi import Response

from tests.service.gateway_serving import NOWHERE, Service, breaking, gateway, served, until_read

JOIN = "/v1/communities/{community}/members/{person}"
HOLD = "/v1/communities/{community}/convenings/{convening}/held"


@pytest.fixture
def membership() -> Service:
    return Service((JOIN, "/v1/communities/{community}"))


@pytest.fixture
def convenings() -> Service:
    return Service((HOLD,))


@pytest.fixture
async def client(
    membership: Service, convenings: Service, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        served(membership.app()) as one,
        served(convenings.app()) as other,
        gateway(monkeypatch, [one], [other]) as client,
    ):
        await until_read(client)
        yield client


async def test_a_command_goes_to_the_service_that_takes_it(
    client: httpx.AsyncClient, membership: Service, convenings: Service
) -> None:
    assert (await client.put("/v1/communities/x/members/y", json={"role": "member"})).status_code == 202
    assert (await client.put("/v1/communities/x/convenings/y/held", json={})).status_code == 202
    assert [seen.target for seen in membership.seen] == ["/v1/communities/x/members/y"]
    assert [seen.target for seen in convenings.seen] == ["/v1/communities/x/convenings/y/held"]
    assert membership.seen[0].body == b'{"role":"member"}'


async def test_its_headers_go_along(client: httpx.AsyncClient, membership: Service) -> None:
    sent = {
        "Idempotency-Key": '"8e03978e"',
        "If-Match": '"41"',
        "Praxis-After": "membership/community.x@41",
        "Content-Type": "application/json; charset=utf-8",
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    }
    await client.put("/v1/communities/x", content=b"{}", headers=sent | {"Cookie": "a=b"})
    (seen,) = membership.seen
    traceparent = sent.pop("traceparent")
    assert {name: seen.headers[name] for name in sent} == sent
    assert seen.headers["traceparent"][:36] == traceparent[:36]
    assert "Cookie" not in seen.headers


async def test_a_command_without_a_key_is_given_one_of_its_own(client: httpx.AsyncClient, membership: Service) -> None:
    await client.put("/v1/communities/x", json={})
    await client.put("/v1/communities/x", json={})
    first, second = (seen.headers["Idempotency-Key"] for seen in membership.seen)
    assert first != second
    assert first[0] == first[-1] == '"'


async def test_the_answer_comes_back(client: httpx.AsyncClient, membership: Service) -> None:
    told = {
        "Praxis-Position": "membership/community.x@41, membership/person.y@3",
        "ETag": '"41"',
        "Idempotent-Replayed": "true",
        "Retry-After": "7",
        "Content-Type": "application/problem+json",
    }
    membership.answer = lambda seen: Response(b'{"a": 1}', 409, told | {"X-Inside": "no"})
    answer = await client.put("/v1/communities/x", json={})
    assert answer.status_code == 409
    assert answer.content == b'{"a": 1}'
    assert {name: answer.headers[name] for name in told} == told
    assert "X-Inside" not in answer.headers


async def test_the_address_is_passed_on_as_it_was_sent(client: httpx.AsyncClient, membership: Service) -> None:
    for target in ("/v1/communities/a%20b?x=1&y=%2F", "/v1/communities/..", "/v1/communities/%2e%2e"):
        await client.put(httpx.URL(str(client.base_url).rstrip("/") + target), json={})
    assert membership.seen[0].target == "/v1/communities/a%20b?x=1&y=%2F"
    assert all(seen.target.startswith("/v1/communities/") for seen in membership.seen)


async def test_what_nobody_takes_is_not_found(client: httpx.AsyncClient) -> None:
    for method, path in (("PUT", "/v1/nothing/x"), ("GET", "/v1/nothing"), ("PUT", "/nothing"), ("POST", "/v1/")):
        answer = await client.request(method, path)
        assert answer.status_code == 404
        assert answer.json()["type"] == "/problems/http-404"


async def test_another_method_is_told_which_are_taken(client: httpx.AsyncClient) -> None:
    for method in ("GET", "DELETE", "POST"):
        answer = await client.request(method, "/v1/communities/x/members/y")
        assert (answer.status_code, answer.headers["Allow"]) == (405, "PUT")


async def test_what_is_too_large_never_reaches_a_service(client: httpx.AsyncClient, membership: Service) -> None:
    answer = await client.put("/v1/communities/x", content=b"x" * (1024 * 1024 + 1))
    assert answer.status_code == 413
    assert membership.seen == []


async def test_hundreds_at_once(client: httpx.AsyncClient, membership: Service) -> None:
    async def put(http: aiohttp.ClientSession, community: int) -> int:
        async with http.put(f"{client.base_url}/v1/communities/c{community}", json={}) as answer:
            return answer.status

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        assert set(await asyncio.gather(*(put(http, n) for n in range(300)))) == {202}
    assert len(membership.seen) == 300


async def test_a_communitys_commands_go_to_one_replica_and_communities_to_all(
    membership: Service, convenings: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = Service(membership.paths)
    async with (
        served(membership.app()) as one,
        served(second.app()) as two,
        served(convenings.app()) as other,
        gateway(monkeypatch, [one, two], [other]) as client,
    ):
        await until_read(client)
        for community in range(20):
            for person in range(3):
                await client.put(f"/v1/communities/c{community}/members/p{person}", json={})
    taken = [{seen.target.split("/")[3] for seen in service.seen} for service in (membership, second)]
    assert taken[0].isdisjoint(taken[1])
    assert all(taken)
    assert len(membership.seen) + len(second.seen) == 60


async def test_where_a_replica_is_away_the_next_takes_its_commands(
    membership: Service, convenings: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        served(membership.app()) as one,
        served(convenings.app()) as other,
        gateway(monkeypatch, [NOWHERE, one], [other]) as client,
    ):
        await until_read(client)
        answers = [await client.put(f"/v1/communities/c{n}", json={}) for n in range(20)]
    assert {answer.status_code for answer in answers} == {202}
    assert len(membership.seen) == 20


async def test_where_the_connection_breaks_off_the_same_command_is_sent_once_more(
    membership: Service, convenings: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        breaking(1, membership.app()) as one,
        served(convenings.app()) as other,
        gateway(monkeypatch, [one], [other]) as client,
    ):
        await until_read(client)
        answer = await client.put("/v1/communities/x", json={"title": "X"}, headers={"Idempotency-Key": '"k"'})
    assert answer.status_code == 202
    (seen,) = membership.seen
    assert (seen.headers["Idempotency-Key"], seen.body) == ('"k"', b'{"title":"X"}')


async def test_where_it_breaks_off_again_the_caller_is_told_that_the_outcome_is_unknown(
    membership: Service, convenings: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        breaking(9, membership.app()) as one,
        breaking(9, membership.app()) as two,
        served(convenings.app()) as other,
        gateway(monkeypatch, [one, two], [other]) as client,
    ):
        await until_read(client)
        answer = await client.put("/v1/communities/x", json={})
    problem = answer.json()
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert problem["type"] == "/problems/outcome-unknown"
    assert problem["service"] == "membership"
    assert problem["idempotency_key"].strip('"')
    assert "same Idempotency-Key" in problem["detail"]


async def test_where_a_service_takes_too_long_the_caller_is_told_that_the_outcome_is_unknown(
    membership: Service, convenings: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    membership.takes = timedelta(seconds=0.6)
    async with (
        served(membership.app()) as one,
        served(convenings.app()) as other,
        gateway(monkeypatch, [one], [other], command_timeout="PT0.2S") as client,
    ):
        await until_read(client)
        answer = await client.put("/v1/communities/x", json={}, headers={"Idempotency-Key": '"k"'})
    assert answer.status_code == 503
    assert answer.json()["type"] == "/problems/outcome-unknown"
    assert answer.json()["idempotency_key"] == '"k"'


async def test_a_service_that_has_gone_is_named(
    membership: Service, convenings: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(convenings.app()) as other:
        async with served(membership.app()) as one:
            going = gateway(monkeypatch, [one], [other])
            client = await going.__aenter__()
            await until_read(client)
        answer = await client.put("/v1/communities/x", json={})
        still = await client.put("/v1/communities/x/convenings/y/held", json={})
        ready = (await client.get("/health/ready")).json()["waiting_for"]
        await going.__aexit__(None, None, None)
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/service-out-of-reach")
    assert answer.json()["service"] == "membership"
    assert "Retry-After" in answer.headers
    assert still.status_code == 202
    assert not any("contract" in reason for reason in ready)
