"""Participations under ids that were merged are taken as one, whichever of them are looked at first."""

from itertools import permutations

from msgspec.structs import replace

from shared.events.membership import HowJoined, Role
from shared.measures.membership import COMPLETIONS, MEMBERS
from shared.measures.participation import ATTENDANCES, FIRST_RECORDED, PARTICIPANTS, REGISTRATIONS, WALK_INS
from shared.measures.united import absent, goes_on, united
from shared.views.records import Affiliation, Membership, ParticipationRecord, Registration
from tests.builders import ANNA, BEN, CHIDI, DALIA
from tests.unit.shared.figures import sums, whole

LAST = "2020-12-31"


def belongs(person_id: str, since: str, role: Role = Role.MEMBER, organisation: str = "rj1") -> ParticipationRecord:
    return ParticipationRecord(
        community_id="rehabilitation",
        person_id=person_id,
        memberships=(Membership(role=role, how=HowJoined.INVITED, joined_on=since),),
        affiliations=(Affiliation(affiliation_id="first", organisation_id=organisation, began_on="2018-01-01"),),
    )


ONE = replace(belongs(ANNA, "2019-01-01"), merged_into=BEN)
OTHER = replace(belongs(BEN, "2020-01-01", Role.CONVENOR, "rjz"), merged_from=(ANNA,), merged_into=CHIDI)
LAST_ONE = ParticipationRecord(community_id="rehabilitation", person_id=CHIDI, merged_from=(BEN,))
STRANGER = belongs(DALIA, "2019-06-01")


def test_one_person_is_left_of_a_line_of_merges_under_the_id_that_goes_on() -> None:
    for order in permutations([ONE, OTHER, LAST_ONE, STRANGER]):
        people = {one.person_id: one for one in united(order)}
        assert people.keys() == {CHIDI, DALIA}
        assert people[DALIA] == STRANGER
        assert whole(MEMBERS, *people.values(), at=LAST) == 2
        assert sums(MEMBERS, people[CHIDI], at=LAST) == {
            "": 1,
            "role=member": 1,
            "role=convenor": 1,
            "how=invited": 1,
            "organisation=rj1": 1,
            "organisation=rjz": 1,
            "service=not-stated": 1,
            "profession=not-stated": 1,
        }


def test_they_belong_from_the_day_that_the_first_of_them_did() -> None:
    assert [whole(MEMBERS, *united([OTHER, ONE]), at=day) for day in ("2018-12-31", "2019-01-01")] == [0, 1]


def test_what_both_did_counts_once() -> None:
    registered = {"spring": (Registration(registered_on="2019-02-01"),)}
    came = {"attended": {"spring": "2019-03-01"}, "first_attended_on": "2019-03-01", "registered": registered}
    late = {"attended": {"spring": "2019-03-01", "autumn": "2019-10-01"}, "first_attended_on": "2019-03-01"}
    people = united([replace(ONE, completed_on="2019-12-31", **came), replace(OTHER, completed_on=LAST, **late)])
    for measure, value in {PARTICIPANTS: 1, ATTENDANCES: 2, FIRST_RECORDED: 1, REGISTRATIONS: 1, WALK_INS: 1}.items():
        assert whole(measure, *people, at=LAST) == value, measure.name
    assert whole(COMPLETIONS, *people, at="2019-12-31") == 1


def test_what_both_did_is_dated_from_the_first_time_whichever_id_comes_first() -> None:
    early = {"attended": {"spring": "2019-03-01"}, "first_attended_on": "2019-03-01", "completed_on": "2019-11-30"}
    late = {"attended": {"spring": "2019-03-02"}, "first_attended_on": "2019-03-02", "completed_on": "2019-12-31"}
    for ones, others in ((early, late), (late, early)):
        (person,) = united([replace(ONE, **ones), replace(OTHER, **others)])
        assert person.only(*early) == early


def test_what_only_one_of_them_did_is_kept_whichever_id_comes_first() -> None:
    did = {"attended": {"spring": "2019-03-01"}, "first_attended_on": "2019-03-01", "completed_on": "2019-11-30"}
    for people in ([replace(ONE, **did), OTHER], [ONE, replace(OTHER, **did)]):
        (person,) = united(people)
        assert person.only(*did) == did


def test_those_of_the_same_people_that_are_not_there_are_named() -> None:
    assert absent([ONE, STRANGER]) == {("rehabilitation", BEN)}
    assert absent([OTHER]) == {("rehabilitation", ANNA), ("rehabilitation", CHIDI)}
    assert absent([ONE, OTHER, LAST_ONE]) == set()


def test_no_line_of_merges_is_followed_for_ever() -> None:
    assert goes_on(ANNA, {ANNA: BEN, BEN: CHIDI}) == CHIDI
    assert goes_on(ANNA, {ANNA: BEN, BEN: ANNA}) in (ANNA, BEN)
