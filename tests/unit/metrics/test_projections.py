"""What facts make of records: late ones, those whose beginning is missing, those that stand where they say nothing."""

from typing import TypeVar

import bson
import pytest

from services.metrics.projections.identity import also_about, identity_of
from services.metrics.projections.record import NotAbout, evolve
from shared.events.fact import Fact, Kind
from shared.events.feedback import AdoptionStage
from shared.events.membership import Role
from shared.views.records import (
    AdoptionRecord,
    CommunityRecord,
    ConveningRecord,
    FormRecord,
    InnovationRecord,
    OrganisationRecord,
    ParticipationRecord,
    PersonRecord,
    ProgrammeRecord,
    Record,
    ResponseRecord,
)
from tests import builders as a
from tests.builders import ANNA, BEN, CHIDI, stream

R = TypeVar("R", bound=Record)

ABOUT = [
    (a.programme_commissioned(), "programme", "programme/here"),
    (a.programme_followed(), "programme", "programme/here"),
    (a.design_group_met(), "programme", "programme/here"),
    (a.domains_decided(), "programme", "programme/here"),
    (a.design_group_met(), "community", "community/here"),
    (a.domains_decided(), "community", "community/here"),
    (a.organisation_registered(), "organisation", "organisation/here"),
    (a.organisation_renamed(), "organisation", "organisation/here"),
    (a.organisation_joined_board(), "organisation", "organisation/here"),
    (a.organisation_joined_network(), "organisation", "organisation/here"),
    (a.person_registered(), "person", "person/here"),
    (a.affiliation_began(), "person", "person/here"),
    (a.affiliation_ended(), "person", "person/here"),
    (a.person_merged(), "person", "person/here"),
    (a.person_erased(), "person", "person/here"),
    (a.person_erased(), "community", f"participation/here/{ANNA}"),
    (a.affiliation_began(), "community", f"participation/here/{ANNA}"),
    (a.affiliation_ended(), "community", f"participation/here/{ANNA}"),
    (a.community_founded(), "community", "community/here"),
    (a.community_closed(), "community", "community/here"),
    (a.member_joined(), "community", f"participation/here/{ANNA}"),
    (a.member_left(), "community", f"participation/here/{ANNA}"),
    (a.member_completed(), "community", f"participation/here/{ANNA}"),
    (a.convening_scheduled(), "community", "convening/here/spring"),
    (a.convening_rescheduled(), "community", "convening/here/spring"),
    (a.convening_held(), "community", "convening/here/spring"),
    (a.convening_cancelled(), "community", "convening/here/spring"),
    (a.attendance_taken(), "community", "convening/here/spring"),
    (a.registration_made(), "community", f"participation/here/{ANNA}"),
    (a.registration_withdrawn(), "community", f"participation/here/{ANNA}"),
    (a.person_attended(), "community", f"participation/here/{ANNA}"),
    (a.form_opened(), "community", "form/here/after"),
    (a.response_received(BEN), "community", f"response/here/after/{BEN}"),
    (a.innovation_registered(), "innovation", "innovation/here"),
    (a.became_eligible(), "innovation", "adoption/here/rj2"),
    (a.ceased_eligible(), "innovation", "adoption/here/rj2"),
    (a.stage_reached(), "innovation", "adoption/here/rj2"),
]


@pytest.mark.parametrize(("fact", "kind", "id"), ABOUT, ids=lambda value: getattr(type(value), "type", None))
def test_a_fact_is_about_one_record_that_takes_it(fact: Fact, kind: Kind, id: str) -> None:
    identity = identity_of(stream("here", kind=kind), fact)
    assert str(identity) == id
    empty = identity.empty()
    assert isinstance(evolve(empty, fact), type(empty))


def test_every_fact_of_the_language_is_about_something() -> None:
    from tests.unit.shared.test_facts import LANGUAGE

    assert {fact.type for fact, _, _ in ABOUT} == set(LANGUAGE)


def test_a_merge_is_about_both_where_they_are_known() -> None:
    merged, into = (ParticipationRecord("here", person) for person in (ANNA, BEN))
    about = [of(stream("here"), a.person_merged()) for of in (identity_of, also_about)]
    assert [str(one) for one in about] == [f"participation/here/{person}" for person in (ANNA, BEN)]
    assert also_about(stream(ANNA, kind="person"), a.person_merged()) is None
    assert after(merged, a.person_merged()) == ParticipationRecord("here", ANNA, merged_into=BEN)
    assert after(into, a.person_merged(), a.person_merged()) == ParticipationRecord("here", BEN, merged_from=(ANNA,))
    of_both = after(into, a.person_merged(CHIDI), a.person_merged(ANNA))
    assert of_both.only("merged_from") == {"merged_from": (ANNA, CHIDI)}


@pytest.mark.parametrize("kind", ["programme", "organisation", "person", "community", "innovation"])
def test_a_fact_that_stands_in_a_stream_of_another_kind_says_nothing_there(kind: Kind) -> None:
    stray = a.person_registered() if kind != "person" else a.community_founded()
    identity = identity_of(stream("here", kind=kind), stray)
    with pytest.raises(NotAbout, match="is not about"):
        evolve(identity.empty(), stray)


def after(record: R, *facts: Fact) -> R:
    for fact in facts:
        evolved = evolve(record, fact)
        assert isinstance(evolved, type(record))
        record = evolved
    return record


PARTICIPATION = ParticipationRecord(community_id="here", person_id=ANNA)
ORGANISATION = OrganisationRecord(organisation_id="rax")
ADOPTION = AdoptionRecord(innovation_id="gdm-health", organisation_id="rj2")


def test_a_leave_ends_the_membership_that_it_names_and_no_other() -> None:
    held = after(
        PARTICIPATION,
        a.member_joined(joined_on="2019-01-01"),
        a.member_left(joined_on="2019-01-01", left_on="2019-02-01"),
        a.member_joined(joined_on="2019-02-01", role=Role.CONVENOR),
        a.member_joined(joined_on="2019-03-01"),
        a.member_left(joined_on="2019-03-01", left_on="2019-04-01"),
    )
    assert [(m.role, m.joined_on, m.left_on) for m in held.memberships] == [
        (Role.MEMBER, "2019-01-01", "2019-02-01"),
        (Role.CONVENOR, "2019-02-01", None),
        (Role.MEMBER, "2019-03-01", "2019-04-01"),
    ]


def test_a_leave_ends_the_membership_of_its_role_and_its_beginning_alone() -> None:
    held = after(
        PARTICIPATION,
        a.member_joined(joined_on="2019-01-01"),
        a.member_joined(joined_on="2019-02-01"),
        a.member_joined(joined_on="2019-02-01", role=Role.CONVENOR),
        a.member_left(joined_on="2019-02-01", left_on="2019-03-01"),
    )
    assert [(m.role, m.joined_on, m.left_on) for m in held.memberships] == [
        (Role.MEMBER, "2019-01-01", None),
        (Role.MEMBER, "2019-02-01", "2019-03-01"),
        (Role.CONVENOR, "2019-02-01", None),
    ]


def test_who_left_on_the_day_they_joined_and_joined_again_on_it_leaves_the_second_time_only() -> None:
    at_once = (a.member_joined(joined_on="2019-01-01"), a.member_left(joined_on="2019-01-01", left_on="2019-01-01"))
    left_again = a.member_left(joined_on="2019-01-01", left_on="2019-06-01")
    held = after(PARTICIPATION, *at_once, at_once[0], left_again)
    assert [one.left_on for one in held.memberships] == ["2019-01-01", "2019-06-01"]
    assert after(held, left_again) == held, "what has an end keeps it"


def test_a_leave_whose_beginning_is_missing_changes_nothing_yet() -> None:
    assert after(PARTICIPATION, a.member_left()) == PARTICIPATION


def test_a_withdrawal_whose_registration_is_missing_changes_nothing_yet() -> None:
    assert after(PARTICIPATION, a.registration_withdrawn()) == PARTICIPATION


def test_registrations_keep_all_their_periods() -> None:
    held = after(
        PARTICIPATION,
        a.registration_made(registered_on="2019-02-01"),
        a.registration_withdrawn(withdrawn_on="2019-02-10"),
        a.registration_made(registered_on="2019-02-20"),
        a.registration_withdrawn(withdrawn_on="2019-02-25"),
        a.registration_made(registered_on="2019-02-26"),
    )
    assert [(one.registered_on, one.withdrawn_on) for one in held.registered["spring"]] == [
        ("2019-02-01", "2019-02-10"),
        ("2019-02-20", "2019-02-25"),
        ("2019-02-26", None),
    ]


def test_the_end_of_a_registration_that_is_told_again_takes_the_place_of_the_one_told_before() -> None:
    made, early, late = a.registration_made(), "2019-02-10", "2019-02-11"
    for first, last in ((early, late), (late, early)):
        ends = (a.registration_withdrawn(withdrawn_on=on) for on in (first, last))
        assert [one.withdrawn_on for one in after(PARTICIPATION, made, *ends).registered["spring"]] == [last]


def test_affiliations_are_the_same_in_whatever_order_their_facts_come_and_however_often() -> None:
    began, ended = a.affiliation_began(organisation_id="rj1"), a.affiliation_ended(ended_on="2019-06-01")
    once = after(PARTICIPATION, began, ended)
    assert once == after(PARTICIPATION, ended, began) == after(PARTICIPATION, began, ended, began, ended)
    assert once.affiliated("2019-05-31")[0].organisation_id == "rj1"
    assert once.affiliated("2019-06-01") == []


def test_coarse_dates_are_kept_as_their_last_days() -> None:
    held = after(PARTICIPATION, a.member_joined(joined_on="2019-02"), a.person_attended(attended_on="2020"))
    assert (held.memberships[0].joined_on, held.memberships[0].is_coarse) == ("2019-02-28", True)
    assert (held.attended, held.first_attended_on) == ({"spring": "2020-12-31"}, "2020-12-31")


def test_the_first_attendance_is_the_earliest_whichever_was_told_first() -> None:
    came = [a.person_attended(ANNA, "spring"), a.person_attended(ANNA, "autumn", attended_on="2019-10-01")]
    for facts in (came, came[::-1]):
        assert after(PARTICIPATION, *facts).first_attended_on == "2019-03-01"


def test_an_organisation_goes_by_the_name_of_the_day() -> None:
    kingston = after(
        ORGANISATION,
        a.organisation_renamed("Kingston and Richmond", "2024-11-01"),
        a.organisation_registered("Kingston Hospital"),
        a.organisation_renamed("Kingston Foundation", "2013-05-01"),
    )
    days = ("2000-01-01", "2013-05-01", "2024-10-31", "2024-11-01")
    assert [kingston.name_on(day) for day in days] == [
        "Kingston Hospital",
        "Kingston Foundation",
        "Kingston Foundation",
        "Kingston and Richmond",
    ]
    assert ORGANISATION.name_on("2019-01-01") == "rax", "nothing better is known"


def test_of_two_names_from_one_day_on_the_one_recorded_last_holds() -> None:
    renamed = after(
        ORGANISATION,
        a.organisation_registered("The first"),
        a.organisation_renamed("Zeta", "2019-12-31"),
        a.organisation_renamed("Alpha", "2019"),
        a.organisation_renamed("Mu", "2019-12-31"),
    )
    assert [name.name for name in renamed.names] == ["The first", "Zeta", "Alpha", "Mu"]
    assert renamed.name_on("2019-12-31") == "Mu"


def test_a_board_that_is_recorded_late_does_not_take_the_place_of_the_one_that_came_after() -> None:
    late = after(
        ORGANISATION,
        a.organisation_joined_board("qwe", "2022-07-01"),
        a.organisation_joined_board("swl-stp", "2016-04-01"),
    )
    assert (late.board_id, late.board_since) == ("qwe", "2022-07-01")


def test_a_convening_is_unknown_in_attendance_until_that_is_taken() -> None:
    convening = ConveningRecord(community_id="here", convening_id="spring")
    held = after(convening, a.convening_scheduled(), a.convening_rescheduled(), a.convening_held(held_on="2019-04"))
    assert (held.scheduled_on, held.held_on, held.attendance_known) == ("2019-04-01", "2019-04-30", False)
    assert after(held, a.attendance_taken()).attendance_known


def test_an_organisation_keeps_all_the_periods_in_which_it_was_eligible() -> None:
    adoption = after(
        ADOPTION,
        a.became_eligible(eligible_from="2019"),
        a.became_eligible(eligible_from="2010"),
        a.ceased_eligible(eligible_until_on="2012-01-01"),
    )
    assert [(one.since, one.until) for one in adoption.eligible] == [("2019-12-31", None), ("2010-12-31", "2012-01-01")]
    assert [adoption.is_eligible(day) for day in ("2011-06-01", "2015-06-01", "2020-01-01")] == [True, False, True]


def test_the_end_of_eligibility_is_that_of_the_open_period_which_began_before_it() -> None:
    adoption = after(
        ADOPTION,
        a.became_eligible(eligible_from="2010"),
        a.ceased_eligible(eligible_until_on="2012-01-01"),
        a.became_eligible(eligible_from="2019"),
        a.ceased_eligible(eligible_until_on="2019"),
    )
    assert [(one.since, one.until) for one in adoption.eligible] == [("2010-12-31", "2012-01-01"), ("2019-12-31", None)]
    ended = after(adoption, a.ceased_eligible(eligible_until_on="2020"))
    assert [one.until for one in ended.eligible] == ["2012-01-01", "2020-12-31"]


def test_stages_are_in_order_of_their_days_and_of_recording_within_a_day() -> None:
    adoption = after(
        ADOPTION,
        a.stage_reached(AdoptionStage.SUSTAINED, reached_on="2021"),
        a.stage_reached(AdoptionStage.IN_PROGRESS, reached_on="2019-12-31"),
        a.stage_reached(AdoptionStage.ADOPTED, reached_on="2019"),
        a.stage_reached(AdoptionStage.PAUSED, reached_on="2019-12-31"),
    )
    assert [one.stage for one in adoption.stages] == ["in-progress", "adopted", "paused", "sustained"]
    assert adoption.stages[1].reached_stated == "2019"
    last = adoption.stage_on("2020-06-01")
    assert last is not None
    assert last.stage is AdoptionStage.PAUSED
    assert adoption.stage_on("2019-12-30") is None


def test_a_later_decision_about_a_community_stands_beside_the_first() -> None:
    programme = after(
        ProgrammeRecord(programme_id="cancer"),
        a.domains_decided(domains={"rehabilitation": "Rehabilitation"}),
        a.design_group_met(organisation_ids=("rj1",)),
        a.domains_decided(decided_on="2020", domains={"rehabilitation": "Living with cancer"}),
    )
    (group,) = programme.design_groups
    assert group.organisation_ids == ("rj1",)
    assert [(one.domain, one.decided_on) for one in group.domains] == [
        ("Rehabilitation", "2019-01-31"),
        ("Living with cancer", "2020-12-31"),
    ]


def test_what_was_stated_is_kept_beside_its_last_day() -> None:
    programme = after(ProgrammeRecord(programme_id="cancer"), a.programme_commissioned(commissioned_on="2019-01"))
    assert (programme.commissioned_on, programme.commissioned_stated) == ("2019-01-31", "2019-01")
    assert (programme.begins_on, programme.begins_stated) == (None, None)


def test_a_response_says_what_was_answered_and_not_by_whom() -> None:
    response = after(
        ResponseRecord(community_id="here", form_id="after", response_id=BEN),
        a.response_received(BEN, answers={"useful": "yes", "recommend": "9"}, in_words=("comments",)),
    )
    assert response.answers == {"useful": "yes", "recommend": "9"}
    assert response.in_words == ("comments",)


@pytest.mark.parametrize(
    "record",
    [
        after(PARTICIPATION, a.member_joined(), a.affiliation_began(), a.registration_made(), a.person_attended()),
        after(ORGANISATION, a.trust_registered(), a.organisation_joined_board()),
        after(ADOPTION, a.became_eligible(), a.stage_reached()),
        after(PersonRecord(person_id=ANNA), a.person_registered(), a.affiliation_began()),
        after(
            CommunityRecord(community_id="here"),
            a.community_founded(demonstration_on="2026-01-01"),
            *(a.design_group_met(), a.domains_decided()),
        ),
        after(ProgrammeRecord(programme_id="cancer"), a.programme_commissioned(), a.programme_followed()),
        after(FormRecord(community_id="here", form_id="after"), a.form_opened()),
        after(InnovationRecord(innovation_id="gdm-health"), a.innovation_registered(community_id="here")),
    ],
    ids=lambda record: record.kind,
)
def test_a_record_is_restored_as_it_was_stored(record: Record) -> None:
    assert type(record).restored(bson.decode(bson.encode(record.to_store()))) == record
