"""Achievements: statements made of figures. Their sentences hold no number that is not a figure's value."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel

from services.gateway.views.community import CommunityHoldings, community_figures
from services.gateway.views.feedback import form_view
from services.gateway.views.innovation import InnovationHoldings, innovation_figures
from services.gateway.views.programme import ProgrammeHoldings, followed_by, programme_figures
from shared.events.feedback import AdoptionStage, Scale
from shared.events.membership import CommunityKind, OrganisationKind
from shared.events.words import CoarseDate
from shared.measures.adoption import ADOPTERS, ELIGIBLE
from shared.measures.convenings import AT_RISK, COMMISSIONED, DUE, HELD, LATE
from shared.measures.measure import Basis, Figure
from shared.measures.membership import COMPLETIONS, DISTINCT_MEMBERS
from shared.measures.participation import ATTENDANCES, DISTINCT_PARTICIPANTS, HOST_STAFF
from shared.views.records import OrganisationRecord


class About(BaseModel):
    kind: str
    id: str
    title: str


class Bar(BaseModel):
    """One of the parts that a statement's figure has, `value` of `of`; those of one heading belong together."""

    heading: str
    label: str
    value: int | float
    of: int | float


class Achievement(BaseModel):
    id: str
    about: About
    text: str
    figures: list[Figure]
    parts: list[Bar] = []
    sources: list[str] = []
    demonstration_on: str | None


class Achievements(BaseModel):
    as_at: str
    demonstration_on: str | None
    achievements: list[Achievement]


@dataclass(frozen=True)
class AchievementHoldings:
    programmes: Sequence[tuple[ProgrammeHoldings, Basis]]
    cohorts: Sequence[tuple[CommunityHoldings, ProgrammeHoldings | None, Basis]]
    innovations: Sequence[tuple[InnovationHoldings, Basis]]
    organisations: Mapping[str, OrganisationRecord]


def achievements(held: AchievementHoldings, as_at: str) -> Achievements:
    """Every statement that the facts up to a day support."""
    found = [*_of_programmes(held), *_of_innovations(held), *_of_cohorts(held)]
    demonstration = max((one.demonstration_on for one in found if one.demonstration_on), default=None)
    return Achievements(as_at=as_at, demonstration_on=demonstration, achievements=found)


def _pick(figures: Sequence[Figure], *measures: str) -> list[Figure]:
    by_name = {figure.measure: figure for figure in figures}
    return [by_name[name] for name in measures]


def _counted(number: float | None, one: str, many: str | None = None) -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def _of_programmes(held: AchievementHoldings) -> Iterator[Achievement]:
    for programme, basis in held.programmes:
        record, figures = programme.programme, programme_figures(programme, basis)
        about = About(kind="programme", id=record.programme_id, title=record.title or record.programme_id)
        sources = [record.source] if record.source else []
        participants, staff, members, attendances = _pick(
            figures, DISTINCT_PARTICIPANTS.name, HOST_STAFF.name, DISTINCT_MEMBERS.name, ATTENDANCES.name
        )
        practices = [c for c in programme.communities if c.community_kind is not CommunityKind.COHORT]
        if participants.value and practices:
            organisations = {o: n for o, n in participants.by.get("organisation", {}).items() if o != "not-stated"}
            professions = participants.by.get("profession", {}).keys() - {"not-stated"}
            yield Achievement(
                id=f"participation-{record.programme_id}",
                about=about,
                text=f"Across the {_counted(len(practices), 'community', 'communities')} there have been "
                f"{_counted(participants.value, 'participant')}, from "
                f"{_counted(len(organisations), 'organisation')} and {_counted(len(professions), 'profession')}.",
                figures=[participants, staff, members, attendances],
                parts=[
                    Bar(
                        heading="Participants by organisation",
                        label=_name(held, id, basis.as_at),
                        value=count,
                        of=participants.value,
                    )
                    for id, count in participants.by.get("organisation", {}).items()
                ],
                sources=sources,
                demonstration_on=basis.demonstration_on,
            )
        commissioned, due, delivered, late, at_risk = _pick(
            figures, COMMISSIONED.name, DUE.name, HELD.name, LATE.name, AT_RISK.name
        )
        if commissioned.value:
            yield Achievement(
                id=f"delivery-{record.programme_id}",
                about=about,
                text=f"{delivered.value} of {_counted(commissioned.value, 'convening')} commissioned "
                f"({_commissioned(held, programme, basis)}) {'was' if delivered.value == 1 else 'were'} held.",
                figures=[commissioned, due, delivered, late, at_risk],
                parts=[
                    Bar(
                        heading="Convenings held, by community",
                        label=community.title or community.community_id,
                        value=programme.sums[community.community_id].whole(HELD),
                        of=record.convenings_each or 1,
                    )
                    for community in programme.communities
                ],
                sources=sources,
                demonstration_on=basis.demonstration_on,
            )


def _commissioned(held: AchievementHoldings, programme: ProgrammeHoldings, basis: Basis) -> str:
    record = programme.programme
    by, source = record.commissioned_by, record.commissioned_from
    parties = [_name(held, party, basis.as_at) if party else "whom is not stated" for party in (by, source)]
    stated = CoarseDate(record.commissioned_stated).in_words if record.commissioned_stated else "on a day not stated"
    return f"{stated}, by {parties[0]} from {parties[1]}"


def _name(held: AchievementHoldings, organisation_id: str, as_at: str) -> str:
    if organisation_id == "not-stated":
        return "Not stated"
    organisation = held.organisations.get(organisation_id)
    return organisation.name_on(as_at) if organisation else organisation_id


def _of_innovations(held: AchievementHoldings) -> Iterator[Achievement]:
    for innovation, basis in held.innovations:
        record, figures = innovation.innovation, innovation_figures(innovation, basis)
        eligible, adopters = _pick(figures, ELIGIBLE.name, ADOPTERS.name)
        if not eligible.value:
            continue
        stages = adopters.by.get("stage", {})
        title = record.title or record.innovation_id
        organisations = _counted(eligible.value, _kind_of_organisation(held, innovation, basis.as_at))
        under_way = stages.get(AdoptionStage.IN_PROGRESS, 0)
        yield Achievement(
            id=f"adoption-{record.innovation_id}",
            about=About(kind="innovation", id=record.innovation_id, title=title),
            text=f"{adopters.value} of {organisations} {'has' if adopters.value == 1 else 'have'} adopted {title}; "
            f"{under_way} in progress.",
            figures=[eligible, adopters],
            parts=[
                Bar(heading="Organisations by stage", label=stage.replace("-", " "), value=count, of=eligible.value)
                for stage, count in stages.items()
            ],
            demonstration_on=basis.demonstration_on,
        )


def _kind_of_organisation(held: AchievementHoldings, innovation: InnovationHoldings, as_at: str) -> str:
    eligible = [a.organisation_id for a in innovation.adoptions if a.is_eligible(as_at)]
    kinds = {held.organisations[id].organisation_kind for id in eligible if id in held.organisations}
    return "trust" if kinds == {OrganisationKind.TRUST} else "organisation"


def _of_cohorts(held: AchievementHoldings) -> Iterator[Achievement]:
    for cohort, programme, basis in held.cohorts:
        (completions,) = _pick(community_figures(cohort.sums, basis), COMPLETIONS.name)
        if not completions.value:
            continue
        text = f"{_counted(completions.value, 'participant')} completed the course."
        for later in followed_by(programme, basis.as_at) if programme else []:
            begins = CoarseDate(later.begins_on).in_words if later.begins_on else "a year that is not stated"
            text += f" It was commissioned again, to begin in {begins}."
        forms = [form_view(form, cohort.convenings, cohort.sums, basis) for form in cohort.forms]
        responses = [figure for form in forms for figure in form.figures[:1] if figure.value]
        rated = [q for form in forms for q in form.questions if q.scale is Scale.ORDERED and q.answered]
        title = cohort.community.title or cohort.community.community_id
        yield Achievement(
            id=f"completion-{cohort.community.community_id}",
            about=About(kind="community", id=cohort.community.community_id, title=title),
            text=text,
            figures=[completions, *responses],
            parts=[
                Bar(heading=question.text, label=answer.answer, value=answer.count, of=question.answered)
                for question in rated
                for answer in reversed(question.answers)
                if answer.count
            ],
            demonstration_on=basis.demonstration_on,
        )
