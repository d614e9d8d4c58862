"""Programmes and their design groups over HTTP."""

from fastapi import APIRouter

from services.membership.domain.design_groups import Decide, Meet, design_groups
from services.membership.domain.programmes import Commission, Follow, programmes
from shared.events.words import DesignGroupId, ProgrammeId
from shared.http.commands import Accepted, CommandWriter

router = APIRouter(prefix="/programmes/{programme}", tags=["programmes"])


@router.put("", status_code=202)
async def commission(programme: ProgrammeId, body: Commission, write: CommandWriter) -> Accepted:
    """Commission communities from an organisation; what is not stated is left out."""
    return await write(programmes, (programme, body.commissioned_from, body.commissioned_by), body)


@router.put("/follows", status_code=202)
async def follow(programme: ProgrammeId, body: Follow, write: CommandWriter) -> Accepted:
    """Record the earlier programme that this one follows, with the reason that was given."""
    return await write(programmes, (programme, None, None, body.earlier_programme_id), body)


@router.put("/design-groups/{design_group}", status_code=202)
async def meet(programme: ProgrammeId, design_group: DesignGroupId, body: Meet, write: CommandWriter) -> Accepted:
    """Record that a design group met, and who took part."""
    key = ("programme", programme, design_group, body.person_ids, body.organisation_ids)
    return await write(design_groups, key, body)


@router.put("/design-groups/{design_group}/domains", status_code=202)
async def decide(programme: ProgrammeId, design_group: DesignGroupId, body: Decide, write: CommandWriter) -> Accepted:
    """Record what it decided that communities are about, be it before they exist; a later decision revises."""
    return await write(design_groups, ("programme", programme, design_group), body)
