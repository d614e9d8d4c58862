"""A programme across its communities: what was commissioned, what was delivered, who took part."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel

from services.gateway.views.community import community_figures
from services.gateway.views.design_groups import DesignGroupView, DomainView, domain_of, met_by
from services.gateway.views.people import came_figure, distinct_members, distinct_participants, host_staff
from shared.measures.convenings import (
    AT_RISK,
    ATTENDANCE_UNKNOWN,
    COMMISSIONED,
    DUE,
    HELD,
    LATE,
    delivery,
    months_after,
)
from shared.measures.measure import Basis, Figure, Sums
from shared.measures.membership import COMPLETIONS
from shared.measures.participation import ATTENDANCES
from shared.views.records import (
    CommunityRecord,
    ConveningRecord,
    ParticipationRecord,
    ProgrammeRecord,
)


@dataclass(frozen=True)
class ProgrammeHoldings:
    programme: ProgrammeRecord
    communities: Sequence[CommunityRecord]
    convenings: Sequence[ConveningRecord]
    participations: Sequence[ParticipationRecord]
    sums: Mapping[str, Sums]
    """By community."""
    followed_by: Sequence[ProgrammeRecord]


class Following(BaseModel):
    """A programme that came after another: a sequence with the reason that was stated, not an effect."""

    programme_id: str
    title: str | None
    commissioned_on: str | None
    begins_on: str | None
    stated_reason: str | None


class CommunityInProgramme(BaseModel):
    community_id: str
    title: str | None
    domain: DomainView | None
    figures: list[Figure]


class ProgrammeView(BaseModel):
    programme_id: str
    title: str | None
    commissioned_by: str | None
    commissioned_from: str | None
    commissioned_on: str | None
    begins_on: str | None
    ends_on: str | None
    source: str | None
    follows: str | None
    stated_reason: str | None
    followed_by: list[Following]
    as_at: str
    incomplete: bool
    demonstration_on: str | None
    figures: list[Figure]
    communities: list[CommunityInProgramme]
    design_groups: list[DesignGroupView]


def programme_view(held: ProgrammeHoldings, basis: Basis) -> ProgrammeView:
    programme = held.programme
    return ProgrammeView(
        **programme.only(
            *("programme_id", "title", "commissioned_by", "commissioned_from", "source", "follows"),
            *("stated_reason", "demonstration_on"),
        ),
        commissioned_on=programme.commissioned_stated,
        begins_on=programme.begins_stated,
        ends_on=ends_on(programme),
        followed_by=followed_by(held, basis.as_at),
        as_at=basis.as_at,
        incomplete=basis.incomplete,
        figures=programme_figures(held, basis),
        communities=[_community(community, held, basis) for community in held.communities],
        design_groups=met_by(programme.design_groups, basis.as_at),
    )


def ends_on(programme: ProgrammeRecord) -> str | None:
    """The last day of its period; None where none was agreed."""
    begins = programme.begins_on or programme.commissioned_on
    return months_after(begins, programme.within_months) if begins and programme.within_months else None


def followed_by(held: ProgrammeHoldings, as_at: str) -> list[Following]:
    """The programmes that were commissioned after this one, by a day."""
    return [
        Following(
            programme_id=later.programme_id,
            title=later.title,
            commissioned_on=later.commissioned_stated,
            begins_on=later.begins_stated,
            stated_reason=later.stated_reason,
        )
        for later in held.followed_by
        if later.commissioned_on is not None and later.commissioned_on <= as_at
    ]


def programme_figures(held: ProgrammeHoldings, basis: Basis) -> list[Figure]:
    programme, sums = held.programme, held.sums.values()
    commissioned = None
    if programme.communities is not None and programme.convenings_each is not None:
        commissioned = programme.communities * programme.convenings_each
    if programme.commissioned_on is None or programme.commissioned_on > basis.as_at:
        commissioned = 0
    became = delivery(commissioned, ends_on(programme), held.convenings, basis.as_at)
    unknown = sum(of_one.whole(ATTENDANCE_UNKNOWN) for of_one in sums)
    delivered = sum(of_one.whole(HELD) for of_one in sums)
    hosts = {community.community_id: community.host_id for community in held.communities}
    return [
        basis.figure(COMMISSIONED, commissioned, unknown=int(commissioned is None)),
        basis.figure(DUE, became[DUE.name]),
        basis.figure(HELD, delivered),
        basis.figure(LATE, became[LATE.name]),
        basis.figure(AT_RISK, became[AT_RISK.name], unknown=int(commissioned is None)),
        distinct_participants(held.participations, basis, known=delivered - unknown, unknown=unknown),
        host_staff(held.participations, hosts, basis),
        distinct_members(held.participations, basis),
        came_figure(
            ATTENDANCES, basis, sum(of_one.whole(ATTENDANCES) for of_one in sums), delivered - unknown, unknown
        ),
        basis.figure(COMPLETIONS, sum(of_one.whole(COMPLETIONS) for of_one in sums)),
    ]


def _community(community: CommunityRecord, held: ProgrammeHoldings, basis: Basis) -> CommunityInProgramme:
    return CommunityInProgramme(
        community_id=community.community_id,
        title=community.title,
        domain=domain_of(community.community_id, held.programme.design_groups, basis.as_at),
        figures=community_figures(held.sums[community.community_id], basis),
    )
