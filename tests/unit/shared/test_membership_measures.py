"""Members on a day, by role and affiliation; completions."""

from collections import Counter
from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from shared.events.membership import HowJoined, Role
from shared.measures.membership import COMPLETIONS, MEMBERS
from shared.views.records import Affiliation, Membership, ParticipationRecord
from tests.builders import ANNA, BEN
from tests.unit.shared.figures import CALENDAR, DAYS, LATER, sums, whole


def member(
    joined_on: str, left_on: str | None = None, role: Role = Role.MEMBER, how: HowJoined = HowJoined.INVITED
) -> Membership:
    return Membership(role=role, how=how, joined_on=joined_on, left_on=left_on)


def belongs(
    *memberships: Membership, person_id: str = ANNA, affiliations: tuple[Affiliation, ...] = ()
) -> ParticipationRecord:
    return ParticipationRecord(
        community_id="rehabilitation", person_id=person_id, memberships=memberships, affiliations=affiliations
    )


def affiliated(
    organisation_id: str | None, began_on: str | None, ended_on: str | None = None, id: str = "first"
) -> Affiliation:
    return Affiliation(affiliation_id=id, organisation_id=organisation_id, began_on=began_on, ended_on=ended_on)


def test_a_member_counts_from_the_day_they_joined_up_to_not_including_the_day_they_left() -> None:
    anna = belongs(member("2019-02-01", "2019-03-01"))
    assert [whole(MEMBERS, anna, at=day) for day in ("2019-01-31", "2019-02-01", "2019-02-28", "2019-03-01")] == [
        0,
        1,
        1,
        0,
    ]


def test_a_leave_dated_in_the_future_takes_effect_without_another_fact() -> None:
    anna = belongs(member("2019-02-01", "2030-01-01"))
    assert whole(MEMBERS, anna, at="2029-12-31") == 1
    assert whole(MEMBERS, anna, at="2030-01-01") == 0


def test_a_change_of_role_on_one_day_leaves_one_member_in_the_new_role() -> None:
    anna = belongs(member("2019-02-01", "2019-06-01"), member("2019-06-01", role=Role.CONVENOR))
    assert sums(MEMBERS, anna, at="2019-05-31")["role=member"] == 1
    on_the_day = sums(MEMBERS, anna, at="2019-06-01")
    assert on_the_day[""] == on_the_day["role=convenor"] == 1
    assert "role=member" not in on_the_day


def test_a_membership_that_ended_on_the_day_it_began_never_counts() -> None:
    anna = belongs(member("2019-02-01", "2019-02-01"))
    assert all(sums(MEMBERS, anna, at=day) == {} for day in ("2019-01-31", "2019-02-01", "2019-02-02"))


def test_somebody_who_comes_back_counts_again_and_once() -> None:
    anna = belongs(member("2019-02-01", "2019-03-01"), member("2019-05-01"))
    assert [whole(MEMBERS, anna, at=day) for day in ("2019-02-15", "2019-04-15", "2019-05-15")] == [1, 0, 1]


def test_a_member_counts_under_their_organisation_as_long_as_they_belong_to_both() -> None:
    anna = belongs(
        member("2019-02-01"),
        affiliations=(
            affiliated("rj1", "2018-01-01", "2019-06-01", "first"),
            affiliated("rjz", "2019-06-01", None, "second"),
        ),
    )
    assert sums(MEMBERS, anna, at="2019-05-31")["organisation=rj1"] == 1
    moved = sums(MEMBERS, anna, at="2019-06-01")
    assert "organisation=rj1" not in moved
    assert moved["organisation=rjz"] == 1


def test_somebody_with_two_organisations_counts_under_both_and_once_in_the_whole() -> None:
    both = (affiliated("rj1", "2018-01-01"), affiliated("kings", "2018-01-01", id="second"))
    counted = sums(MEMBERS, belongs(member("2019-02-01"), affiliations=both), at="2019-02-01")
    assert (counted[""], counted["organisation=rj1"], counted["organisation=kings"]) == (1, 1, 1)


def test_somebody_whose_organisation_nobody_stated_counts_as_not_stated_until_it_is() -> None:
    anna = belongs(member("2019-02-01"), affiliations=(affiliated("rj1", "2019-04-01"),))
    assert sums(MEMBERS, anna, at="2019-03-31")["organisation=not-stated"] == 1
    assert "organisation=not-stated" not in sums(MEMBERS, anna, at="2019-04-01")


def test_an_affiliation_whose_beginning_is_missing_counts_for_nothing() -> None:
    anna = belongs(member("2019-02-01"), affiliations=(affiliated(None, None, "2019-06-01"),))
    assert sums(MEMBERS, anna, at="2019-03-01")["organisation=not-stated"] == 1


def test_completions_count_from_their_day_also_of_those_who_left() -> None:
    anna = replace(belongs(member("2019-02-01", "2019-12-31")), completed_on="2019-12-31")
    ben = belongs(member("2019-02-01"), person_id=BEN)
    assert whole(COMPLETIONS, anna, ben, at="2019-12-30") == 0
    assert whole(COMPLETIONS, anna, ben, at="2021-01-01") == 1


MEMBERSHIPS = st.lists(
    st.builds(Membership, role=st.sampled_from(Role), how=st.sampled_from(HowJoined), joined_on=DAYS, left_on=LATER),
    max_size=4,
)
AFFILIATIONS = st.lists(
    st.builds(
        Affiliation,
        affiliation_id=st.sampled_from("abc"),
        began_on=LATER,
        ended_on=LATER,
        organisation_id=st.sampled_from(["rj1", "rjz", None]),
        service=st.sampled_from(["maternity", None]),
        profession=st.none(),
    ),
    max_size=3,
)
PEOPLE = st.lists(
    st.builds(
        lambda person, memberships, affiliations: belongs(
            *memberships, person_id=person, affiliations=tuple(affiliations)
        ),
        st.sampled_from([ANNA, BEN]),
        MEMBERSHIPS,
        AFFILIATIONS,
    ),
    max_size=3,
)


@given(PEOPLE)
def test_on_every_day_the_sums_are_what_counting_people_gives(people: list[ParticipationRecord]) -> None:
    for day in CALENDAR:
        assert sums(MEMBERS, *people, at=day) == counted(people, day)


def counted(people: Iterable[ParticipationRecord], day: str) -> dict[str, int]:
    """Independent of the measure: look at each person on the day, and count them under all they are."""
    found = Counter[str]()
    for person in people:
        held = [m for m in person.memberships if m.joined_on <= day < (m.left_on or "9999")]
        if not held:
            continue
        there = [a for a in person.affiliations if a.began_on and a.began_on <= day < (a.ended_on or "9999")]
        found[""] += 1
        found.update({f"role={m.role.value}" for m in held})
        found.update({f"how={m.how.value}" for m in held})
        found.update(parts("organisation", {a.organisation_id for a in there}))
        found.update(parts("service", {a.service for a in there}))
        found.update(parts("profession", set()))
    return dict(found)


def parts(dimension: str, stated: set[str | None]) -> set[str]:
    return {f"{dimension}={part}" for part in stated - {None} or {"not-stated"}}
