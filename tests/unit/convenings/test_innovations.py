"""The rules of innovations: registered, who is eligible and when, and how far each organisation is."""

import pytest

from services.convenings.domain.innovations import (
    AdoptionCommand,
    AdoptionSituation,
    EligibleAlready,
    EndsBeforeItBegins,
    Innovation,
    InnovationSituation,
    MakeEligible,
    NoSuchInnovation,
    ReachStage,
    RegisterInnovation,
    adoptions,
    innovations,
)
from services.convenings.known import KnownCommunity, KnownOrganisation, UnknownCommunity, UnknownOrganisation
from shared.events.feedback import AdoptionFact, AdoptionStage, InnovationRegistered, Source, SourceKind
from shared.writing.otherwise import SaidOtherwise
from tests.builders import (
    ILLUSTRATIVE,
    became_eligible,
    ceased_eligible,
    innovation_registered,
    maybe,
    on,
    stage_reached,
)
from tests.specification import Specification, specification

REGISTERED = Innovation(key="gdm-health", registered=innovation_registered())
TRUST = KnownOrganisation(key="rj2", registered=True)


def registering(*facts: InnovationRegistered) -> Specification[RegisterInnovation, InnovationSituation]:
    return specification(innovations, ("gdm-health", None)).given(*facts)


def given(*facts: AdoptionFact) -> Specification[AdoptionCommand, AdoptionSituation]:
    return specification(adoptions, ("gdm-health", "rj2"), innovation=REGISTERED, organisation=TRUST).given(*facts)


def eligible(since: str = "2018", until: str | None = None) -> MakeEligible:
    return MakeEligible(eligible_from=on(since), eligible_until_on=maybe(until))


def reach(
    stage: AdoptionStage = AdoptionStage.ADOPTED, reached_on: str = "2019", source: Source = ILLUSTRATIVE
) -> ReachStage:
    return ReachStage(stage=stage, reached_on=on(reached_on), source=source)


def test_an_innovation_is_registered_once_in_the_same_words() -> None:
    registering().when(RegisterInnovation(title="GDm-Health")).then(innovation_registered())
    registering(innovation_registered()).when(RegisterInnovation(title="GDm-Health")).then_unchanged()
    other = registering(innovation_registered()).when(RegisterInnovation(title="GDM"))
    other.then_refused(SaidOtherwise, field="title")


def test_the_community_that_spreads_it_must_be_known() -> None:
    command = RegisterInnovation(title="GDm-Health", community_id="pregnancy")
    named = specification(innovations, ("gdm-health", "pregnancy"))
    named.when(command).then_refused(UnknownCommunity, field="community_id")
    founded = specification(innovations, ("gdm-health", "pregnancy"), community=KnownCommunity(key="p", founded=True))
    founded.when(command).then(innovation_registered(community_id="pregnancy"))


def test_an_organisation_becomes_eligible_with_an_end_or_without() -> None:
    given().when(eligible()).then(became_eligible())
    given().when(eligible("2018", "2022")).then(became_eligible(), ceased_eligible(eligible_until_on="2022"))


def test_an_end_may_be_said_later_and_both_may_be_said_again() -> None:
    ended = given(became_eligible()).when(eligible("2018", "2022")).then(ceased_eligible()).and_after()
    ended.when(eligible("2018", "2022")).then_unchanged()
    ended.when(eligible("2018")).then_unchanged()
    ended.when(eligible("2018", "2023")).then_refused(SaidOtherwise, field="eligible_until_on")


def test_periods_do_not_overlap() -> None:
    given(became_eligible()).when(eligible("2020")).then_refused(EligibleAlready, saying="without an end")
    past = given(became_eligible(), ceased_eligible(eligible_until_on="2022"))
    past.when(eligible("2017", "2019")).then_refused(EligibleAlready, saying="from 2018 until 2022")
    past.when(eligible("2022")).then(became_eligible(eligible_from="2022"))


def test_an_earlier_period_said_later_leaves_the_open_one_open() -> None:
    both = given(became_eligible(eligible_from="2020")).when(eligible("2015", "2016")).and_after()
    assert [period.eligible_until_on for period in both.situation.adoption.eligible] == [None, "2016"]


def test_a_period_that_ends_before_it_begins_is_refused() -> None:
    given().when(eligible("2018", "2018")).then_refused(EndsBeforeItBegins, field="eligible_until_on")


def test_a_stage_is_reached_once_at_a_date() -> None:
    given().when(reach()).then(stage_reached())
    given(stage_reached()).when(reach()).then_unchanged()
    given(stage_reached()).when(reach(reached_on="2020")).then(stage_reached(reached_on="2020"))


def test_the_same_stage_from_another_source_is_refused() -> None:
    reported = Source(kind=SourceKind.REPORTED, words="The trust's lead midwife")
    given(stage_reached()).when(reach(source=reported)).then_refused(SaidOtherwise, field="source")


def test_backwards_is_legal() -> None:
    back = reach(AdoptionStage.PAUSED, "2020-06")
    given(stage_reached()).when(back).then(stage_reached(AdoptionStage.PAUSED, reached_on="2020-06"))


@pytest.mark.parametrize("command", [eligible(), reach()])
def test_innovation_and_organisation_must_be_known(command: AdoptionCommand) -> None:
    nothing = specification(adoptions, ("gdm-health", "rxf"), organisation=TRUST)
    nothing.when(command).then_refused(NoSuchInnovation, field="innovation")
    nobody = specification(adoptions, ("gdm-health", "rxf"), innovation=REGISTERED)
    nobody.when(command).then_refused(UnknownOrganisation, field="organisation", saying="'rxf'")
