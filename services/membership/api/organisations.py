"""Organisations over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from services.membership.domain.organisations import (
    JoinBoard,
    JoinNetwork,
    OrganisationCommand,
    Register,
    Rename,
    Situation,
)
from shared.events.words import OrganisationId
from shared.http.commands import Accepted, CommandWriter
from shared.writing.decider import Decider

router = APIRouter(prefix="/organisations/{organisation}", tags=["organisations"])


async def _organisations(request: Request) -> Decider[OrganisationCommand, Situation]:
    rules: Decider[OrganisationCommand, Situation] = request.state.organisations
    return rules


Organisations = Annotated[Decider[OrganisationCommand, Situation], Depends(_organisations)]


@router.put("", status_code=202)
async def register(
    organisation: OrganisationId, body: Register, write: CommandWriter, organisations: Organisations
) -> Accepted:
    """Register an organisation; its name may be left out where its ODS code gives it."""
    return await write(organisations, (organisation, body.ods_code), body)


@router.put("/name", status_code=202)
async def rename(
    organisation: OrganisationId, body: Rename, write: CommandWriter, organisations: Organisations
) -> Accepted:
    """Give it another name from a date on; its id and its code stay."""
    return await write(organisations, (organisation,), body)


@router.put("/board", status_code=202)
async def join_board(
    organisation: OrganisationId, body: JoinBoard, write: CommandWriter, organisations: Organisations
) -> Accepted:
    """Record the integrated care board that it came under."""
    return await write(organisations, (organisation, None, body.board_id), body)


@router.put("/network", status_code=202)
async def join_network(
    organisation: OrganisationId, body: JoinNetwork, write: CommandWriter, organisations: Organisations
) -> Accepted:
    """Record that it became a member organisation of the network."""
    return await write(organisations, (organisation,), body)
