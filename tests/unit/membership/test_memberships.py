"""Who belongs to a community, when, and in which role."""

import itertools

import pytest

from services.membership.domain.communities import UnknownCommunity
from services.membership.domain.memberships import (
    AlreadyLeft,
    AlreadyMember,
    Complete,
    CompletedBeforeJoining,
    Interval,
    Join,
    JoinedAfterClosing,
    JoinedBeforeFounding,
    Leave,
    LeftBeforeJoining,
    MembershipChange,
    MembershipCommand,
    NotACohort,
    NotAMember,
    Situation,
    memberships,
)
from services.membership.domain.people import CameToBeKnown, UnknownPerson
from shared.events.membership import CommunityKind, HowJoined, Role
from shared.writing.otherwise import SaidOtherwise
from tests.builders import (
    ANNA,
    affiliation_began,
    affiliation_ended,
    maybe,
    member_completed,
    member_joined,
    member_left,
    on,
)
from tests.specification import Specification, specification
from tests.unit.membership.situations import REHABILITATION, a_community, a_person

Rules = Specification[MembershipCommand, Situation]


def given(*changes: MembershipChange, **known: object) -> Rules:
    """Anna is known in a community that was founded in January 2019, if nothing else is said."""
    states = {"community": a_community(), "person": a_person(communities=(REHABILITATION,)), **known}
    return specification(memberships, (REHABILITATION, ANNA), **states).given(*changes)


def join(joined_on: str, left_on: str | None = None, role: Role = Role.MEMBER, how: HowJoined | None = None) -> Join:
    return Join(role=role, how=how, joined_on=on(joined_on), left_on=maybe(left_on))


def leave(left_on: str) -> Leave:
    return Leave(left_on=on(left_on))


def complete(completed_on: str) -> Complete:
    return Complete(completed_on=on(completed_on))


# joining


def test_somebody_joins() -> None:
    given().when(join("2019-02-01", how=HowJoined.INVITED)).then(
        member_joined(joined_on="2019-02-01", how=HowJoined.INVITED)
    )


def test_a_whole_membership_is_recorded_at_once() -> None:
    given().when(join("2019-02-01", "2020-02-01")).then(
        member_joined(joined_on="2019-02-01"), member_left(joined_on="2019-02-01", left_on="2020-02-01")
    )


@pytest.mark.parametrize("how", [None, HowJoined.INVITED])
def test_joining_again_with_the_same_words_changes_nothing(how: HowJoined | None) -> None:
    given(member_joined(how=HowJoined.INVITED)).when(join("2019-02-01", how=how)).then_unchanged()


def test_joining_again_in_another_way_is_refused_and_says_what_differs() -> None:
    refusal = given(member_joined(how=HowJoined.INVITED)).when(join("2019-02-01", how=HowJoined.ENROLLED))
    refusal.then_refused(SaidOtherwise, field="how", saying="how is 'invited', not 'enrolled'")


def test_a_join_that_comes_again_after_they_left_changes_nothing() -> None:
    given(member_joined(), member_left()).when(join("2019-02-01")).then_unchanged()


def test_the_same_whole_membership_changes_nothing() -> None:
    given(member_joined(), member_left(left_on="2020")).when(join("2019-02-01", "2020")).then_unchanged()


def test_a_membership_that_was_open_is_ended_by_the_same_with_an_end() -> None:
    given(member_joined()).when(join("2019-02-01", "2020")).then(member_left(left_on="2020"))


def test_a_membership_that_ended_does_not_end_again_on_another_day() -> None:
    given(member_joined(), member_left(left_on="2020")).when(join("2019-02-01", "2021")).then_refused(
        AlreadyLeft, field="left_on", saying="left on 2020"
    )


def test_a_second_role_at_the_same_time_is_refused() -> None:
    given(member_joined()).when(join("2019-03-01", role=Role.CONVENOR)).then_refused(
        AlreadyMember, field="joined_on", saying="member from 2019-02-01, which overlaps convenor from 2019-03-01"
    )


def test_a_change_of_role_ends_one_and_begins_another_on_the_same_day() -> None:
    given(member_joined(), member_left(left_on="2019-03-01")).when(join("2019-03-01", role=Role.CONVENOR)).then(
        member_joined(joined_on="2019-03-01", role=Role.CONVENOR)
    )


def test_an_earlier_membership_may_come_later() -> None:
    given(member_joined(joined_on="2020-02-01")).when(join("2019-02-01", "2020-02-01", role=Role.CONVENOR)).then(
        member_joined(role=Role.CONVENOR), member_left(role=Role.CONVENOR)
    )


def test_an_earlier_membership_without_an_end_overlaps_the_later_one() -> None:
    given(member_joined(joined_on="2020-02-01")).when(join("2019-02-01")).then_refused(AlreadyMember)


def test_somebody_comes_back() -> None:
    given(member_joined(), member_left(left_on="2020")).when(join("2022")).then(member_joined(joined_on="2022"))


def test_an_empty_membership_is_legal_even_beside_one_that_began_on_its_day() -> None:
    given(member_joined(), member_left(left_on="2020")).when(join("2019-02-01", "2019-02-01")).then(
        member_joined(), member_left(left_on="2019-02-01")
    )


def test_after_an_empty_membership_another_may_begin_on_the_same_day() -> None:
    given(member_joined(), member_left(left_on="2019-02-01")).when(join("2019-02-01", "2020")).then(
        member_joined(), member_left(left_on="2020")
    )


def test_coarse_dates_are_compared_by_their_last_day() -> None:
    held = given(member_joined(joined_on="2019-02"), member_left(joined_on="2019-02", left_on="2019-06"))
    held.when(join("2019-06-29", role=Role.CONVENOR)).then_refused(AlreadyMember)
    held.when(join("2019-06-30", role=Role.CONVENOR)).then(member_joined(joined_on="2019-06-30", role=Role.CONVENOR))


def test_a_whole_membership_that_ends_before_it_begins_is_refused() -> None:
    given().when(join("2019-02", "2019-02-15")).then_refused(
        LeftBeforeJoining, field="left_on", saying="2019-02 (taken as 2019-02-28)"
    )


ROWS = (
    join("2019-02-01", "2019-05-01"),
    join("2019-05-01", "2020", role=Role.CONVENOR),
    join("2020", "2020", role=Role.OBSERVER),
    join("2021-03"),
)


@pytest.mark.parametrize("rows", list(itertools.permutations(ROWS)))
def test_rows_may_come_in_any_order(rows: tuple[Join, ...]) -> None:
    rules = given()
    for row in rows:
        rules = rules.when(row).and_after()
    held = {Interval(role=r.role, how=HowJoined.NOT_STATED, joined_on=r.joined_on, left_on=r.left_on) for r in ROWS}
    assert set(rules.situation.membership.intervals) == held
    for row in ROWS:
        rules.when(row).then_unchanged()


# the community's dates


def test_joining_before_the_community_was_founded_is_refused() -> None:
    given(community=a_community(founded_on="2019-03")).when(join("2019-02-28")).then_refused(
        JoinedBeforeFounding, field="joined_on", saying="founded (2019-03)"
    )


@pytest.mark.parametrize("joined_on", ["2019-03-01", "2019", "2019-12"])
def test_what_a_coarse_founding_leaves_possible_is_believed(joined_on: str) -> None:
    given(community=a_community(founded_on="2019-03")).when(join(joined_on)).then(member_joined(joined_on=joined_on))


def test_where_the_founding_is_not_known_anybody_may_have_joined_before() -> None:
    given(community=a_community(founded_on=None)).when(join("1999")).then(member_joined(joined_on="1999"))


def test_nobody_joins_after_it_closed() -> None:
    closed = given(community=a_community(closed_on="2021-06-30"))
    closed.when(join("2021-07-01")).then_refused(JoinedAfterClosing, field="joined_on", saying="closed (2021-06-30)")
    closed.when(join("2021-06-30")).then(member_joined(joined_on="2021-06-30"))


def test_what_came_before_it_closed_may_be_recorded_afterwards() -> None:
    given(community=a_community(closed_on="2021")).when(join("2020", "2022")).then(
        member_joined(joined_on="2020"), member_left(joined_on="2020", left_on="2022")
    )


# leaving


def test_somebody_leaves() -> None:
    given(member_joined()).when(leave("2020-02-01")).then(member_left(left_on="2020-02-01"))


def test_leaving_again_on_the_same_day_changes_nothing() -> None:
    given(member_joined(), member_left(left_on="2020")).when(leave("2020")).then_unchanged()


def test_leaving_again_on_another_day_is_refused() -> None:
    given(member_joined(), member_left(left_on="2020")).when(leave("2021")).then_refused(
        AlreadyLeft, field="left_on", saying="left on 2020"
    )


def test_leaving_before_joining_is_refused() -> None:
    given(member_joined(joined_on="2019-02-01")).when(leave("2019-01-31")).then_refused(
        LeftBeforeJoining, field="left_on", saying="left_on 2019-01-31 is before joined_on 2019-02-01"
    )


def test_leaving_on_the_day_of_joining_is_legal() -> None:
    given(member_joined(joined_on="2019-02-01")).when(leave("2019-02-01")).then(member_left(left_on="2019-02-01"))


def test_who_never_joined_cannot_leave() -> None:
    given().when(leave("2020")).then_refused(NotAMember, field="person")


# completing


COHORT = a_community(kind=CommunityKind.COHORT)


def test_a_member_of_a_cohort_completes_it() -> None:
    given(member_joined(), community=COHORT).when(complete("2019-12")).then(member_completed(completed_on="2019-12"))


def test_who_left_on_the_last_day_has_completed_all_the_same() -> None:
    given(member_joined(), member_left(left_on="2019-12-31"), community=COHORT).when(complete("2019-12-31")).then(
        member_completed(completed_on="2019-12-31")
    )


def test_completing_again_changes_nothing_on_the_same_day_and_is_refused_on_another() -> None:
    completed = given(member_joined(), member_completed(completed_on="2019-12"), community=COHORT)
    completed.when(complete("2019-12")).then_unchanged()
    completed.when(complete("2020")).then_refused(SaidOtherwise, field="completed_on")


def test_only_a_cohort_is_completed() -> None:
    given(member_joined()).when(complete("2019-12")).then_refused(NotACohort, field="community")


def test_only_a_member_completes() -> None:
    given(community=COHORT).when(complete("2019-12")).then_refused(NotAMember, field="person")


def test_nobody_completes_before_joining() -> None:
    given(member_joined(joined_on="2019-02-01"), community=COHORT).when(complete("2019-01-31")).then_refused(
        CompletedBeforeJoining, field="completed_on"
    )


# who and where


@pytest.mark.parametrize("command", [join("2019-02"), leave("2020"), complete("2020")])
def test_person_and_community_must_be_known(command: MembershipCommand) -> None:
    nobody = specification(memberships, (REHABILITATION, ANNA), community=a_community())
    nobody.when(command).then_refused(UnknownPerson, field="person", saying=ANNA)
    nowhere = specification(memberships, (REHABILITATION, ANNA), person=a_person())
    nowhere.when(command).then_refused(UnknownCommunity, field="community", saying=REHABILITATION)


def test_the_first_fact_about_somebody_brings_their_affiliations_along() -> None:
    midwife, nurse = affiliation_began("one"), affiliation_began("two", profession="nurse")
    person = a_person(ANNA, (midwife, affiliation_ended("one")), (nurse, None), communities=("ultrasound",))
    joining = given(person=person).when(join("2019-02-01"))
    joining.then(midwife, affiliation_ended("one"), nurse, member_joined())
    joining.then_kept(CameToBeKnown(person_id=ANNA, community_id=REHABILITATION))
    assert joining.and_after().situation.person.communities == ("ultrasound", REHABILITATION)


def test_affiliations_come_along_once() -> None:
    person = a_person(ANNA, (affiliation_began(), None))
    joined = given(person=person).when(join("2019-02-01", "2020")).and_after()
    joined.when(join("2021")).then(member_joined(joined_on="2021")).then_kept()
