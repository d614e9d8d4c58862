"""The consolidated views over HTTP. One request, one snapshot, one answer."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request
from pydantic import BaseModel

from services.gateway.gathering import Gathering
from services.gateway.holdings import Holdings
from services.gateway.views.achievements import Achievements, achievements
from services.gateway.views.community import CommunityView, community_view
from services.gateway.views.innovation import InnovationView, innovation_view
from services.gateway.views.listing import Listed, Page
from services.gateway.views.network import NetworkView
from services.gateway.views.organisation import OrganisationView, organisation_view
from services.gateway.views.programme import ProgrammeView, programme_view
from shared.events.words import CoarseDate, CommunityId, InnovationId, OrganisationId, ProgrammeId
from shared.http.headers import parse_positions
from shared.measures.catalogue import MEASURES
from shared.measures.measure import Cycle, Measure

router = APIRouter(prefix="/v1")


async def _snapshot(
    request: Request,
    praxis_after: Annotated[
        str | None, Header(description="Positions of your own writes, which the answer then includes.")
    ] = None,
) -> AsyncIterator[Holdings]:
    async with request.state.views.open(parse_positions(praxis_after)) as holdings:
        yield holdings


Snapshot = Annotated[Holdings, Depends(_snapshot)]
"""For lists: they hold all that is on record, of whatever day."""


def _gathering(
    holdings: Snapshot,
    as_at: Annotated[
        CoarseDate | None,
        Query(
            description="The day at whose end the figures hold; a month or year means its last day. Today if left out."
        ),
    ] = None,
) -> Gathering:
    day = as_at or CoarseDate.of(datetime.now(UTC).date())
    return Gathering(holdings, day.last_day)


Gathered = Annotated[Gathering, Depends(_gathering)]


After = Annotated[str, Query(description="The `next` of the page before.", max_length=64)]
Limit = Annotated[int, Query(ge=1, le=1_000)]


@router.get("/achievements", tags=["achievements"])
async def get_achievements(gathered: Gathered) -> Achievements:
    """The statements that the facts support, with the figures they are made of."""
    return achievements(await gathered.achievements(), gathered.as_at)


@router.get("/network", tags=["network"])
async def get_network(gathered: Gathered) -> NetworkView:
    """The network as a whole: distinct people over all communities."""
    return await gathered.network()


@router.get("/communities", tags=["communities"])
async def list_communities(holdings: Snapshot, after: After = "", limit: Limit = 100) -> Page:
    return await _page(holdings, "community", after, limit)


@router.get("/communities/{community}", tags=["communities"])
async def get_community(community: CommunityId, gathered: Gathered) -> CommunityView:
    """Who belongs, what was convened, who came, what they said."""
    return community_view(*await gathered.community(community))


@router.get("/programmes", tags=["programmes"])
async def list_programmes(holdings: Snapshot, after: After = "", limit: Limit = 100) -> Page:
    return await _page(holdings, "programme", after, limit)


@router.get("/programmes/{programme}", tags=["programmes"])
async def get_programme(programme: ProgrammeId, gathered: Gathered) -> ProgrammeView:
    """What was commissioned and delivered, over its communities; people are distinct over them."""
    return programme_view(*await gathered.programme(programme))


@router.get("/organisations", tags=["organisations"])
async def list_organisations(holdings: Snapshot, after: After = "", limit: Limit = 100) -> Page:
    return await _page(holdings, "organisation", after, limit)


@router.get("/organisations/{organisation}", tags=["organisations"])
async def get_organisation(organisation: OrganisationId, gathered: Gathered) -> OrganisationView:
    """Its people across communities, and what it has adopted."""
    return organisation_view(*await gathered.organisation(organisation))


@router.get("/innovations", tags=["innovations"])
async def list_innovations(holdings: Snapshot, after: After = "", limit: Limit = 100) -> Page:
    return await _page(holdings, "innovation", after, limit)


@router.get("/innovations/{innovation}", tags=["innovations"])
async def get_innovation(innovation: InnovationId, gathered: Gathered) -> InnovationView:
    """Its adoption: who has adopted it, who is on the way, and how that is known."""
    return innovation_view(*await gathered.innovation(innovation))


class MeasureDefinition(BaseModel):
    """What a figure counts and what it does not."""

    name: str
    title: str
    unit: str
    version: int
    counts: str
    excludes: str
    source: str
    value_cycle: Cycle
    mechanisms: tuple[str, ...]
    by: tuple[str, ...]
    kept: str
    """How it is computed: as sums per date, or when it is read."""

    @classmethod
    def of(cls, measure: Measure) -> "MeasureDefinition":
        kept = "when it is read" if measure.record is None else "as sums per date"
        words = {name: getattr(measure, name) for name in ("name", "title", "unit", "version", "counts", "excludes")}
        return cls(
            **words,
            source=measure.source,
            value_cycle=measure.cycle,
            mechanisms=measure.mechanisms,
            by=measure.by,
            kept=kept,
        )


@router.get("/measures", tags=["measures"])
async def list_measures() -> list[MeasureDefinition]:
    """The catalogue of definitions."""
    return [MeasureDefinition.of(measure) for measure in MEASURES.values()]


async def _page(holdings: Holdings, kind: str, after: str, limit: int) -> Page:
    found = await holdings.listed(kind, after, limit + 1)  # one more, so that it is seen whether more follow
    items = [Listed.model_validate(one) for one in found[:limit]]
    return Page(items=items, next=items[-1].id if len(found) > limit else None)
