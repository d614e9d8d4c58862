"""What a later release adds is set aside; what a release knew is not."""

import json
from typing import Any

from shared.events.membership import HowJoined, Role
from shared.views.records import CommunityRecord, Membership, ParticipationRecord, Registration
from tests.golden.known import Known, known_figures, known_now, known_records

ANNA = ParticipationRecord(
    "diabetes",
    "anna",
    memberships=(Membership(Role.MEMBER, HowJoined.INVITED, "2019-01-31", left_on="2020-01-31"),),
    registered={"spring": (Registration("2019-02-01", withdrawn_on="2019-02-10"),)},
)
CLOSED = CommunityRecord("diabetes", title="Diabetes", closed_on="2021-12-31")
FOUND = {"participation/diabetes/anna": ANNA, "community/diabetes": CLOSED}
FIGURES = {
    "sums": {"2020-12-31": {"community.diabetes": {"members": {"": 2, "role=member": 1}, "completions": {"": 1}}}},
    "records": {"community": 1, "participation": 1},
    "nps": {},
}


def known(*without: tuple[str, str]) -> Known:
    """What is known now, without some fields of some places."""
    now = known_now(FIGURES)
    for place, name in without:
        now["fields"][place].remove(name)
    return now


def as_json(value: Any) -> Any:
    return json.loads(json.dumps(value))


def test_all_that_is_known_is_held_as_it_is_stored() -> None:
    assert known_records(FOUND, known()) == {id: as_json(record.to_store()) for id, record in FOUND.items()}


def test_a_field_that_was_added_since_is_set_aside_and_nothing_else() -> None:
    assert known_records(FOUND, known(("community", "closed_on")))["community/diabetes"] == {
        "community_id": "diabetes",
        "title": "Diabetes",
    }


def test_so_is_one_of_a_part_of_a_record_wherever_it_stands() -> None:
    earlier = known(("participation.memberships", "left_on"), ("participation.registered", "withdrawn_on"))
    assert known_records(FOUND, earlier)["participation/diabetes/anna"] == {
        "community_id": "diabetes",
        "person_id": "anna",
        "memberships": [{"role": "member", "how": "invited", "joined_on": "2019-01-31"}],
        "registered": {"spring": [{"registered_on": "2019-02-01"}]},
    }


def test_a_kind_of_record_that_was_added_since_is_set_aside_and_not_counted() -> None:
    earlier = known()
    del earlier["fields"]["community"]
    assert list(known_records(FOUND, earlier)) == ["participation/diabetes/anna"]
    assert known_figures(FIGURES, earlier)["records"] == {"participation": 1}


def test_a_figure_a_measure_and_a_part_of_one_that_were_added_since_are_set_aside() -> None:
    earlier = known()
    del earlier["measures"]["completions"]
    earlier["measures"]["members"].remove("role")
    earlier["figures"].remove("nps")
    assert known_figures(FIGURES, earlier) == {
        "sums": {"2020-12-31": {"community.diabetes": {"members": {"": 2}}}},
        "records": {"community": 1, "participation": 1},
    }


def test_a_measure_that_was_known_is_held_though_none_of_it_was_recorded() -> None:
    none_of_it = {**FIGURES, "sums": {"2020-12-31": {"community.diabetes": {"members": {"": 2}}}}}
    assert known_figures(FIGURES, known_now(none_of_it)) == FIGURES
