import re
from typing import Any

import httpx
import pytest
from openapi_spec_validator import validate

from services.gateway import reader
from tests.service.gateway_serving import NOWHERE, Service, gateway, served, until_read

CLOSE = "/v1/communities/{community}/closed"


async def test_it_lives_though_services_and_engines_are_away_and_says_what_it_waits_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with gateway(monkeypatch, [NOWHERE], [NOWHERE]) as client:
        assert (await client.get("/health/live")).status_code == 200
        ready = await client.get("/health/ready")
        command = await client.put("/v1/communities/x", json={})
    assert ready.status_code == 503
    assert "membership: its contract has not been read yet" in ready.json()["waiting_for"]
    assert any(reason.startswith("mongo:") for reason in ready.json()["waiting_for"])
    assert (command.status_code, command.json()["type"]) == (503, "/problems/contract-unknown")
    assert command.json()["services"] == ["membership", "convenings"]


async def test_what_a_service_takes_appears_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "AT_MOST_EVERY_S", 0.0)
    old, new = Service(("/v1/communities/{community}",)), Service(("/v1/communities/{community}", CLOSE))
    app = old.app()
    async with served(app) as one, served(Service(()).app()) as other, gateway(monkeypatch, [one], [other]) as client:
        await until_read(client)
        before = await client.put("/v1/communities/x/closed", json={})
        app.router.routes[:] = new.app().router.routes
        after = await client.put("/v1/communities/x/closed", json={})
        document = await described(client)
    assert (before.status_code, after.status_code) == (404, 202)
    assert CLOSE in document["paths"]


async def test_contracts_are_not_read_for_every_unknown_path(monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service(())
    app = service.app()
    read = 0

    @app.middleware("http")
    async def counted(request: Any, call_next: Any) -> Any:
        nonlocal read
        read += 1
        return await call_next(request)

    async with served(app) as one, served(Service(()).app()) as other, gateway(monkeypatch, [one], [other]) as client:
        await until_read(client)
        for number in range(50):
            assert (await client.put(f"/v1/nothing/{number}")).status_code == 404
    assert read <= 3


async def test_the_description_is_valid_and_holds_views_and_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = Service((CLOSE,)), Service(("/v1/innovations/{innovation}",))
    async with served(one.app()) as a, served(other.app()) as b, gateway(monkeypatch, [a], [b]) as client:
        await until_read(client)
        document = await described(client)
    validate(document)
    assert {CLOSE, "/v1/innovations/{innovation}"} <= set(document["paths"])
    assert {"communities", "innovations"} <= {tag["name"] for tag in document["tags"]}
    assert "503" in document["paths"][CLOSE]["put"]["responses"]


async def test_the_docs_need_no_other_host(monkeypatch: pytest.MonkeyPatch) -> None:
    async with gateway(monkeypatch, [NOWHERE], [NOWHERE]) as client:
        docs = await client.get("/docs")
        asked = re.findall(r'(?:src|href)="([^"#]+)"', docs.text)
        answers = [(await client.get(address)).status_code for address in asked]
        script = (await client.get("/static/docs.js")).text
    assert docs.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert len(asked) >= 4
    assert all(address.startswith("/") and not address.startswith("//") for address in asked)
    assert answers == [200] * len(asked)
    assert "//" not in script


async def described(client: httpx.AsyncClient) -> dict[str, Any]:
    document: dict[str, Any] = (await client.get("/openapi.json")).json()
    return document
