"""People and their affiliations over HTTP. Names and e-mail addresses go in here, and come out of no fact."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import Field
from ulid import ULID

from services.membership.domain.identity import Erase, Merge, erasures, mergers
from services.membership.domain.people import Affiliate, EndAffiliation, Register, affiliations, people
from shared.events.words import AffiliationId, PersonId
from shared.http.commands import Accepted, CommandWriter

router = APIRouter(prefix="/people", tags=["people"])


class PersonAccepted(Accepted):
    person_id: PersonId = Field(description="The id of the person: new, or the one that the reference belongs to.")


async def _new_id() -> PersonId:
    return str(ULID()).lower()


@router.post("", status_code=202)
async def register(
    body: Register, write: CommandWriter, minted: Annotated[PersonId, Depends(_new_id)]
) -> PersonAccepted:
    """Register a person. The same reference gives the same person; without one, each is somebody new."""
    source, ref = (body.reference.source, body.reference.ref) if body.reference else (None, None)
    return await write.answering(PersonAccepted, people, (minted, source, ref), body)


@router.put("/{person}/affiliations/{affiliation}", status_code=202)
async def affiliate(person: PersonId, affiliation: AffiliationId, body: Affiliate, write: CommandWriter) -> Accepted:
    """Record that a person came to belong to an organisation, a service or a profession."""
    return await write(affiliations, (person, affiliation, body.organisation_id), body)


@router.put("/{person}/affiliations/{affiliation}/ended", status_code=202)
async def end_affiliation(
    person: PersonId, affiliation: AffiliationId, body: EndAffiliation, write: CommandWriter
) -> Accepted:
    """Record its end: it holds up to, not including, this date."""
    return await write(affiliations, (person, affiliation), body)


@router.put("/{person}/merged", status_code=202)
async def merge(person: PersonId, body: Merge, write: CommandWriter) -> Accepted:
    """Record that this and another id are of one person, who goes on under the other: they count once, at all dates."""
    return await write(mergers, (person, body.into_id), body)


@router.put("/{person}/erased", status_code=202)
async def erase(person: PersonId, body: Erase, write: CommandWriter) -> Accepted:
    """Delete name, e-mail and references, for good; the id and its dated facts stay, and count."""
    return await write(erasures, (person,), body)
