"""Innovations, the organisations eligible for them, and how far each one is with its adoption. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, assert_never

from pydantic import BaseModel, ConfigDict

from services.convenings.known import KnownCommunity, KnownOrganisation, UnknownCommunity, UnknownOrganisation
from shared.events.fact import Stream
from shared.events.feedback import (
    AdoptionFact,
    AdoptionStage,
    AdoptionStageReached,
    InnovationRegistered,
    OrganisationBecameEligible,
    OrganisationCeasedEligible,
    Source,
)
from shared.events.words import CoarseDate, CommunityId, Day, InnovationId, OrganisationId, Text, Title
from shared.refusals import Conflict, Invalid, NotFound
from shared.writing.decider import Command, Decider, State
from shared.writing.otherwise import require_same


def stream(innovation: InnovationId, *_: str | None) -> Stream:
    return Stream("feedback", "innovation", innovation)


class Innovation(State):
    collection: ClassVar[str] = "innovations"

    registered: InnovationRegistered | None = None

    def stream(self) -> Stream:
        return stream(self.key)


# the innovation itself


class RegisterInnovation(Command):
    title: Title
    description: Text | None = None
    community_id: CommunityId | None = None
    demonstration_on: Day | None = None


@dataclass(frozen=True)
class InnovationSituation:
    innovation: Innovation
    community: KnownCommunity | None
    """The one that spreads it, where one is named."""


def initial_innovation(innovation: InnovationId, community: CommunityId | None) -> InnovationSituation:
    return InnovationSituation(Innovation(key=innovation), KnownCommunity(key=community) if community else None)


def decide_innovation(command: RegisterInnovation, situation: InnovationSituation) -> list[InnovationRegistered]:
    innovation, community = situation.innovation, situation.community
    if community and not community.founded:
        raise UnknownCommunity(community.key, field="community_id")
    fact = InnovationRegistered(
        title=command.title,
        description=command.description,
        community_id=command.community_id,
        demonstration_on=command.demonstration_on,
    )
    if innovation.registered is None:
        return [fact]
    require_same(f"Innovation '{innovation.key}'", innovation.registered, fact)
    return []


def evolve_innovation(situation: InnovationSituation, fact: InnovationRegistered) -> InnovationSituation:
    return replace(situation, innovation=situation.innovation.model_copy(update={"registered": fact}))


innovations = Decider(stream=stream, initial=initial_innovation, decide=decide_innovation, evolve=evolve_innovation)
"""Key: innovation, and the community that spreads it or None."""


# one organisation's adoption


class MakeEligible(Command):
    eligible_from: CoarseDate
    eligible_until_on: CoarseDate | None = None


class ReachStage(Command):
    stage: AdoptionStage
    reached_on: CoarseDate
    source: Source


AdoptionCommand = MakeEligible | ReachStage


class Eligibility(BaseModel):
    """Holds from `eligible_from` up to, not including, `eligible_until_on`; an open one has no end yet."""

    model_config = ConfigDict(frozen=True)

    eligible_from: CoarseDate
    eligible_until_on: CoarseDate | None = None

    def overlaps(self, other: "Eligibility") -> bool:
        return self.begins_within(other) or other.begins_within(self)

    def ended(self, on: CoarseDate) -> "Eligibility":
        """With this end, if it is open and began before."""
        if self.eligible_until_on or self.eligible_from.last_day >= on.last_day:
            return self
        return self.model_copy(update={"eligible_until_on": on})

    def begins_within(self, other: "Eligibility") -> bool:
        since, until = self.eligible_from.last_day, other.eligible_until_on
        return other.eligible_from.last_day <= since and (until is None or since < until.last_day)


class Adoption(State):
    """One organisation and one innovation."""

    collection: ClassVar[str] = "adoptions"

    innovation_id: InnovationId
    organisation_id: OrganisationId
    eligible: tuple[Eligibility, ...] = ()
    """In the order they were recorded; only the last may be open."""
    stages: tuple[AdoptionStageReached, ...] = ()

    def stream(self) -> Stream:
        return stream(self.innovation_id)


class NoSuchInnovation(NotFound):
    def __init__(self, innovation_id: InnovationId) -> None:
        super().__init__(f"There is no innovation '{innovation_id}': register it first", field="innovation")


class EndsBeforeItBegins(Invalid):
    def __init__(self, since: CoarseDate) -> None:
        super().__init__(
            f"eligible_until_on is not after eligible_from, {since}: correct one of them", field="eligible_until_on"
        )


class EligibleAlready(Conflict):
    def __init__(self, organisation_id: OrganisationId, period: Eligibility) -> None:
        since, until = period.eligible_from, period.eligible_until_on
        words = f"from {since} until {until}" if until else f"from {since} on, without an end"
        remedy = "choose dates outside it" if until else "end that first: send its eligible_from and an end"
        super().__init__(
            f"Organisation '{organisation_id}' is eligible {words} already: {remedy}",
            field="eligible_from",
            eligible_from=since,
            eligible_until_on=until,
        )


@dataclass(frozen=True)
class AdoptionSituation:
    adoption: Adoption
    innovation: Innovation
    organisation: KnownOrganisation


def initial_adoption(innovation: InnovationId, organisation: OrganisationId) -> AdoptionSituation:
    adoption = Adoption(key=f"{innovation}/{organisation}", innovation_id=innovation, organisation_id=organisation)
    return AdoptionSituation(adoption, Innovation(key=innovation), KnownOrganisation(key=organisation))


def decide_adoption(command: AdoptionCommand, situation: AdoptionSituation) -> Sequence[AdoptionFact]:
    adoption = situation.adoption
    if situation.innovation.registered is None:
        raise NoSuchInnovation(adoption.innovation_id)
    if not situation.organisation.registered:
        raise UnknownOrganisation(adoption.organisation_id)
    match command:
        case MakeEligible(eligible_from=since, eligible_until_on=until):
            return _make_eligible(Eligibility(eligible_from=since, eligible_until_on=until), adoption)
        case ReachStage():
            return _reach_stage(command, adoption)
        case _:
            assert_never(command)


def _make_eligible(period: Eligibility, adoption: Adoption) -> list[AdoptionFact]:
    organisation_id, since, until = adoption.organisation_id, period.eligible_from, period.eligible_until_on
    if until and until.last_day <= since.last_day:
        raise EndsBeforeItBegins(since)
    ended: list[AdoptionFact] = []
    if until:
        ended.append(OrganisationCeasedEligible(organisation_id=organisation_id, eligible_until_on=until))
    on_record = next((one for one in adoption.eligible if one.eligible_from == since), None)
    if on_record is None:
        overlapped = next((one for one in adoption.eligible if one.overlaps(period)), None)
        if overlapped:
            raise EligibleAlready(organisation_id, overlapped)
        return [OrganisationBecameEligible(organisation_id=organisation_id, eligible_from=since), *ended]
    if on_record.eligible_until_on is None:
        return ended
    if until:  # without an end it is what was said before the end came
        require_same(f"The period in which '{organisation_id}' is eligible", on_record, period)
    return []


def _reach_stage(command: ReachStage, adoption: Adoption) -> list[AdoptionFact]:
    fact = AdoptionStageReached(
        organisation_id=adoption.organisation_id,
        stage=command.stage,
        reached_on=command.reached_on,
        source=command.source,
    )
    for reached in adoption.stages:
        if (reached.stage, reached.reached_on) == (fact.stage, fact.reached_on):
            require_same(f"That '{adoption.organisation_id}' is {fact.stage} on {fact.reached_on}", reached, fact)
            return []
    return [fact]


def evolve_adoption(situation: AdoptionSituation, fact: AdoptionFact) -> AdoptionSituation:
    adoption = situation.adoption
    match fact:
        case OrganisationBecameEligible(eligible_from=since):
            eligible = (*adoption.eligible, Eligibility(eligible_from=since))
        case OrganisationCeasedEligible(eligible_until_on=until):
            eligible = tuple(period.ended(until) for period in adoption.eligible)
        case AdoptionStageReached():
            stages = (*adoption.stages, fact)
            return replace(situation, adoption=adoption.model_copy(update={"stages": stages}))
        case _:
            assert_never(fact)
    return replace(situation, adoption=adoption.model_copy(update={"eligible": eligible}))


adoptions = Decider(stream=stream, initial=initial_adoption, decide=decide_adoption, evolve=evolve_adoption)
"""Key: innovation, organisation."""
