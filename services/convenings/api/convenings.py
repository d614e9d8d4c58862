"""Convenings over HTTP."""

from fastapi import APIRouter

from services.convenings.domain.convenings import Cancel, Hold, Reschedule, Schedule, TakeAttendance, convenings
from shared.events.words import CommunityId, ConveningId
from shared.http.commands import Accepted, CommandWriter

router = APIRouter(prefix="/communities/{community}/convenings/{convening}", tags=["convenings"])


@router.put("", status_code=202)
async def schedule(community: CommunityId, convening: ConveningId, body: Schedule, write: CommandWriter) -> Accepted:
    """Schedule a convening of a community."""
    return await write(convenings, (community, convening), body)


@router.put("/date", status_code=202)
async def reschedule(
    community: CommunityId, convening: ConveningId, body: Reschedule, write: CommandWriter
) -> Accepted:
    """Move it to another date, as long as it is neither held nor cancelled."""
    return await write(convenings, (community, convening), body)


@router.put("/held", status_code=202)
async def hold(community: CommunityId, convening: ConveningId, body: Hold, write: CommandWriter) -> Accepted:
    """Record that it was held; the day may differ from the one it was scheduled for."""
    return await write(convenings, (community, convening), body)


@router.put("/cancelled", status_code=202)
async def cancel(community: CommunityId, convening: ConveningId, body: Cancel, write: CommandWriter) -> Accepted:
    """Cancel it."""
    return await write(convenings, (community, convening), body)


@router.put("/attendance", status_code=202)
async def take_attendance(
    community: CommunityId, convening: ConveningId, body: TakeAttendance, write: CommandWriter
) -> Accepted:
    """Record that attendance was taken, be it that nobody came: until then it is unknown, which is not zero."""
    return await write(convenings, (community, convening), body)
