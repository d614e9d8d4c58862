"""Every error is a problem (RFC 9457) that names the field and the remedy."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from pymongo.errors import BulkWriteError, PyMongoError, WriteError
from starlette.exceptions import HTTPException

from shared.events.words import IN_WORDS
from shared.refusals import Refusal, Unavailable

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"


class FieldProblem(BaseModel):
    field: str
    detail: str


class Problem(BaseModel):
    """What went wrong (RFC 9457), as documented for every operation."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["/problems/already-member"])
    title: str
    status: int
    detail: str
    instance: str
    errors: list[FieldProblem] = []


def problem(
    request: Request,
    status: int,
    title: str,
    detail: str,
    *,
    name: str,
    errors: Sequence[FieldProblem] = (),
    headers: Mapping[str, str] | None = None,
    **data: Any,
) -> JSONResponse:
    body = Problem(
        type=f"/problems/{name}",
        title=title,
        status=status,
        detail=detail,
        instance=request.url.path,
        errors=list(errors),
        **data,
    )
    return JSONResponse(body.model_dump(mode="json"), status, headers, MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Answer every error of this app with a problem."""
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(PyMongoError, _database_away)
    for refused in (WriteError, BulkWriteError):  # it is there, and will not have what it was given: do not come again
        app.add_exception_handler(refused, _unexpected)
    app.add_exception_handler(Exception, _unexpected)
    app.router.responses = {"4XX": {"model": Problem, "description": "Refused", "content": {MEDIA_TYPE: {}}}}


def named(kind: type[Exception]) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "-", kind.__name__).lower()


async def _refused(request: Request, refusal: Exception) -> JSONResponse:
    assert isinstance(refusal, Refusal)
    headers = {"Retry-After": str(refusal.retry_after)} if isinstance(refusal, Unavailable) else None
    errors = [FieldProblem(field=refusal.field, detail=refusal.detail)] if refusal.field else []
    return problem(
        request,
        refusal.status,
        refusal.title,
        refusal.detail,
        name=named(type(refusal)),
        errors=errors,
        headers=headers,
        **refusal.data,
    )


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    if any(one["type"] == "json_invalid" for one in found):
        where = found[0]["loc"][-1]
        detail = (
            f"The body is not JSON: {found[0].get('ctx', {}).get('error', 'it cannot be read')}, at character {where}"
        )
        return problem(
            request,
            400,
            "The body cannot be read",
            detail,
            name="not-json",
            errors=[FieldProblem(field="body", detail=detail)],
        )
    errors = [FieldProblem(field=_field(one["loc"]), detail=_in_words(one, request)) for one in found]
    detail = "; ".join(f"{one.field}: {one.detail}" for one in errors)
    return problem(request, 422, "Some fields are not as they must be", detail, name="invalid-fields", errors=errors)


def _in_words(error: Mapping[str, Any], request: Request) -> str:
    """What is wrong with a field, for people: ids by their rule, and a body that was not sent as JSON as just that."""
    if error["type"] == "string_pattern_mismatch":
        return IN_WORDS.get(error["ctx"]["pattern"], str(error["msg"]))
    if error["type"] == "string_too_short" and error["ctx"]["min_length"] == 1:
        return "It is empty: say something"
    if error["loc"] == ("body",) and not request.headers.get("content-type", "").startswith("application/json"):
        return "Send it as JSON, with the header Content-Type: application/json"
    return str(error["msg"]).removeprefix("Value error, ")


def _field(location: Sequence[int | str]) -> str:
    """`body.members.0.role` -> `members.0.role`; a path or header parameter by its own name."""
    return ".".join(str(part) for part in location[1:]) or str(location[0])


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    remedies = {
        404: "There is nothing at this address: /docs lists what there is",
        405: "This address takes other methods: see /docs",
    }
    detail = (
        remedies.get(error.status_code, str(error.detail))
        if error.detail in ("Not Found", "Method Not Allowed")
        else str(error.detail)
    )
    return problem(
        request,
        error.status_code,
        str(error.detail),
        detail,
        name=f"http-{error.status_code}",
        errors=[FieldProblem(field="body", detail=detail)] if error.status_code == 400 else [],
        headers=error.headers,
    )


async def _database_away(request: Request, error: Exception) -> JSONResponse:
    log.warning("database.out_of_reach", reason=str(error))
    return await _refused(
        request,
        Unavailable("The database cannot be reached just now: nothing was read, come again", retry_after=2),
    )


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    log.error("request.failed", path=request.url.path, exc_info=error)
    detail = "This is a fault of ours: it is logged under the trace id in the `traceparent` header of this answer"
    return problem(request, 500, "Something went wrong here", detail, name="unexpected")
