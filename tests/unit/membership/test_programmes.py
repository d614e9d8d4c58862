"""Programmes are commissioned once, and may follow from an earlier one."""

from services.membership.domain.organisations import UnknownOrganisation
from services.membership.domain.programmes import (
    Commission,
    Follow,
    FollowsALaterOne,
    FollowsItself,
    Situation,
    UnknownProgramme,
    programmes,
)
from shared.events.membership import ProgrammeCommissioned, ProgrammeFollowed
from shared.writing.otherwise import SaidOtherwise
from tests.builders import on, programme_commissioned, programme_followed
from tests.specification import Specification, specification
from tests.unit.membership.situations import a_programme, an_organisation


def given(
    *facts: ProgrammeCommissioned | ProgrammeFollowed, **known: object
) -> Specification[Commission | Follow, Situation]:
    """The programme `cancer`; the network that it is commissioned from is registered."""
    states = {"commissioned_from": an_organisation("network"), "earlier": a_programme("earlier", "2018-01"), **known}
    return specification(programmes, ("cancer", "network", None, "earlier"), **states).given(*facts)


def commission(title: str = "Communities of practice", commissioned_by: str | None = None) -> Commission:
    return Commission(
        title=title,
        commissioned_on=on("2019-01"),
        commissioned_by=commissioned_by,
        commissioned_from="network",
        communities=4,
        convenings_each=3,
        within_months=12,
    )


FOLLOW = Follow(earlier_programme_id="earlier", stated_reason="It went well")


def test_an_organisation_commissions_from_another() -> None:
    given(commissioned_by=an_organisation("alliance")).when(commission(commissioned_by="alliance")).then(
        programme_commissioned(commissioned_by="alliance")
    )


def test_who_commissions_may_be_not_stated() -> None:
    given().when(commission()).then(programme_commissioned(commissioned_by=None))


def test_the_same_words_change_nothing_and_others_are_refused() -> None:
    given(programme_commissioned()).when(commission()).then_unchanged()
    given(programme_commissioned()).when(commission("Another title")).then_refused(SaidOtherwise, field="title")


def test_both_organisations_must_be_registered() -> None:
    nowhere = specification(programmes, ("cancer", "network"))
    nowhere.when(commission()).then_refused(UnknownOrganisation, field="commissioned_from", saying="network")
    unknown = specification(programmes, ("cancer", "network", "alliance"), commissioned_from=an_organisation("network"))
    unknown.when(commission(commissioned_by="alliance")).then_refused(UnknownOrganisation, field="commissioned_by")


def test_a_programme_follows_an_earlier_one() -> None:
    given(programme_commissioned()).when(FOLLOW).then(programme_followed())
    given(programme_commissioned(), programme_followed()).when(FOLLOW).then_unchanged()


def test_it_follows_one_only() -> None:
    given(programme_commissioned(), programme_followed("another")).when(FOLLOW).then_refused(
        SaidOtherwise, field="earlier_programme_id"
    )


def test_both_programmes_must_be_on_record() -> None:
    given().when(FOLLOW).then_refused(UnknownProgramme, field="programme", saying="cancer")
    unknown = specification(programmes, ("cancer", None, None, "earlier")).given(programme_commissioned())
    unknown.when(FOLLOW).then_refused(UnknownProgramme, field="earlier_programme_id", saying="earlier")


def test_nothing_follows_itself_or_what_came_after_it() -> None:
    itself = Follow(earlier_programme_id="cancer", stated_reason="It went well")
    given(programme_commissioned()).when(itself).then_refused(FollowsItself)
    given(programme_commissioned(), earlier=a_programme("earlier", "2021")).when(FOLLOW).then_refused(
        FollowsALaterOne, saying="2021"
    )
    given(programme_commissioned(), earlier=a_programme("earlier", "2019")).when(FOLLOW).then(programme_followed())
