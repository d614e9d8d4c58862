"""What a row becomes."""

import pytest

from deploy.client import Command
from deploy.importing.failures import RowRefused
from deploy.importing.files import Row
from deploy.importing.kinds import Kind
from deploy.importing.plans import Context, Person, plan

CONTEXT = Context("kubernetes", community_of={"meeting 1": "sig.docs"}.get)


def test_a_community_keeps_its_source_key_beside_its_id_and_says_what_is_not_stated() -> None:
    planned = plan(Kind.COMMUNITIES, Row(2, {"community_ref": "k8s.io-admins", "name": "Admins"}), CONTEXT)
    assert planned.commands == (
        Command(
            "PUT",
            "/v1/communities/k8s-io-admins",
            {
                "title": "Admins",
                "kind": "practice",
                "governance": "not-stated",
                "reference": {"source": "kubernetes", "ref": "k8s.io-admins"},
            },
        ),
    )


def test_a_membership_with_its_end_is_one_command() -> None:
    values = {"community_ref": "docs", "person_ref": "p1", "role": "convenor"}
    row = Row(2, {**values, "joined_on": "31/01/2019", "left_on": "2020-02"})
    planned = plan(Kind.MEMBERSHIPS, row, CONTEXT)
    assert planned.person == Person("p1")
    assert planned.commands == (
        Command(
            "PUT",
            "/v1/communities/docs/members/{person}",
            {"role": "convenor", "joined_on": "2019-01-31", "left_on": "2020-02"},
        ),
    )


def test_a_convening_is_scheduled_and_held_and_founds_its_community_where_need_be() -> None:
    row = Row(2, {"convening_ref": "m-1", "community_ref": "cpc", "title": "M", "held_on": "2019-01-31"})
    planned = plan(Kind.CONVENINGS, row, CONTEXT)
    assert [command.path.rpartition("/v1/communities/cpc/convenings/")[2] for command in planned.commands] == [
        "m-1",
        "m-1/held",
    ]
    assert planned.founds is not None
    assert planned.founds.body["title"] == "cpc"


def test_nothing_says_that_attendance_was_taken_but_an_attendance() -> None:
    row = Row(2, {"convening_ref": "m-1", "community_ref": "cpc", "title": "M", "held_on": "2019-01-31"})
    assert not any("attendance" in command.path for command in plan(Kind.CONVENINGS, row, CONTEXT).commands)


def test_an_attendance_finds_the_community_of_its_convening() -> None:
    row = Row(2, {"convening_ref": "meeting 1", "person_ref": "p1"})
    (command,) = plan(Kind.ATTENDANCES, row, CONTEXT).commands
    assert command == Command("PUT", "/v1/communities/sig-docs/convenings/meeting-1/attendance/{person}", {})


def test_a_person_with_an_organisation_is_affiliated_from_a_day() -> None:
    values = {"person_ref": "p1", "name": "A. Person", "ods_code": "RJ1", "profession": "Midwife"}
    planned = plan(Kind.PEOPLE, Row(2, {**values, "affiliated_on": "2019"}), CONTEXT)
    assert planned.person == Person("p1", "A. Person")
    assert planned.commands == (
        Command(
            "PUT",
            "/v1/people/{person}/affiliations/2019-rj1-midwife",
            {"organisation_id": "rj1", "profession": "Midwife", "began_on": "2019"},
        ),
    )
    with pytest.raises(RowRefused, match="since when"):
        plan(Kind.PEOPLE, Row(2, values), CONTEXT)


def test_an_adoption_carries_how_it_is_known() -> None:
    values = {"innovation_ref": "GDm-Health", "organisation_id": "rj6", "stage": "adopted"}
    row = Row(2, {**values, "reached_on": "16/10/2018", "source": "https://example.org/news"})
    (command,) = plan(Kind.ADOPTION, row, CONTEXT).commands
    assert command.path == "/v1/innovations/gdm-health/adoption/rj6"
    assert command.body == {
        "stage": "adopted",
        "reached_on": "2018-10-16",
        "source": {"kind": "link", "words": "https://example.org/news"},
    }


@pytest.mark.parametrize(
    ("kind", "values", "field"),
    [
        (Kind.MEMBERSHIPS, {"community_ref": "a", "person_ref": "p"}, "joined_on"),
        (Kind.MEMBERSHIPS, {"person_ref": "p", "joined_on": "2019"}, "community_ref"),
        (Kind.MEMBERSHIPS, {"community_ref": "a", "person_ref": "p", "joined_on": "03/04/2019"}, "joined_on"),
        (Kind.MEMBERSHIPS, {"community_ref": "…", "person_ref": "p", "joined_on": "2019"}, "community_ref"),
        (Kind.CONVENINGS, {"convening_ref": "c", "community_ref": "a", "title": "t"}, "held_on or scheduled_on"),
        (Kind.ATTENDANCES, {"convening_ref": "unheard-of", "person_ref": "p"}, "convening_ref"),
        (Kind.ATTENDANCES, {"convening_ref": "meeting 1", "person_ref": "p", "minutes": "an hour"}, "minutes"),
    ],
)
def test_a_row_that_cannot_be_translated_names_its_field(kind: Kind, values: dict[str, str], field: str) -> None:
    with pytest.raises(RowRefused) as refused:
        plan(kind, Row(2, values), CONTEXT)
    assert refused.value.field == field


def test_the_same_command_has_the_same_key_and_another_another() -> None:
    row = Row(2, {"community_ref": "a", "person_ref": "p", "joined_on": "2019"})
    later = Row(9, {**row.values, "joined_on": "2020"})
    first, again, other = (plan(Kind.MEMBERSHIPS, one, CONTEXT).commands[0] for one in (row, row, later))
    assert first.key("kubernetes", "memberships") == again.key("kubernetes", "memberships")
    assert first.key("kubernetes", "memberships") != other.key("kubernetes", "memberships")
    assert first.key("kubernetes", "memberships") != first.key("openjs", "memberships")
