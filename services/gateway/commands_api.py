"""The public door for commands: each goes to the service whose contract takes it, and its answer comes back."""

import uuid

from fastapi import Request, Response
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route
from starlette.types import Scope

from services.gateway.contracts import COMMAND_METHODS, PUBLIC
from services.gateway.courier import Courier, Parcel
from services.gateway.reader import Contracts
from services.gateway.replicas import Service, stream_of
from shared import telemetry
from shared.http import headers
from shared.refusals import Unavailable

KEY = "Idempotency-Key"
PASSED_ON = ("If-Match", headers.AFTER, "Content-Type")
PASSED_BACK = (headers.POSITION, "ETag", headers.REPLAYED, "Retry-After", "Content-Type")


class ContractUnknown(Unavailable):
    """Whether there is such a command is not known yet."""


class Commands(Route):
    """Stands before the views, so that a command is not compared with each of them, and is no match for a view."""

    def __init__(self) -> None:
        super().__init__(f"{PUBLIC}{{path:path}}", pass_on, methods=COMMAND_METHODS, include_in_schema=False)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, found = super().matches(scope)
        return (match, found) if match is Match.FULL else (Match.NONE, {})


async def pass_on(request: Request) -> Response:
    """Take a command to its service, and its answer back."""
    courier: Courier = request.state.courier
    service = await _taker(request)
    key = request.headers.get(KEY) or f'"{uuid.uuid4()}"'
    target = request.scope["raw_path"].decode("ascii")
    query = request.scope["query_string"].decode("ascii")
    passed_on = {name: value for name in PASSED_ON if (value := request.headers.get(name)) is not None}
    reply = await courier.carry(
        service,
        Parcel(
            method=request.method,
            target=f"{target}?{query}" if query else target,
            headers=passed_on | {KEY: key, "traceparent": telemetry.current()},
            body=await request.body(),
            stream=stream_of(request.scope["path"]) or key,
            idempotency_key=key,
        ),
    )
    passed_back = {name: value for name in PASSED_BACK if (value := reply.headers.get(name)) is not None}
    return Response(reply.body, reply.status, passed_back)


async def nothing_here(request: Request) -> Response:
    """Answers whatever is neither a command nor a view; stands last."""
    contracts: Contracts = request.state.contracts
    raise _not_offered(contracts, request.scope["path"])


async def _taker(request: Request) -> Service:
    contracts: Contracts = request.state.contracts
    services: dict[str, Service] = request.state.services
    method, path = request.method, request.scope["path"]
    owner = contracts.routes.owner(method, path)
    if owner is None:
        await contracts.refresh()
        owner = contracts.routes.owner(method, path)
    if owner is not None:
        return services[owner]
    if contracts.unread:
        missing = " and ".join(contracts.unread)
        raise ContractUnknown(f"The contract of {missing} has not been read yet: come again", services=contracts.unread)
    raise _not_offered(contracts, path)


def _not_offered(contracts: Contracts, path: str) -> HTTPException:
    methods = contracts.routes.methods(path)
    return HTTPException(405, headers={"Allow": ", ".join(sorted(methods))}) if methods else HTTPException(404)
