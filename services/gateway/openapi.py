"""One OpenAPI description of the public door: its own views, and the commands of the services. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from services.gateway.contracts import PUBLIC, Document, commands

_REFERENCE = "#/components/schemas/"
_PROBLEM = "application/problem+json"
_NOT_ANSWERED = (
    "The service cannot be reached or did not answer in time. Send the command again under the same "
    "`Idempotency-Key`, which the problem names: it is carried out once."
)


def merged(own: Document, contracts: Mapping[str, Document]) -> dict[str, Any]:
    """The views of `own` and the commands of every service, with the schemas that they need.

    Where schemas of the same name differ, the later one bears its service's name too.
    """
    own = _tidy(own)
    paths: dict[str, dict[str, Any]] = {path: dict(item) for path, item in own.get("paths", {}).items()}
    schemas: dict[str, Any] = dict(_schemas(own))
    for service, contract in contracts.items():
        contract = _tidy(contract)
        offered = [o for o in commands(contract) if o.method.lower() not in paths.get(o.path, {})]
        needed = _needed([o.details for o in offered], _schemas(contract))
        names = _names(service, needed, schemas)
        schemas |= {names[name]: _renamed(schema, names) for name, schema in needed.items()}
        for operation in offered:
            details = _passed_on(_renamed(operation.details, names))
            paths.setdefault(operation.path, {})[operation.method.lower()] = details
    public = {path: item for path, item in paths.items() if path.startswith(PUBLIC)}
    for path, item in public.items():
        paths[path] = {method: _listed(path, details) for method, details in item.items()}
    tags = [{"name": name} for name in dict.fromkeys(map(noun, public))]
    return {**own, "paths": paths, "components": {**own.get("components", {}), "schemas": schemas}, "tags": tags}


def noun(path: str) -> str:
    """The noun that an address is listed under: what it holds of a community, or else its first word."""
    words = path.strip("/").split("/")[1:]
    of_a_community = words[0] == "communities" and len(words) > 3 and words[3].startswith("{")
    return (words[2] if of_a_community else words[0]).replace("-", " ")


def _listed(path: str, operation: dict[str, Any]) -> dict[str, Any]:
    return operation | {"tags": [noun(path)], "responses": _with_problems(operation.get("responses", {}))}


def _passed_on(operation: dict[str, Any]) -> dict[str, Any]:
    """With what the door itself may answer."""
    responses: dict[str, Any] = operation.get("responses", {})
    away = {**responses.get("4XX", {}), "description": _NOT_ANSWERED}
    return operation | {"responses": {**responses, "503": away}}


def _with_problems(responses: Mapping[str, Any]) -> dict[str, Any]:
    """Where a problem is described, it is so under its own media type only: FastAPI adds JSON's."""
    told = dict(responses)
    for status, response in responses.items():
        content = response.get("content", {})
        if _PROBLEM in content:
            told[status] = response | {"content": {_PROBLEM: content[_PROBLEM] or content.get("application/json", {})}}
    return told


def _schemas(document: Document) -> Mapping[str, Any]:
    schemas: Mapping[str, Any] = document.get("components", {}).get("schemas", {})
    return schemas


def _tidy(document: Document) -> Document:
    """With schemas called `PeopleRegister` that pydantic, which tells two `Register` apart by their modules, calls
    `services__membership__domain__people__Register`."""
    parts = {name: ["", *name.split("__")][-2:] for name in _schemas(document)}
    names = {name: module.capitalize() + model for name, (module, model) in parts.items()}
    tidy = _renamed(dict(document), names)
    schemas = {names[name]: schema for name, schema in _schemas(tidy).items()}
    return {**tidy, "components": {**tidy.get("components", {}), "schemas": schemas}}


def _needed(what: Any, schemas: Mapping[str, Any]) -> dict[str, Any]:
    """The schemas that something refers to, and that those refer to in turn."""
    needed: dict[str, Any] = {}
    pending = list(_references(what))
    while pending:
        name = pending.pop()
        if name in schemas and name not in needed:
            needed[name] = schemas[name]
            pending += _references(schemas[name])
    return needed


def _references(part: Any) -> Iterator[str]:
    match part:
        case str() if part.startswith(_REFERENCE):
            yield part.removeprefix(_REFERENCE)
        case dict():
            for value in part.values():
                yield from _references(value)
        case list():
            for value in part:
                yield from _references(value)
        case _:
            pass


def _names(service: str, needed: Mapping[str, Any], taken: Mapping[str, Any]) -> dict[str, str]:
    """What its schemas are called among the others. One that refers to a renamed one differs as well."""
    clashing = {name for name, schema in needed.items() if taken.get(name, schema) != schema}
    while True:
        more = {
            name
            for name, schema in needed.items()
            if name in taken and name not in clashing and clashing.intersection(_references(schema))
        }
        if not more:
            break
        clashing |= more
    return {name: f"{service.capitalize()}{name}" if name in clashing else name for name in needed}


def _renamed(part: Any, names: Mapping[str, str]) -> Any:
    match part:
        case str() if part.startswith(_REFERENCE):
            name = part.removeprefix(_REFERENCE)
            return _REFERENCE + names.get(name, name)
        case dict():
            return {key: _renamed(value, names) for key, value in part.items()}
        case list():
            return [_renamed(value, names) for value in part]
        case _:
            return part
