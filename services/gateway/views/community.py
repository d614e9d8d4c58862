"""A community: who belongs, what was convened, who came, what they said."""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel

from services.gateway.views.design_groups import DesignGroupView, DomainView, domain_of, met_by
from services.gateway.views.feedback import FormView, form_view
from services.gateway.views.people import came_figure
from shared.measures.convenings import ATTENDANCE_UNKNOWN, CANCELLED, HELD
from shared.measures.feedback import RESPONSES
from shared.measures.measure import Basis, Figure, Sums
from shared.measures.membership import COARSE, COMPLETIONS, MEMBERS
from shared.measures.participation import (
    ATTENDANCES,
    FIRST_RECORDED,
    PARTICIPANTS,
    REGISTERED_AND_CAME,
    REGISTRATIONS,
    RETENTION,
    SHOW_UP,
    WALK_INS,
    Retained,
    in_order,
    retention,
)
from shared.views.records import (
    CommunityRecord,
    ConveningRecord,
    FormRecord,
    ParticipationRecord,
    ProgrammeRecord,
)


@dataclass(frozen=True)
class CommunityHoldings:
    community: CommunityRecord
    programme: ProgrammeRecord | None
    convenings: Sequence[ConveningRecord]
    came: Sequence[ParticipationRecord]
    """Of everybody who ever came."""
    forms: Sequence[FormRecord]
    sums: Sums


class ConveningView(BaseModel):
    convening_id: str
    title: str | None
    state: str
    """scheduled, held or cancelled, as at the day"""
    scheduled_on: str | None
    held_on: str | None
    cancelled_on: str | None
    attendance_known: bool
    figures: list[Figure]


class CommunityView(BaseModel):
    """Everything about one community, as at a day."""

    community_id: str
    title: str | None
    kind: str | None
    governance: str | None
    founded_on: str | None
    closed_on: str | None
    programme_id: str | None
    host_id: str | None
    description: str | None
    services: tuple[str, ...]
    mechanisms: tuple[str, ...]
    accredited_by: str | None
    domain: DomainView | None
    design_groups: list[DesignGroupView]
    as_at: str
    incomplete: bool
    demonstration_on: str | None
    figures: list[Figure]
    convenings: list[ConveningView]
    feedback: list[FormView]


def community_view(held: CommunityHoldings, basis: Basis) -> CommunityView:
    community = held.community
    groups = [*community.design_groups, *(held.programme.design_groups if held.programme else ())]
    return CommunityView(
        **community.only(
            *("community_id", "title", "governance", "founded_on", "closed_on", "programme_id", "host_id"),
            *("description", "services", "mechanisms", "accredited_by", "demonstration_on"),
        ),
        kind=community.community_kind,
        domain=domain_of(community.community_id, groups, basis.as_at),
        design_groups=met_by(groups, basis.as_at),
        as_at=basis.as_at,
        incomplete=basis.incomplete,
        figures=community_figures(held.sums, basis),
        convenings=_convenings(held, basis),
        feedback=[
            form_view(form, held.convenings, held.sums, basis)
            for form in held.forms
            if form.opened_on is not None and form.opened_on <= basis.as_at
        ],
    )


def community_figures(sums: Sums, basis: Basis) -> list[Figure]:
    """The figures of a community as a whole."""
    known, unknown = sums.whole(HELD) - sums.whole(ATTENDANCE_UNKNOWN), sums.whole(ATTENDANCE_UNKNOWN)
    coarse = sums.whole(MEMBERS, COARSE)
    said = f"{coarse} joined on a day known to the month or year only: they count from its last day"
    return [
        sums.figure(MEMBERS, basis, notes=[said] if coarse else []),
        *(
            came_figure(measure, basis, sums.whole(measure), known, unknown, by=sums.parts(measure))
            for measure in (PARTICIPANTS, ATTENDANCES, FIRST_RECORDED)
        ),
        sums.figure(HELD, basis),
        sums.figure(ATTENDANCE_UNKNOWN, basis),
        sums.figure(CANCELLED, basis),
        sums.figure(COMPLETIONS, basis),
        sums.figure(RESPONSES, basis),
    ]


def _convenings(held: CommunityHoldings, basis: Basis) -> list[ConveningView]:
    past = in_order(held.convenings, basis.as_at)
    kept = retention(past, held.came)
    earlier_unknown, views = 0, list[ConveningView]()
    for convening in past:
        figures = _convening_figures(convening, held.sums, basis, earlier_unknown, kept[convening.convening_id])
        views.append(_convening_view(convening, "held", figures))
        earlier_unknown += not convening.attendance_known
    known = {convening.convening_id for convening in past}
    for convening in sorted(held.convenings, key=lambda one: (one.scheduled_on or "", one.convening_id)):
        if convening.convening_id not in known:
            called_off = convening.cancelled_on is not None and convening.cancelled_on <= basis.as_at
            views.append(_convening_view(convening, "cancelled" if called_off else "scheduled", []))
    return views


def _convening_view(convening: ConveningRecord, state: str, figures: list[Figure]) -> ConveningView:
    return ConveningView(
        **convening.only("convening_id", "title", "scheduled_on", "held_on", "cancelled_on", "attendance_known"),
        state=state,
        figures=figures,
    )


def _convening_figures(
    convening: ConveningRecord, sums: Sums, basis: Basis, earlier_unknown: int, kept: Retained
) -> list[Figure]:
    key, known = f"convening={convening.convening_id}", convening.attendance_known
    missing = 0 if known else 1
    registered, came = sums.whole(REGISTRATIONS, key), sums.whole(REGISTERED_AND_CAME, key)
    return [
        basis.figure(ATTENDANCES, sums.whole(ATTENDANCES, key) if known else None, unknown=missing),
        basis.figure(
            FIRST_RECORDED, sums.whole(FIRST_RECORDED, key) if known else None, unknown=missing + earlier_unknown
        ),
        basis.figure(REGISTRATIONS, registered),
        basis.figure(SHOW_UP, came / registered if known and registered else None, n=registered, unknown=missing),
        basis.figure(WALK_INS, sums.whole(WALK_INS, key) if known else None, unknown=missing),
        _retention(kept, basis),
    ]


def _retention(kept: Retained, basis: Basis) -> Figure:
    notes = [kept.why_none] if kept.why_none else []
    return basis.figure(RETENTION, kept.share, n=kept.stayed, unknown=kept.unknown, notes=notes)
