"""Communities, their members and their design groups over HTTP."""

from fastapi import APIRouter

from services.membership.domain.communities import Close, Found, communities
from services.membership.domain.design_groups import Decide, Meet, design_groups
from services.membership.domain.memberships import Complete, Join, Leave, memberships
from shared.events.words import CommunityId, DesignGroupId, PersonId
from shared.http.commands import Accepted, CommandWriter

router = APIRouter(prefix="/communities/{community}", tags=["communities"])


@router.put("", status_code=202)
async def found(community: CommunityId, body: Found, write: CommandWriter) -> Accepted:
    """Found a community, with a programme or without."""
    return await write(communities, (community, body.programme_id, body.host_id), body)


@router.put("/closed", status_code=202)
async def close(community: CommunityId, body: Close, write: CommandWriter) -> Accepted:
    """Close it: nobody joins after this date."""
    return await write(communities, (community,), body)


@router.put("/members/{person}", status_code=202)
async def join(community: CommunityId, person: PersonId, body: Join, write: CommandWriter) -> Accepted:
    """Join a community, or come back to it; with `left_on`, a whole membership."""
    return await write(memberships, (community, person), body)


@router.put("/members/{person}/left", status_code=202)
async def leave(community: CommunityId, person: PersonId, body: Leave, write: CommandWriter) -> Accepted:
    """Leave it: the membership holds up to, not including, this date."""
    return await write(memberships, (community, person), body)


@router.put("/members/{person}/completed", status_code=202)
async def complete(community: CommunityId, person: PersonId, body: Complete, write: CommandWriter) -> Accepted:
    """Record that a member completed the course."""
    return await write(memberships, (community, person), body)


@router.put("/design-groups/{design_group}", status_code=202)
async def meet(community: CommunityId, design_group: DesignGroupId, body: Meet, write: CommandWriter) -> Accepted:
    """Record that a design group of the community met, and who took part."""
    key = ("community", community, design_group, body.person_ids, body.organisation_ids)
    return await write(design_groups, key, body)


@router.put("/design-groups/{design_group}/domains", status_code=202)
async def decide(community: CommunityId, design_group: DesignGroupId, body: Decide, write: CommandWriter) -> Accepted:
    """Record what it decided that the community is about; a later decision revises."""
    return await write(design_groups, ("community", community, design_group), body)
