"""Communities are founded and closed once; an id that was derived from a reference refuses another."""

import pytest

from services.membership.domain.communities import (
    Close,
    ClosedBeforeFounding,
    Found,
    IdTakenByAnotherReference,
    ReferenceGiven,
    Situation,
    UnknownCommunity,
    communities,
)
from services.membership.domain.organisations import UnknownOrganisation
from services.membership.domain.programmes import UnknownProgramme
from services.membership.domain.references import Reference
from shared.events.membership import CommunityClosed, CommunityFounded, CommunityKind, Governance
from shared.writing.otherwise import SaidOtherwise
from tests.builders import community_closed, community_founded, maybe, on
from tests.specification import Specification, specification
from tests.unit.membership.situations import REHABILITATION, a_programme, an_organisation

DOTTED, HYPHENED = Reference(source="k8s", ref="re.hab"), Reference(source="k8s", ref="re-hab")


def given(*changes: CommunityFounded | CommunityClosed | ReferenceGiven) -> Specification[Found | Close, Situation]:
    return specification(communities, (REHABILITATION,)).given(*changes)


def found(founded_on: str | None = "2019-01", title: str | None = None, reference: Reference | None = None) -> Found:
    return Found(
        title=title or "Rehabilitation and Personalised Care",
        kind=CommunityKind.PRACTICE,
        governance=Governance.FACILITATED,
        founded_on=maybe(founded_on),
        reference=reference,
    )


def close(closed_on: str) -> Close:
    return Close(closed_on=on(closed_on))


def test_a_community_without_a_programme_is_legal() -> None:
    given().when(found()).then(community_founded()).then_kept()


def test_a_community_belongs_to_a_programme_and_has_a_host() -> None:
    command = found().model_copy(update={"programme_id": "cancer", "host_id": "network"})
    key, programme, host = (REHABILITATION, "cancer", "network"), a_programme("cancer"), an_organisation("network")
    specification(communities, key, programme=programme, host=host).when(command).then(
        community_founded(programme_id="cancer", host_id="network")
    )
    specification(communities, key, host=host).when(command).then_refused(UnknownProgramme, field="programme_id")
    specification(communities, key, programme=programme).when(command).then_refused(
        UnknownOrganisation, field="host_id"
    )


def test_the_same_words_change_nothing_and_others_are_refused() -> None:
    given(community_founded()).when(found()).then_unchanged()
    given(community_founded()).when(found(title="Another")).then_refused(
        SaidOtherwise, field="title", saying="title is 'Rehabilitation and Personalised Care', not 'Another'"
    )


def test_the_sources_own_key_is_kept_and_is_in_no_fact() -> None:
    given().when(found(reference=DOTTED)).then(community_founded()).then_kept(ReferenceGiven(reference=DOTTED))


def test_an_id_refuses_another_reference_and_names_both() -> None:
    held = given(community_founded(), ReferenceGiven(reference=DOTTED))
    held.when(found(reference=DOTTED)).then_unchanged()
    refusal = held.when(found(reference=HYPHENED)).then_refused(IdTakenByAnotherReference, field="reference")
    assert "'re.hab' of k8s" in refusal.detail
    assert "'re-hab' of k8s" in refusal.detail


def test_a_reference_may_be_given_later() -> None:
    later = given(community_founded()).when(found(reference=DOTTED))
    later.then().then_kept(ReferenceGiven(reference=DOTTED))
    later.and_after().when(found()).then_unchanged()


def test_it_closes_once() -> None:
    given(community_founded()).when(close("2021")).then(community_closed("2021"))
    given(community_founded(), community_closed("2021")).when(close("2021")).then_unchanged()
    given(community_founded(), community_closed("2021")).when(close("2022")).then_refused(
        SaidOtherwise, field="closed_on"
    )


@pytest.mark.parametrize("founded_on", ["2019-01", "2019", None])
def test_it_does_not_close_before_it_was_founded(founded_on: str | None) -> None:
    rules = given(community_founded(founded_on=founded_on))
    rules.when(close("2019-01-15")).then(community_closed("2019-01-15"))
    if founded_on is not None:
        rules.when(close("2018-12")).then_refused(ClosedBeforeFounding, field="closed_on", saying=founded_on)


def test_only_what_was_founded_closes() -> None:
    given().when(close("2021")).then_refused(UnknownCommunity, field="community", saying=REHABILITATION)
