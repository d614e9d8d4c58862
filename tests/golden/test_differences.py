"""What is told where a release's recording and the present code differ."""

from tests.golden.differences import AT_MOST, differences, told

RECORDED = {
    "2020-12-31": {"community.diabetes": {"members": {"": 19, "role=member": 12}}},
    "participation/diabetes/anna": {"memberships": [{"role": "member", "left_on": "2020-06-30"}]},
    "nps": {"community.diabetes": [-14.3, [-53.8, 30.2], 14]},
}


def test_what_is_the_same_is_not_told() -> None:
    assert differences(RECORDED, RECORDED) == []


def test_a_figure_is_told_with_its_place_and_both_values() -> None:
    found = {**RECORDED, "2020-12-31": {"community.diabetes": {"members": {"": 18, "role=member": 12}}}}
    assert told(differences(RECORDED, found)) == (
        "2020-12-31, community.diabetes, members: recorded 19, folded 18; see docs/how-to/release.md"
    )


def test_a_field_within_a_record_is_told_and_what_is_there_on_one_side_only() -> None:
    found = {**RECORDED, "participation/diabetes/anna": {"memberships": [{"role": "member"}, {"role": "convenor"}]}}
    assert told(differences(RECORDED, found), "recounted") == (
        "participation/diabetes/anna, memberships, 1, left_on: recorded 2020-06-30, recounted nothing\n"
        "participation/diabetes/anna, memberships, 2, role: recorded nothing, recounted convenor;"
        " see docs/how-to/release.md"
    )


def test_of_many_it_is_told_how_many_more_there_are() -> None:
    lines = told(differences({}, {f"{number:03}": number for number in range(AT_MOST + 5)})).splitlines()
    assert lines[0] == "000: recorded nothing, folded 0"
    assert len(lines) == AT_MOST + 1
    assert lines[-1] == "and 5 more; see docs/how-to/release.md"
