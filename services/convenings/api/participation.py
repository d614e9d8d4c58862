"""Registration and attendance over HTTP."""

from fastapi import APIRouter

from services.convenings.domain.participation import Attend, Register, Withdraw, participations
from shared.events.words import CommunityId, ConveningId, PersonId
from shared.http.commands import Accepted, CommandWriter

router = APIRouter(prefix="/communities/{community}/convenings/{convening}", tags=["participation"])


@router.put("/registrations/{person}", status_code=202)
async def register(
    community: CommunityId, convening: ConveningId, person: PersonId, body: Register, write: CommandWriter
) -> Accepted:
    """Register somebody for a convening, while there are places."""
    return await write(participations, (community, convening, person), body)


@router.put("/registrations/{person}/withdrawn", status_code=202)
async def withdraw(
    community: CommunityId, convening: ConveningId, person: PersonId, body: Withdraw, write: CommandWriter
) -> Accepted:
    """Withdraw a registration; its place is free again."""
    return await write(participations, (community, convening, person), body)


@router.put("/attendance/{person}", status_code=202)
async def attend(
    community: CommunityId, convening: ConveningId, person: PersonId, body: Attend, write: CommandWriter
) -> Accepted:
    """Record that somebody came, registered or not. With the first of them attendance is known."""
    return await write(participations, (community, convening, person), body)
