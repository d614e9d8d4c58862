"""An organisation across communities: its people in them, and what it has adopted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from msgspec.structs import replace
from pydantic import BaseModel

from services.gateway.views.people import distinct_members, distinct_participants
from shared.measures.measure import Basis, Figure
from shared.views.records import (
    AdoptionRecord,
    CommunityRecord,
    InnovationRecord,
    OrganisationRecord,
    ParticipationRecord,
)


@dataclass(frozen=True)
class OrganisationHoldings:
    organisation: OrganisationRecord
    participations: Sequence[ParticipationRecord]
    """Of everybody who was ever affiliated with it."""
    communities: Mapping[str, CommunityRecord]
    adoptions: Sequence[AdoptionRecord]
    innovations: Mapping[str, InnovationRecord]


class CommunityOfOrganisation(BaseModel):
    community_id: str
    title: str | None
    figures: list[Figure]


class InnovationOfOrganisation(BaseModel):
    innovation_id: str
    title: str | None
    eligible: bool
    stage: str | None
    reached_on: str | None


class OrganisationView(BaseModel):
    organisation_id: str
    kind: str | None
    name: str
    ods_code: str | None
    region: str | None
    board_id: str | None
    is_network_member: bool
    as_at: str
    incomplete: bool
    demonstration_on: str | None
    figures: list[Figure]
    communities: list[CommunityOfOrganisation]
    innovations: list[InnovationOfOrganisation]


def organisation_view(held: OrganisationHoldings, basis: Basis) -> OrganisationView:
    organisation, as_at = held.organisation, basis.as_at
    its_own = [_while_affiliated(participation, organisation.organisation_id) for participation in held.participations]
    return OrganisationView(
        **organisation.only("organisation_id", "ods_code", "region"),
        kind=organisation.organisation_kind,
        name=organisation.name_on(as_at),
        board_id=organisation.board_id if (organisation.board_since or "9999") <= as_at else None,
        is_network_member=(organisation.network_since or "9999") <= as_at,
        as_at=as_at,
        incomplete=basis.incomplete,
        demonstration_on=basis.demonstration_on,
        figures=_figures(its_own, organisation.organisation_id, basis),
        communities=[
            CommunityOfOrganisation(
                community_id=id,
                title=held.communities[id].title if id in held.communities else None,
                figures=_figures([p for p in its_own if p.community_id == id], organisation.organisation_id, basis),
            )
            for id in sorted({participation.community_id for participation in its_own})
        ],
        innovations=[_innovation(adoption, held.innovations, as_at) for adoption in held.adoptions],
    )


def _figures(participations: Sequence[ParticipationRecord], organisation: str, basis: Basis) -> list[Figure]:
    members = [p for p in participations if _belongs(p, organisation, basis.as_at)]
    return [distinct_members(members, basis), distinct_participants(participations, basis)]


def _belongs(participation: ParticipationRecord, organisation: str, day: str) -> bool:
    return any(affiliation.organisation_id == organisation for affiliation in participation.affiliated(day))


def _while_affiliated(participation: ParticipationRecord, organisation: str) -> ParticipationRecord:
    """The participation with only the attendances of days when the person belonged to the organisation."""
    attended = {c: day for c, day in participation.attended.items() if _belongs(participation, organisation, day)}
    return replace(participation, attended=attended)


def _innovation(
    adoption: AdoptionRecord, innovations: Mapping[str, InnovationRecord], as_at: str
) -> InnovationOfOrganisation:
    stage, innovation = adoption.stage_on(as_at), innovations.get(adoption.innovation_id)
    return InnovationOfOrganisation(
        innovation_id=adoption.innovation_id,
        title=innovation.title if innovation else None,
        eligible=adoption.is_eligible(as_at),
        stage=stage.stage if stage else None,
        reached_on=stage.reached_stated if stage else None,
    )
