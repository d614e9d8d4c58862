"""Innovations and their adoption over HTTP."""

from fastapi import APIRouter

from services.convenings.domain.innovations import MakeEligible, ReachStage, RegisterInnovation, adoptions, innovations
from shared.events.words import InnovationId, OrganisationId
from shared.http.commands import Accepted, CommandWriter

router = APIRouter(prefix="/innovations/{innovation}", tags=["innovations"])


@router.put("", status_code=202)
async def register(innovation: InnovationId, body: RegisterInnovation, write: CommandWriter) -> Accepted:
    """Register an innovation, and the community that spreads it."""
    return await write(innovations, (innovation, body.community_id), body)


@router.put("/eligible/{organisation}", status_code=202)
async def make_eligible(
    innovation: InnovationId, organisation: OrganisationId, body: MakeEligible, write: CommandWriter
) -> Accepted:
    """Count an organisation among those that may adopt it, from a date on; with an end, up to that date."""
    return await write(adoptions, (innovation, organisation), body)


@router.put("/adoption/{organisation}", status_code=202)
async def reach_stage(
    innovation: InnovationId, organisation: OrganisationId, body: ReachStage, write: CommandWriter
) -> Accepted:
    """Record how far an organisation is with it, and how that is known; backwards is legal."""
    return await write(adoptions, (innovation, organisation), body)
