"""Design groups meet, and decide what communities are about."""

import pytest

from services.membership.domain.communities import UnknownCommunity
from services.membership.domain.design_groups import (
    Decide,
    DecidedBeforeMeeting,
    DecidedOtherwise,
    DesignGroupChange,
    Domain,
    Meet,
    NotMetYet,
    OfAnotherCommunity,
    SaidTwice,
    Situation,
    design_groups,
)
from services.membership.domain.organisations import UnknownOrganisation
from services.membership.domain.people import CameToBeKnown, UnknownPerson
from services.membership.domain.programmes import UnknownProgramme
from shared.writing.otherwise import SaidOtherwise
from tests.builders import ANNA, BEN, affiliation_began, design_group_met, domains_decided, on
from tests.specification import Specification, specification
from tests.unit.membership.situations import REHABILITATION, a_community, a_person, a_programme, an_organisation

Rules = Specification[Meet | Decide, Situation]


def of_programme(*changes: DesignGroupChange, **known: object) -> Rules:
    return specification(
        design_groups, ("programme", "cancer", "initial"), **{"parent": a_programme("cancer"), **known}
    ).given(*changes)


def of_community(*changes: DesignGroupChange, **known: object) -> Rules:
    return specification(
        design_groups, ("community", REHABILITATION, "initial"), **{"parent": a_community(), **known}
    ).given(*changes)


def meet(*person_ids: str, organisation_ids: tuple[str, ...] = (), met_on: str = "2019-01") -> Meet:
    return Meet(met_on=on(met_on), person_ids=person_ids, organisation_ids=organisation_ids)


def decide(decided_on: str = "2019-01", **domains: str) -> Decide:
    said = domains or {REHABILITATION: "Rehabilitation after cancer"}
    return Decide(decided_on=on(decided_on), domains=tuple(Domain(community_id=c, domain=d) for c, d in said.items()))


def test_who_took_part_is_on_record_whatever_the_order() -> None:
    rules = of_programme(people=(a_person(ANNA), a_person(BEN)), organisations=(an_organisation("kings"),))
    met = design_group_met(person_ids=(ANNA, BEN), organisation_ids=("kings",))
    rules.when(meet(BEN, ANNA, BEN, organisation_ids=("kings", "kings"))).then(met).then_kept()


def test_the_same_words_change_nothing_and_others_are_refused() -> None:
    met = of_programme(design_group_met(person_ids=(ANNA,)))
    met.when(meet(ANNA)).then_unchanged()
    met.when(meet(ANNA, BEN)).then_refused(SaidOtherwise, field="person_ids")


def test_people_organisations_and_parent_must_be_known() -> None:
    nobody = specification(design_groups, ("programme", "cancer", "initial", (ANNA,), ("kings",)))
    nobody.when(meet(ANNA)).then_refused(UnknownProgramme, field="programme", saying="cancer")
    nowhere = specification(design_groups, ("community", REHABILITATION, "initial"))
    nowhere.when(meet()).then_refused(UnknownCommunity, field="community", saying=REHABILITATION)
    key = ("programme", "cancer", "initial", (ANNA,), ("kings",))
    unknown = specification(design_groups, key, parent=a_programme("cancer"))
    command = meet(ANNA, organisation_ids=("kings",))
    unknown.when(command).then_refused(UnknownPerson, field="person_ids", saying=ANNA)
    specification(design_groups, key, parent=a_programme("cancer"), people=(a_person(ANNA),)).when(
        command
    ).then_refused(UnknownOrganisation, field="organisation_ids", saying="kings")


def test_in_a_communitys_stream_people_bring_their_affiliations_along() -> None:
    known, new = a_person(ANNA, communities=(REHABILITATION,)), a_person(BEN, (affiliation_began("one", BEN), None))
    met = of_community(people=(known, new)).when(meet(ANNA, BEN))
    met.then(affiliation_began("one", BEN), design_group_met(person_ids=(ANNA, BEN)))
    met.then_kept(CameToBeKnown(person_id=BEN, community_id=REHABILITATION))
    assert [person.communities for person in met.and_after().situation.people] == [(REHABILITATION,), (REHABILITATION,)]


def test_domains_are_decided_before_the_communities_exist() -> None:
    of_programme(design_group_met()).when(decide(ultrasound="Imaging", operations="Pathways")).then(
        domains_decided(domains={"ultrasound": "Imaging", "operations": "Pathways"})
    )


def test_the_same_decision_changes_nothing_and_what_is_new_in_it_is_added() -> None:
    decided = of_programme(design_group_met(), domains_decided(domains={"ultrasound": "Imaging"}))
    decided.when(decide(ultrasound="Imaging")).then_unchanged()
    decided.when(decide(ultrasound="Imaging", operations="Pathways")).then(
        domains_decided(domains={"operations": "Pathways"})
    )


def test_a_later_decision_revises() -> None:
    decided = of_community(design_group_met(), domains_decided())
    decided.when(decide("2020", rehabilitation="Living with cancer")).then(
        domains_decided(decided_on="2020", domains={REHABILITATION: "Living with cancer"})
    )
    decided.when(decide("2019-01", rehabilitation="Living with cancer")).then_refused(
        DecidedOtherwise, field="domains", saying="'Rehabilitation after cancer'"
    )


def test_only_a_group_that_met_decides_and_not_before() -> None:
    of_programme().when(decide()).then_refused(NotMetYet, field="design_group")
    of_programme(design_group_met(met_on="2019-01")).when(decide("2018-12-31")).then_refused(
        DecidedBeforeMeeting, field="decided_on"
    )


def test_a_communitys_design_group_decides_for_itself_alone() -> None:
    of_community(design_group_met()).when(decide(ultrasound="Imaging")).then_refused(
        OfAnotherCommunity, field="domains", saying="'ultrasound'"
    )


def test_a_decision_names_a_community_once() -> None:
    twice = Decide(
        decided_on=on("2019"), domains=(Domain(community_id="a", domain="x"), Domain(community_id="a", domain="y"))
    )
    of_programme(design_group_met()).when(twice).then_refused(SaidTwice, field="domains")


def test_a_decision_decides_something() -> None:
    with pytest.raises(ValueError, match="domains"):
        Decide(decided_on=on("2019"), domains=())
