"""An innovation: who has adopted it, who is on the way, how that is known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel

from shared.events.feedback import Source, SourceKind
from shared.measures.adoption import ADOPTERS, ELIGIBLE, SPREAD
from shared.measures.measure import Basis, Figure, Sums
from shared.views.records import AdoptionRecord, InnovationRecord, OrganisationRecord


@dataclass(frozen=True)
class InnovationHoldings:
    innovation: InnovationRecord
    adoptions: Sequence[AdoptionRecord]
    organisations: Mapping[str, OrganisationRecord]
    sums: Sums


class OrganisationStage(BaseModel):
    organisation_id: str
    name: str
    eligible: bool
    stage: str | None
    reached_on: str | None
    """As it was stated: it may be coarse."""
    source: Source | None


class InnovationView(BaseModel):
    innovation_id: str
    title: str | None
    description: str | None
    community_id: str | None
    as_at: str
    incomplete: bool
    demonstration_on: str | None
    figures: list[Figure]
    organisations: list[OrganisationStage]


def innovation_view(held: InnovationHoldings, basis: Basis) -> InnovationView:
    return InnovationView(
        **held.innovation.only("innovation_id", "title", "description", "community_id"),
        as_at=basis.as_at,
        incomplete=basis.incomplete,
        demonstration_on=basis.demonstration_on,
        figures=innovation_figures(held, basis),
        organisations=[_stage(adoption, held.organisations, basis.as_at) for adoption in held.adoptions],
    )


def innovation_figures(held: InnovationHoldings, basis: Basis) -> list[Figure]:
    illustrative = sum(_is_illustrative(adoption, basis.as_at) for adoption in held.adoptions)
    notes = [f"{illustrative} of {len(held.adoptions)} stages illustrative"] if illustrative else []
    eligible = held.sums.whole(ELIGIBLE)
    unknown = sum(a.is_eligible(basis.as_at) and a.stage_on(basis.as_at) is None for a in held.adoptions)
    return [
        held.sums.figure(ELIGIBLE, basis),
        held.sums.figure(ADOPTERS, basis, n=eligible, unknown=unknown, notes=notes),
        held.sums.figure(SPREAD, basis),
    ]


def _is_illustrative(adoption: AdoptionRecord, as_at: str) -> bool:
    stage = adoption.stage_on(as_at)
    return stage is not None and stage.source.kind is SourceKind.ILLUSTRATIVE


def _stage(adoption: AdoptionRecord, organisations: Mapping[str, OrganisationRecord], as_at: str) -> OrganisationStage:
    stage, organisation = adoption.stage_on(as_at), organisations.get(adoption.organisation_id)
    return OrganisationStage(
        organisation_id=adoption.organisation_id,
        name=organisation.name_on(as_at) if organisation else adoption.organisation_id,
        eligible=adoption.is_eligible(as_at),
        stage=stage.stage if stage else None,
        reached_on=stage.reached_stated if stage else None,
        source=Source(kind=stage.source.kind, words=stage.source.words) if stage else None,
    )
