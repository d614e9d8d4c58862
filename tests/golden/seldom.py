"""What is told seldom, by stream: things of which all is stated, things told again, two of a kind on one day, coarse
dates. By it a fold is noticed that takes the first for the last, sorts what has an order, or keeps a date as stated.

Services refuse some of it now, so no other history holds it; the folds say what it means all the same.
"""

from datetime import UTC, datetime

from shared.events.convenings import ConveningScheduled
from shared.events.fact import Fact, Kind, Topic
from shared.events.feedback import AdoptionStage, InnovationRegistered, Scale
from shared.events.membership import (
    CommunityFounded,
    CommunityKind,
    Governance,
    OrganisationKind,
    OrganisationRegistered,
    ProgrammeCommissioned,
    Role,
)
from tests import builders as a

Told = tuple[Topic, Kind, str, tuple[Fact, ...]]

TWICE, MOVING, ONE, OTHER, LEFT = (f"01hzx{number:021d}" for number in range(5))
SHOWN = a.on("2020-12-31")

IN_FULL: tuple[Told, ...] = (
    (
        "membership",
        "programme",
        "full",
        (
            ProgrammeCommissioned(
                title="In full",
                commissioned_on=a.on("2019-05"),
                commissioned_by="full",
                commissioned_from="network",
                communities=1,
                convenings_each=3,
                within_months=12,
                begins_on=a.on("2019-06"),
                source="The letter of commission",
                demonstration_on=SHOWN,
            ),
        ),
    ),
    (
        "membership",
        "organisation",
        "full",
        (
            OrganisationRegistered(
                kind=OrganisationKind.TRUST, name="In full", ods_code="RTH", region="South", demonstration_on=SHOWN
            ),
        ),
    ),
    (
        "membership",
        "community",
        "full",
        (
            CommunityFounded(
                title="In full",
                kind=CommunityKind.PRACTICE,
                governance=Governance.FACILITATED,
                founded_on=a.on("2019-07"),
                programme_id="full",
                host_id="full",
                description="All that can be stated",
                services=("maternity", "diabetes"),
                mechanisms=("connecting", "developing"),
                accredited_by="The college",
                demonstration_on=SHOWN,
            ),
            a.design_group_met("full", person_ids=(TWICE, MOVING), organisation_ids=("full",)),
        ),
    ),
    (
        "convenings",
        "community",
        "full",
        (
            ConveningScheduled(
                convening_id="full-0",
                title="In full",
                scheduled_on=a.on("2019-09-12"),
                starts_at=datetime(2019, 9, 12, 9, 30, tzinfo=UTC),
                ends_at=datetime(2019, 9, 12, 12, 0, tzinfo=UTC),
                capacity=40,
                called_by_members=False,
            ),
        ),
    ),
    (
        "feedback",
        "innovation",
        "full",
        (
            InnovationRegistered(
                title="In full", description="All that can be stated", community_id="full", demonstration_on=SHOWN
            ),
        ),
    ),
)
"""One of each thing that is founded, of which all is stated that can be."""

MOVED = (
    a.affiliation_began("two", MOVING, began_on="2020-03", organisation_id="rjz", service="maternity"),
    a.affiliation_began("one", MOVING, began_on="2018", organisation_id="rj1", service="diabetes"),
    *(a.affiliation_ended("one", MOVING, ended_on=on) for on in ("2020-03", "2020-02")),
    a.affiliation_began("one", MOVING, began_on="2018-06", organisation_id="rj2", profession=None),
)
"""The later affiliation is told first; the earlier one has its end told again, and its beginning without a service."""
MERGED = a.person_merged(ONE, OTHER)
ERASED = a.person_erased(LEFT)

AGAIN: tuple[Told, ...] = (
    (
        "membership",
        "programme",
        "again",
        (
            a.programme_commissioned("Once", commissioned_on="2019-02", communities=3, within_months=None),
            a.programme_commissioned("Again", commissioned_on="2019-03", communities=None, commissioned_by="rj1"),
            a.programme_followed("second", "It was told first"),
            a.programme_followed("first", "It was told again"),
            a.design_group_met("b", met_on="2019-04", person_ids=(TWICE, MOVING), organisation_ids=("rjz", "rj1")),
            a.domains_decided("b", decided_on="2019-04", domains={"ultrasound": "Imaging", "again": "Twice"}),
            a.design_group_met("b", met_on="2019-05", person_ids=(OTHER, ONE), organisation_ids=("rvr", "rax")),
            a.domains_decided("b", decided_on="2019-04", domains={"again": "More than once"}),
            a.design_group_met("a", met_on="2018", organisation_ids=("rj2",)),
        ),
    ),
    (
        "membership",
        "organisation",
        "again",
        (
            a.organisation_registered("Told again"),
            a.organisation_joined_network("2013"),
            a.organisation_joined_network("2014-05"),
            a.organisation_joined_board("swl", "2022-07"),
            a.organisation_joined_board("qkk", "2022-07-31"),
            a.organisation_joined_board("qwe", "2016"),
            a.organisation_renamed("Zeta", "2020-12-31"),
            a.organisation_renamed("Alpha", "2020"),
            a.organisation_renamed("Mu", "2019-06"),
        ),
    ),
    *(
        ("membership", "person", person, (a.person_registered(person), *facts))
        for person, facts in ((TWICE, ()), (MOVING, MOVED), (ONE, (MERGED,)), (OTHER, ()))
    ),
    ("membership", "person", LEFT, (a.person_registered(LEFT), ERASED, a.person_registered(LEFT))),
    (
        "membership",
        "community",
        "again",
        (
            a.community_founded("Once", founded_on="2019-01", programme_id="first", host_id="rj1"),
            a.community_founded("Again", CommunityKind.COHORT, founded_on="2019-02", host_id="rj2"),
            # two roles and two memberships with one beginning, of which one is left
            a.member_joined(TWICE, joined_on="2019-03"),
            a.member_joined(TWICE, joined_on="2019-03-31", role=Role.CONVENOR),
            a.member_joined(TWICE, joined_on="2019-04"),
            a.member_left(TWICE, joined_on="2019-03", left_on="2020-02-10"),
            # left on the day of joining, back on it, left again, and once more
            a.member_joined(LEFT, joined_on="2019-05-31"),
            a.member_left(LEFT, joined_on="2019-05", left_on="2019-05"),
            a.member_joined(LEFT, joined_on="2019-05"),
            a.member_left(LEFT, joined_on="2019-05-31", left_on="2020-01"),
            a.member_left(LEFT, joined_on="2019-05", left_on="2021"),
            *(a.member_joined(person, joined_on="2019") for person in (MOVING, ONE, OTHER)),
            *(a.member_completed(TWICE, completed_on=on) for on in ("2019-10", "2019-11")),
            *(a.member_completed(MOVING, completed_on=on) for on in ("2019-11", "2019-10")),
            a.member_completed(ONE, completed_on="2021"),
            a.member_completed(OTHER, completed_on="2020-11"),
            *MOVED,
            MERGED,
            ERASED,
            a.community_closed("2021-03"),
            a.community_closed("2021-06"),
            a.community_closed("2021-05"),
            a.design_group_met("b", met_on="2019-08", organisation_ids=("rj1",)),
            a.design_group_met("a", met_on="2019-07", organisation_ids=("rjz",)),
        ),
    ),
    (
        "convenings",
        "community",
        "again",
        (
            a.convening_scheduled("moved", scheduled_on="2019-04", capacity=10),
            a.convening_scheduled("moved", "Told again", scheduled_on="2019-05", called_by_members=True),
            *(a.convening_rescheduled("moved", scheduled_on=on) for on in ("2019-07", "2019-06")),
            *(a.convening_held("moved", held_on=on) for on in ("2019-08", "2019-06")),
            a.attendance_taken("moved", held_on="2019-06"),
            # cancelled, and yet moved or held
            a.convening_scheduled("off", scheduled_on="2019-09"),
            a.convening_cancelled("off"),
            a.convening_rescheduled("off", scheduled_on="2019-10"),
            a.convening_scheduled("held", scheduled_on="2019-12"),
            a.convening_cancelled("held"),
            *(a.convening_cancelled("held", cancelled_on=on) for on in ("2019-12-02", "2019-12-01")),
            a.convening_held("held", held_on="2019-12"),
            a.attendance_taken("held", held_on="2019-12"),
            # a year is all that is known of the last one
            a.convening_scheduled("last", scheduled_on="2021"),
            a.convening_held("last", held_on="2021"),
            a.attendance_taken("last", held_on="2021"),
            *MOVED,
            MERGED,
            ERASED,
            a.registration_made(TWICE, "moved", registered_on="2019-04"),
            *(a.registration_withdrawn(TWICE, "moved", withdrawn_on=on) for on in ("2020-01", "2019-05")),
            a.registration_made(LEFT, "held", registered_on="2019"),
            *(a.registration_withdrawn(LEFT, "held", withdrawn_on=on) for on in ("2019-12-31", "2020-02")),
            *(a.person_attended(TWICE, "moved", attended_on=on) for on in ("2019-08", "2019-06")),
            *(a.person_attended(MOVING, convening, attended_on="2019-12") for convening in ("moved", "held")),
            *(a.person_attended(person, "last", attended_on="2021") for person in (TWICE, OTHER)),
            # under both ids, the one that goes on came earlier
            a.person_attended(ONE, "held", attended_on="2020-02-10"),
            a.person_attended(OTHER, "held", attended_on="2019-12"),
        ),
    ),
    (
        "feedback",
        "community",
        "again",
        (
            a.form_opened(a.question("useful"), opened_on="2019-09", convening_id="moved"),
            a.form_opened(a.question("format", Scale.CHOICE), a.COMMENTS, opened_on="2019-10"),
            a.response_received(TWICE, answers={"format": "yes"}, in_words=("format", "comments")),
        ),
    ),
    (
        "feedback",
        "innovation",
        "again",
        (
            a.innovation_registered("Once", community_id="again"),
            a.innovation_registered("Again"),
            a.became_eligible("rj1", eligible_from="2010"),
            a.ceased_eligible("rj1", eligible_until_on="2019-01"),
            a.became_eligible("rj1", eligible_from="2020-02"),
            a.ceased_eligible("rj1", eligible_until_on="2020"),
            a.became_eligible("rj2", eligible_from="2019-06"),
            a.ceased_eligible("rj2", eligible_until_on="2019-06-30"),
            *(
                a.stage_reached(stage, organisation_id="rj2", reached_on=on)
                for stage, on in (
                    (AdoptionStage.SUSTAINED, "2019-12"),
                    (AdoptionStage.PAUSED, "2019-12-31"),
                    (AdoptionStage.ADOPTED, "2019"),
                    (AdoptionStage.IN_PROGRESS, "2019-09"),
                )
            ),
        ),
    ),
)
"""One of each thing that is told more than once: what it was told to be last is what it is."""

SELDOM = (*IN_FULL, *AGAIN)
