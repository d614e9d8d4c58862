"""A command over HTTP: from its headers to an envelope, from what was written to an answer."""

import hashlib
import uuid
from typing import Annotated, Any, Protocol, TypeVar

from fastapi import Depends, Header, Request, Response
from pydantic import BaseModel, Field

from shared.http import headers
from shared.writing.decider import Command, Decider, Key
from shared.writing.writer import Envelope, Written

C = TypeVar("C", bound=Command)
S = TypeVar("S")
A = TypeVar("A", bound="Accepted")


class Accepted(BaseModel):
    """What follows from a command is stored, and on its way to the views."""

    positions: list[str] = Field(
        description="Where its facts stand. Send them back as `Praxis-After` to read views that include them.",
        examples=[["membership/community.rehabilitation@41"]],
    )
    unchanged: bool = Field(description="All was as commanded already, or the command came again: nothing was added.")


class Writes(Protocol):
    """A writer, or somebody who is patient for it."""

    async def __call__(self, decider: Decider[C, S], key: Key, command: C, envelope: Envelope) -> Written: ...


class RequestWriter:
    """Carries one request's command out, and puts positions and ETag into its answer."""

    def __init__(self, writes: Writes, envelope: Envelope, response: Response) -> None:
        self._writes, self._envelope, self._response = writes, envelope, response

    async def __call__(self, decider: Decider[C, S], key: Key, command: C) -> Accepted:
        return await self.answering(Accepted, decider, key, command)

    async def answering(self, answer: type[A], decider: Decider[Any, Any], key: Key, command: Command) -> A:
        """As a call, with an answer that holds more than positions."""
        written = await self._writes(decider, key, command, self._envelope)
        told = self._response.headers
        if written.version:  # 0: the thing itself has no facts, so there is nothing to edit
            told["ETag"] = f'"{written.version}"'
        if written.positions:
            told[headers.POSITION] = headers.positions_text(written.positions)
        if written.replayed:
            told[headers.REPLAYED] = "true"
        positions = [str(position) for position in written.positions]
        return answer(positions=positions, unchanged=written.replayed or not positions, **written.answer)


async def _request_writer(
    request: Request,
    response: Response,
    idempotency_key: Annotated[
        str | None,
        Header(description='A quoted string, as in `"8e03978e"`: the same key returns the first answer.'),
    ] = None,
    if_match: Annotated[
        str | None, Header(description="The ETag that an edit is based on: 412 if it is stale.")
    ] = None,
    praxis_after: Annotated[str | None, Header(description="Positions that the command builds on.")] = None,
) -> RequestWriter:
    body = await request.body()
    digest = hashlib.sha256(f"{request.method} {request.url.path}?{request.url.query}\n".encode() + body).hexdigest()
    envelope = Envelope(
        idempotency_key=headers.parse_idempotency_key(idempotency_key) or str(uuid.uuid4()),
        digest=digest,
        expected_version=headers.parse_etag(if_match),
        after=headers.parse_positions(praxis_after),
    )
    return RequestWriter(request.state.writes, envelope, response)


CommandWriter = Annotated[RequestWriter, Depends(_request_writer)]
