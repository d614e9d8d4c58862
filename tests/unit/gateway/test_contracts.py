from typing import Any

from services.gateway.contracts import Routes, commands, operations


def contract(*taken: str) -> dict[str, Any]:
    """`contract("PUT /v1/people/{person}")`"""
    paths: dict[str, dict[str, Any]] = {}
    for one in taken:
        method, path = one.split()
        paths.setdefault(path, {})[method.lower()] = {"operationId": one}
    return {"openapi": "3.1.0", "paths": paths}


ROUTES = Routes(
    {
        "gateway": operations(contract("GET /v1/communities/{community}", "GET /v1/measures")),
        "membership": commands(
            contract(
                "PUT /v1/communities/{community}",
                "PUT /v1/communities/{community}/members/{person}",
                "PUT /v1/communities/{community}/members/{person}/left",
                "POST /v1/people",
                "GET /v1/people/{person}",
                "PUT /internal/people/{person}",
            )
        ),
        "convenings": commands(
            contract(
                "PUT /v1/communities/{community}/convenings/{convening}",
                "PUT /v1/communities/{community}/members/known",
                "PUT /v1/communities/{of}",
            )
        ),
    }
)


def test_a_command_belongs_to_the_service_whose_contract_has_it() -> None:
    assert ROUTES.owner("PUT", "/v1/communities/x") == "membership"
    assert ROUTES.owner("PUT", "/v1/communities/x/members/y") == "membership"
    assert ROUTES.owner("PUT", "/v1/communities/x/convenings/y") == "convenings"
    assert ROUTES.owner("POST", "/v1/people") == "membership"


def test_a_word_goes_before_a_parameter() -> None:
    assert ROUTES.owner("PUT", "/v1/communities/x/members/known") == "convenings"


def test_an_id_is_never_empty_and_never_holds_a_slash() -> None:
    assert ROUTES.owner("PUT", "/v1/communities/") is None
    assert ROUTES.owner("PUT", "/v1/communities//members/y") is None
    assert ROUTES.owner("PUT", "/v1/communities/x/") is None
    assert ROUTES.owner("PUT", "/v1/communities/x/members/y/z") is None


def test_what_reads_and_what_is_not_public_is_not_passed_on() -> None:
    assert ROUTES.owner("GET", "/v1/people/x") is None
    assert ROUTES.owner("PUT", "/internal/people/x") is None


def test_an_address_knows_its_methods_whoever_takes_them() -> None:
    assert ROUTES.methods("/v1/communities/x") == {"GET", "PUT"}
    assert ROUTES.methods("/v1/measures") == {"GET"}
    assert ROUTES.methods("/v1/nothing") == set()
