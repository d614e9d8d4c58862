"""Feedback forms and responses over HTTP."""

from fastapi import APIRouter

from services.convenings.domain.feedback import OpenForm, Respond, forms, responses
from shared.events.words import CommunityId, FormId, ResponseId
from shared.http.commands import Accepted, CommandWriter

router = APIRouter(prefix="/communities/{community}/feedback-forms/{form}", tags=["feedback"])


@router.put("", status_code=202)
async def open_form(community: CommunityId, form: FormId, body: OpenForm, write: CommandWriter) -> Accepted:
    """Ask for feedback, on one convening or on the community as a whole."""
    return await write(forms, (community, form, body.convening_id), body)


@router.put("/responses/{response}", status_code=202)
async def respond(
    community: CommunityId, form: FormId, response: ResponseId, body: Respond, write: CommandWriter
) -> Accepted:
    """Record a response. Words stay in this service; answers are counted."""
    return await write(responses, (community, form, response), body)
