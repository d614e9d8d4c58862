import re
from typing import Any

from openapi_spec_validator import validate

from services.gateway.openapi import merged, noun

PROBLEM = {"type": "object", "properties": {"detail": {"type": "string"}}}


def operation(path: str, **more: Any) -> dict[str, Any]:
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", path)
    ]
    return {"parameters": parameters, "responses": {"202": {"description": "Accepted"}}} | more


def contract(*paths: str, **fields: str) -> dict[str, Any]:
    """Of a service that takes PUT at these paths, with a body whose items have these fields."""

    def put(path: str) -> dict[str, Any]:
        refused = {"description": "Refused", "content": {"application/problem+json": {"schema": ref("Problem")}}}
        responses = {"202": {"description": "Accepted"}, "4XX": refused}
        body = {"content": {"application/json": {"schema": ref("Request")}}}
        return operation(path, requestBody=body, responses=responses)

    item = {"type": "object", "properties": {name: {"type": kind} for name, kind in fields.items()}}
    request = {"type": "object", "properties": {"items": {"type": "array", "items": ref("Item")}}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "A service", "version": "1"},
        "paths": {path: {"put": put(path)} for path in paths},
        "components": {"schemas": {"Request": request, "Item": item, "Problem": PROBLEM}},
    }


def ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


COMMUNITY = "/v1/communities/{community}"
OWN = {
    "openapi": "3.1.0",
    "info": {"title": "Praxis", "version": "1"},
    "paths": {COMMUNITY: {"get": operation(COMMUNITY)}},
}


def test_views_and_commands_at_one_address_stand_side_by_side() -> None:
    document = merged(OWN, {"membership": contract(COMMUNITY, name="string")})
    assert set(document["paths"][COMMUNITY]) == {"get", "put"}


def test_schemas_that_are_the_same_are_there_once() -> None:
    both = {
        "membership": contract("/v1/people/{person}", name="string"),
        "convenings": contract("/v1/rooms/{room}", name="string"),
    }
    assert set(merged(OWN, both)["components"]["schemas"]) == {"Item", "Request", "Problem"}


def test_schemas_that_differ_bear_their_services_name_and_so_do_those_that_refer_to_them() -> None:
    both = {
        "membership": contract("/v1/people/{person}", name="string"),
        "convenings": contract("/v1/rooms/{room}", seats="integer"),
    }
    document = merged(OWN, both)
    schemas = document["components"]["schemas"]
    assert set(schemas["Item"]["properties"]) == {"name"}
    assert set(schemas["ConveningsItem"]["properties"]) == {"seats"}
    assert schemas["ConveningsRequest"]["properties"]["items"]["items"] == ref("ConveningsItem")
    body = document["paths"]["/v1/rooms/{room}"]["put"]["requestBody"]
    assert body["content"]["application/json"]["schema"] == ref("ConveningsRequest")
    assert "ConveningsProblem" not in schemas


def test_what_is_not_public_is_not_described_and_neither_are_its_schemas() -> None:
    document = merged(OWN, {"membership": contract("/internal/{x}", name="string")})
    assert set(document["paths"]) == set(OWN["paths"])
    assert document["components"]["schemas"] == {}


def test_it_is_valid_openapi() -> None:
    both = {
        "membership": contract("/v1/people/{person}", COMMUNITY, name="string"),
        "convenings": contract("/v1/communities/{community}/convenings/{convening}", seats="integer"),
    }
    document = merged(OWN, both)
    assert document["openapi"].startswith("3.1")
    validate(document)


def test_an_address_is_listed_under_its_noun() -> None:
    assert noun("/v1/communities/{community}") == "communities"
    assert noun("/v1/communities/{community}/closed") == "communities"
    assert noun("/v1/communities/{community}/members/{person}/left") == "members"
    assert noun("/v1/communities/{community}/feedback-forms/{form}/responses/{response}") == "feedback forms"
    assert noun("/v1/people/{person}/affiliations/{affiliation}") == "people"


def test_the_tags_are_the_nouns_in_order() -> None:
    document = merged(OWN, {"membership": contract("/v1/communities/{c}/members/{p}", name="string")})
    assert [tag["name"] for tag in document["tags"]] == ["communities", "members"]
    assert document["paths"]["/v1/communities/{c}/members/{p}"]["put"]["tags"] == ["members"]


def test_a_model_is_not_called_by_its_folders() -> None:
    people = contract("/v1/people/{person}", name="string")
    people["components"]["schemas"]["services__membership__domain__people__Request"] = people["components"][
        "schemas"
    ].pop("Request")
    body = {"content": {"application/json": {"schema": ref("services__membership__domain__people__Request")}}}
    people["paths"]["/v1/people/{person}"]["put"]["requestBody"] = body
    document = merged(OWN, {"membership": people})
    assert set(document["components"]["schemas"]) == {"PeopleRequest", "Item", "Problem"}
    validate(document)


def test_a_problem_is_described_under_its_own_media_type() -> None:
    people = contract("/v1/people/{person}", name="string")
    as_fastapi_does = {"application/problem+json": {}, "application/json": {"schema": ref("Problem")}}
    people["paths"]["/v1/people/{person}"]["put"]["responses"]["4XX"]["content"] = as_fastapi_does
    responses = merged(OWN, {"membership": people})["paths"]["/v1/people/{person}"]["put"]["responses"]
    assert responses["4XX"]["content"] == {"application/problem+json": {"schema": ref("Problem")}}
    assert responses["503"]["content"] == responses["4XX"]["content"]
