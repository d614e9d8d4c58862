"""The demonstration stays within what may be said, and says it in facts, not in figures."""

import re

import pytest

from deploy.demo.content import FILE, Content, read
from deploy.demo.generated import Generated, generate
from deploy.demo.steps import Step, registrations, steps
from shared.events.feedback import SourceKind

TRUSTS = ("rj1", "rj2", "rjz", "rj7", "rj6", "rvr", "rax")


@pytest.fixture(scope="module")
def content() -> Content:
    return read()


@pytest.fixture(scope="module")
def generated(content: Content) -> Generated:
    return generate(content)


@pytest.fixture(scope="module")
def sent(content: Content, generated: Generated) -> list[Step]:
    ids = {person.ref: person.ref for person in generated.people}
    return [step for round_ in steps(content, generated, ids) for step in round_]


def test_the_same_seed_gives_the_same(content: Content, generated: Generated) -> None:
    assert generate(content) == generated


def test_nobody_has_a_name_or_an_address(content: Content, generated: Generated) -> None:
    for command in registrations(content, generated).values():
        assert set(command.body) == {"reference"}


def test_nobody_whom_the_page_names_is_in_it() -> None:
    text = FILE.read_text("utf-8").lower()
    assert not re.search("nordlund|jannike|ellery|patient and public involvement lead", text)


def test_days_that_the_page_does_not_give_stay_coarse(content: Content) -> None:
    commissioned = {programme.id: programme.commissioned_on for programme in content.programmes}
    assert commissioned["selca-2019"] == "2019-01"
    assert all(day.is_coarse for day in commissioned.values())
    assert {programme.begins_on for programme in content.programmes} == {None, "2021"}


def test_everything_that_takes_it_carries_the_date_of_the_demonstration(sent: list[Step]) -> None:
    founding = re.compile("/v1/(organisations|programmes|communities|innovations)/[^/]+")
    bodies = [step.command.body for step in sent if founding.fullmatch(step.command.path)]
    assert bodies
    assert {body["demonstration_on"] for body in bodies} == {"2020-12-31"}


def test_the_two_public_stages_carry_their_sources_and_all_others_are_illustrative(sent: list[Step]) -> None:
    stages = [step.command for step in sent if "/adoption/" in step.command.path]
    public = {
        command.path.rpartition("/")[2]: (command.body["stage"], command.body["reached_on"])
        for command in stages
        if command.body["source"]["kind"] != SourceKind.ILLUSTRATIVE
    }
    assert public == {"rj6": ("adopted", "2018-10-16"), "rax": ("in-progress", "2019-09-23")}
    assert {command.path.rpartition("/")[2] for command in stages} == set(TRUSTS)


def test_no_trust_is_under_a_board_at_the_date_of_the_demonstration(content: Content) -> None:
    assert content.boards.joined_on > content.demonstration_on


def test_the_course_is_national(content: Content, generated: Generated) -> None:
    course = [person for person in generated.people if person.completed_on]
    assert course
    assert all(person.affiliation and person.affiliation.organisation_id is None for person in course)


def test_design_group_first_then_communities_then_convenings(sent: list[Step]) -> None:
    paths = [step.command.path for step in sent]
    decided = next(place for place, path in enumerate(paths) if path.endswith("/domains"))
    founded = paths.index("/v1/communities/selca-ultrasound")
    convened = paths.index("/v1/communities/selca-ultrasound/convenings/selca-ultrasound-1")
    assert decided < founded < convened


def test_convenings_are_within_the_twelve_months(generated: Generated) -> None:
    days = [one.held_on.isoformat() for one in generated.convenings if one.community.programme_id == "selca-2019"]
    assert len(days) == 12
    assert min(days) > "2019-01-31"
    assert max(days) <= "2020-01-31"


def test_people_come_only_after_they_joined_or_walk_in_from_a_sister_community(generated: Generated) -> None:
    people = {person.ref: person for person in generated.people}
    for convening in generated.convenings:
        for ref in convening.came:
            person, community = people[ref], convening.community.id
            joined = [held for held in person.memberships if held.community_id == community]
            assert community in person.sisters
            assert not joined or joined[0].joined_on <= convening.held_on or len(person.sisters) > 1
