"""Participants, attendances, registrations and what became of them, retention."""

from collections import Counter
from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from shared.events.membership import HowJoined, Role
from shared.measures.participation import (
    ATTENDANCES,
    FIRST_RECORDED,
    PARTICIPANTS,
    REGISTERED_AND_CAME,
    REGISTRATIONS,
    WALK_INS,
    Retained,
    in_order,
    retention,
)
from shared.views.records import Affiliation, ConveningRecord, Membership, ParticipationRecord, Registration
from tests.builders import ANNA, BEN, CHIDI, DALIA
from tests.unit.shared.figures import CALENDAR, DAYS, LATER, sums, whole

KINGS = Affiliation(affiliation_id="first", organisation_id="rjz", began_on="2018-12-31")


def came(
    to: Mapping[str, str],
    person_id: str = ANNA,
    *,
    registered: Mapping[str, tuple[Registration, ...]] | None = None,
    affiliations: tuple[Affiliation, ...] = (),
    left_on: str | None = None,
    member: bool = True,
) -> ParticipationRecord:
    """Somebody who came to these convenings, on these days."""
    belonged = Membership(role=Role.MEMBER, how=HowJoined.INVITED, joined_on="2018-12-31", left_on=left_on)
    return ParticipationRecord(
        community_id="rehabilitation",
        person_id=person_id,
        attended=to,
        registered=registered or {},
        affiliations=affiliations,
        memberships=(belonged,) if member else (),
    )


def registered(registered_on: str, withdrawn_on: str | None = None) -> Registration:
    return Registration(registered_on=registered_on, withdrawn_on=withdrawn_on)


def held(
    convening_id: str, held_on: str | None, *, known: bool = True, cancelled_on: str | None = None
) -> ConveningRecord:
    return ConveningRecord(
        community_id="rehabilitation",
        convening_id=convening_id,
        held_on=held_on,
        attendance_known=known,
        cancelled_on=cancelled_on,
    )


def test_a_participant_counts_once_from_the_first_day_they_came() -> None:
    anna = came({"spring": "2019-03-01", "autumn": "2019-10-01"})
    assert [whole(PARTICIPANTS, anna, at=day) for day in ("2019-02-28", "2019-03-01", "2020-01-01")] == [0, 1, 1]
    assert whole(ATTENDANCES, anna, at="2020-01-01") == 2


def test_members_who_never_came_are_no_participants() -> None:
    assert sums(PARTICIPANTS, came({}), at="2030-01-01") == {}


def test_a_participant_counts_under_each_organisation_they_came_from() -> None:
    moved = came(
        {"spring": "2019-03-01", "autumn": "2019-10-01"},
        affiliations=(
            replace(KINGS, ended_on="2019-06-01"),
            Affiliation(affiliation_id="second", organisation_id="rj1", began_on="2019-06-01"),
        ),
    )
    at_last = sums(PARTICIPANTS, moved, at="2019-12-31")
    assert (at_last[""], at_last["organisation=rjz"], at_last["organisation=rj1"]) == (1, 1, 1)
    assert "organisation=rj1" not in sums(PARTICIPANTS, moved, at="2019-03-01")


def test_attendances_count_by_convening_and_organisation() -> None:
    anna = came({"spring": "2019-03-01"}, affiliations=(KINGS,))
    ben = came({"spring": "2019-03-01", "autumn": "2019-10-01"}, BEN)
    assert sums(ATTENDANCES, anna, ben, at="2019-12-31") == {
        "": 3,
        "convening=spring": 2,
        "convening=autumn": 1,
        "organisation=rjz": 1,
    }


def test_the_first_recorded_of_two_on_one_day_is_the_first_by_id() -> None:
    anna = came({"evening": "2019-03-01", "afternoon": "2019-03-01"})
    assert sums(FIRST_RECORDED, anna, at="2019-03-01") == {"": 1, "convening=afternoon": 1}


def test_registrations_stand_until_they_are_withdrawn() -> None:
    anna = came({}, registered={"spring": (registered("2019-02-01", "2019-02-10"),)})
    assert [whole(REGISTRATIONS, anna, at=day) for day in ("2019-01-31", "2019-02-09", "2019-02-10")] == [0, 1, 0]


def test_somebody_who_registers_anew_stood_before_as_well() -> None:
    twice = (registered("2019-02-01", "2019-02-10"), registered("2019-02-20"))
    anna = came({}, registered={"spring": twice})
    assert [whole(REGISTRATIONS, anna, at=day) for day in ("2019-02-05", "2019-02-15", "2019-02-25")] == [1, 0, 1]


def test_a_registration_of_a_coarse_date_that_was_withdrawn_within_it_never_counts_and_never_below_zero() -> None:
    anna = came({}, registered={"spring": (registered("2019-12-31", "2019-06-01"),)})
    assert all(sums(REGISTRATIONS, anna, at=day) == {} for day in ("2019-06-01", "2019-12-30", "2019-12-31"))


def test_who_came_without_a_registration_that_stood_is_a_walk_in() -> None:
    to_spring = {"spring": "2019-03-01"}
    anna = came(to_spring, registered={"spring": (registered("2019-02-01"),)})
    ben = came(to_spring, BEN)
    chidi = came(to_spring, CHIDI, registered={"spring": (registered("2019-02-01", "2019-02-10"),)})
    dalia = came(to_spring, DALIA, registered={"autumn": (registered("2019-02-01"),)})
    everybody = (anna, ben, chidi, dalia)
    assert sums(REGISTERED_AND_CAME, *everybody, at="2019-03-01") == {"": 1, "convening=spring": 1}
    assert sums(WALK_INS, *everybody, at="2019-03-01") == {"": 3, "convening=spring": 3}


def test_who_registered_under_two_ids_and_withdrew_under_one_came_registered() -> None:
    standing, withdrawn = registered("2019-02-01"), registered("2019-02-01", "2019-02-10")
    for both in ((standing, withdrawn), (withdrawn, standing)):
        anna = came({"spring": "2019-03-01"}, registered={"spring": both})
        assert whole(REGISTERED_AND_CAME, anna, at="2019-03-01") == 1
        assert whole(WALK_INS, anna, at="2019-03-01") == 0


def test_convenings_are_in_order_of_their_days_and_then_of_their_ids() -> None:
    convenings = [held("b", "2019-03-01"), held("a", "2019-03-01"), held("c", "2019-01-01"), held("d", None)]
    assert [one.convening_id for one in in_order(convenings, "2019-12-31")] == ["c", "a", "b"]
    assert [one.convening_id for one in in_order(convenings, "2019-02-28")] == ["c"]
    assert [one.convening_id for one in in_order(convenings, "2019-03-01")] == ["c", "a", "b"], "the day counts"


LAST = Retained(None, why_none="no later convening was held")


def test_retention_is_the_share_that_came_to_the_next_one_too() -> None:
    convenings = [held("spring", "2019-03-01"), held("autumn", "2019-10-01")]
    people = [
        came({"spring": "2019-03-01", "autumn": "2019-10-01"}),
        came({"spring": "2019-03-01"}, BEN),
        came({"autumn": "2019-10-01"}, CHIDI),
    ]
    assert retention(convenings, people) == {"spring": Retained(0.5, 2), "autumn": LAST}


def test_who_has_left_before_the_next_one_is_not_expected_there() -> None:
    convenings = [held("spring", "2019-03-01"), held("autumn", "2019-10-01")]
    people = [
        came({"spring": "2019-03-01", "autumn": "2019-10-01"}),
        came({"spring": "2019-03-01"}, BEN, left_on="2019-10-01"),
    ]
    assert retention(convenings, people)["spring"] == Retained(1.0, 1)


def test_who_came_without_belonging_has_not_left() -> None:
    convenings = [held("spring", "2019-03-01"), held("autumn", "2019-10-01")]
    assert retention(convenings, [came({"spring": "2019-03-01"}, member=False)])["spring"] == Retained(0.0, 1)


def test_retention_is_not_known_where_attendance_at_either_is_not() -> None:
    convenings = [
        held("a", "2019-01-01"),
        held("b", "2019-02-01", known=False),
        held("c", "2019-03-01"),
        held("d", "2019-04-01"),
    ]
    people = [came({"a": "2019-01-01", "c": "2019-03-01", "d": "2019-04-01"})]
    shares = retention(convenings, people)
    unknown = Retained(None, unknown=1, why_none="attendance is unknown")
    assert shares == {"a": unknown, "b": unknown, "c": Retained(1.0, 1), "d": LAST}


def test_retention_is_not_known_where_nobody_came_or_all_left() -> None:
    convenings = [held("spring", "2019-03-01"), held("autumn", "2019-10-01")]
    nobody = Retained(None, why_none="nobody stayed")
    assert retention(convenings, [])["spring"] == nobody
    assert retention(convenings, [came({"spring": "2019-03-01"}, left_on="2019-04-01")])["spring"] == nobody


def test_a_cancelled_convening_is_skipped() -> None:
    convenings = [
        held("spring", "2019-03-01"),
        held("summer", None, cancelled_on="2019-05-20"),
        held("autumn", "2019-10-01"),
    ]
    people = [came({"spring": "2019-03-01", "autumn": "2019-10-01"})]
    assert retention(in_order(convenings, "2019-12-31"), people) == {"spring": Retained(1.0, 1), "autumn": LAST}


def test_nothing_held_keeps_nobody() -> None:
    assert retention([], [came({})]) == {}


CONVENINGS = ("a", "b", "c")
REGISTERED = st.dictionaries(
    st.sampled_from(CONVENINGS),
    st.lists(st.builds(Registration, registered_on=DAYS, withdrawn_on=LATER), min_size=1, max_size=3).map(tuple),
)
PEOPLE = st.lists(
    st.builds(
        lambda to, registrations: came(to, registered=registrations),
        st.dictionaries(st.sampled_from(CONVENINGS), DAYS),
        REGISTERED,
    ),
    max_size=4,
)


@given(PEOPLE)
def test_on_every_day_the_sums_are_what_going_through_the_sheets_gives(people: list[ParticipationRecord]) -> None:
    for day in CALENDAR:
        assert whole(PARTICIPANTS, *people, at=day) == sum(
            min(p.attended.values(), default="9999") <= day for p in people
        )
        sheet = Counter(c for p in people for c, on in p.attended.items() if on <= day)
        assert sums(ATTENDANCES, *people, at=day) == by_convening(sheet)
        standing = Counter(
            convening
            for p in people
            for convening, made in p.registered.items()
            if any(one.registered_on <= day < (one.withdrawn_on or "9999") for one in made)
        )
        assert sums(REGISTRATIONS, *people, at=day) == by_convening(standing)
        both = whole(REGISTERED_AND_CAME, *people, at=day) + whole(WALK_INS, *people, at=day)
        assert both == whole(ATTENDANCES, *people, at=day), "whoever came had registered or walked in"
        assert whole(FIRST_RECORDED, *people, at=day) == whole(PARTICIPANTS, *people, at=day)


def by_convening(counted: Counter[str]) -> dict[str, int]:
    parts = {f"convening={convening}": number for convening, number in counted.items()}
    return parts | ({"": counted.total()} if counted.total() else {})
