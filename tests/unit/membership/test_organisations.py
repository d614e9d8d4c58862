"""Organisations: one code belongs to one, and what changes about them has dates."""

from pathlib import Path

import pytest

from services.membership.domain.ods import Listed, OdsList
from services.membership.domain.organisations import (
    CodeHolder,
    CodeNeeded,
    CodeNotTaken,
    CodeTaken,
    JoinBoard,
    JoinNetwork,
    NameNeeded,
    NotABoard,
    OrganisationCommand,
    Register,
    Rename,
    Situation,
    UnknownCode,
    UnknownOrganisation,
    organisations,
)
from services.membership.reference import ods
from shared.events.membership import OrganisationFact, OrganisationKind
from shared.writing.otherwise import SaidOtherwise
from tests.builders import (
    on,
    organisation_joined_board,
    organisation_joined_network,
    organisation_registered,
    organisation_renamed,
    trust_registered,
)
from tests.specification import Specification, specification
from tests.unit.membership.situations import an_organisation

SHIPPED = ods.load()
BOARD = an_organisation(
    "qkk", organisation_registered("South East London", OrganisationKind.INTEGRATED_CARE_BOARD, ods_code="QKK")
)


def given(
    *facts: OrganisationFact, code: str | None = None, board: str | None = None
) -> Specification[OrganisationCommand, Situation]:
    """The organisation `kings`, by the list that ships with the project."""
    return specification(organisations(SHIPPED), ("kings", code, board)).given(*facts)


def trust(code: str | None = "RJZ", name: str | None = None) -> Register:
    return Register(kind=OrganisationKind.TRUST, ods_code=code, name=name)


# registering


def test_the_code_gives_the_name() -> None:
    given(code="RJZ").when(trust()).then(trust_registered("King's College Hospital NHS Foundation Trust", "RJZ"))


def test_a_code_is_written_in_capitals() -> None:
    assert trust(" rjz ").ods_code == "RJZ"


def test_a_name_that_is_said_is_taken() -> None:
    given(code="RJZ").when(trust(name="King's")).then(trust_registered("King's", "RJZ"))


def test_the_same_words_change_nothing() -> None:
    given(trust_registered(), code="RJZ").when(trust()).then_unchanged()
    given(trust_registered(), code="RJZ").when(trust(name=trust_registered().name)).then_unchanged()


def test_a_name_that_was_left_out_stays_when_the_list_changes() -> None:
    given(trust_registered("As it was in the list", "RJZ"), code="RJZ").when(trust()).then_unchanged()


def test_other_words_are_refused_and_what_differs_is_said() -> None:
    given(trust_registered(), code="RJZ").when(trust(name="King's")).then_refused(
        SaidOtherwise, field="name", saying="not 'King's'"
    )


def test_a_code_in_nobodys_list_is_refused_with_the_nearest_by_name() -> None:
    refusal = given(code="RXF").when(trust("RXF", "Croydon")).then_refused(UnknownCode, field="ods_code", saying="RXF")
    assert refusal.data["nearest"][0] == {"code": "RJ6", "name": "Croydon Health Services NHS Trust"}
    assert "did you mean RJ6 (Croydon Health Services NHS Trust)" in refusal.detail


def test_without_a_name_the_nearest_codes_are_offered() -> None:
    refusal = given(code="RJ8").when(trust("RJ8")).then_refused(UnknownCode)
    assert {one["code"] for one in refusal.data["nearest"]} <= {"RJ1", "RJ2", "RJ6", "RJ7", "RJZ"}
    assert refusal.data["nearest"]


def test_where_nothing_is_near_nothing_is_offered() -> None:
    refusal = given(code="XXXX").when(trust("XXXX")).then_refused(UnknownCode, saying="none in the list is like it")
    assert refusal.data == {"nearest": []}


def test_one_code_belongs_to_one_organisation() -> None:
    holder = CodeHolder(key="RJZ", organisation_id="kings-college")
    specification(organisations(SHIPPED), ("kings", "RJZ"), code=holder).when(trust()).then_refused(
        CodeTaken, field="ods_code", saying="belongs to organisation 'kings-college'"
    )


def test_who_registers_holds_the_code() -> None:
    after = given(code="RJZ").when(trust()).and_after().situation
    assert after.code == CodeHolder(key="RJZ", organisation_id="kings")


@pytest.mark.parametrize("kind", ["trust", "integrated-care-board", "general-practice"])
def test_these_kinds_are_known_by_their_code(kind: str) -> None:
    given().when(Register(kind=OrganisationKind(kind), name="A name")).then_refused(CodeNeeded, field="ods_code")


@pytest.mark.parametrize("kind", ["alliance", "network", "council", "university", "charity", "company", "lay"])
def test_these_kinds_have_no_code(kind: str) -> None:
    given().when(Register(kind=OrganisationKind(kind), name="A name")).then(
        organisation_registered("A name", OrganisationKind(kind))
    )
    given(code="RJZ").when(Register(kind=OrganisationKind(kind), name="A name", ods_code="RJZ")).then_refused(
        CodeNotTaken, field="ods_code"
    )


def test_without_a_code_a_name_is_needed() -> None:
    given().when(Register(kind=OrganisationKind.CHARITY)).then_refused(NameNeeded, field="name")


# what changes, with dates


def test_it_goes_by_another_name_from_a_day_on() -> None:
    rename = Rename(name="Kingston and Richmond", renamed_on=on("2024-11-01"))
    renamed = organisation_renamed("Kingston and Richmond", "2024-11-01")
    given(trust_registered()).when(rename).then(renamed)
    given(trust_registered(), renamed).when(rename).then_unchanged()
    given(trust_registered(), renamed, organisation_renamed("Later", "2025")).when(rename).then_unchanged()


def test_it_has_one_name_a_day() -> None:
    given(trust_registered(), organisation_renamed("One", "2024-11-30")).when(
        Rename(name="Two", renamed_on=on("2024-11-30"))
    ).then_refused(SaidOtherwise, field="name", saying="name is 'One', not 'Two'")


def test_it_comes_under_a_board() -> None:
    command = JoinBoard(board_id="qkk", joined_on=on("2022-07-01"))
    given(trust_registered(), board="qkk").when(command).then_refused(UnknownOrganisation, field="board_id")
    rules = specification(organisations(SHIPPED), ("kings", None, "qkk"), board=BOARD).given(trust_registered())
    rules.when(command).then(organisation_joined_board("qkk", "2022-07-01"))
    rules.when(command).and_after().when(command).then_unchanged()


def test_a_board_is_an_integrated_care_board() -> None:
    rules = specification(organisations(SHIPPED), ("kings", None, "u"), board=an_organisation("u"))
    command = JoinBoard(board_id="u", joined_on=on("2022-07-01"))
    rules.given(trust_registered()).when(command).then_refused(NotABoard, field="board_id", saying="'university'")


def test_it_joins_the_network_once() -> None:
    given(trust_registered()).when(JoinNetwork(joined_on=on("2013"))).then(organisation_joined_network("2013"))
    joined = given(trust_registered(), organisation_joined_network("2013"))
    joined.when(JoinNetwork(joined_on=on("2013"))).then_unchanged()
    joined.when(JoinNetwork(joined_on=on("2014"))).then_refused(SaidOtherwise, field="joined_on")


@pytest.mark.parametrize(
    "command",
    [
        Rename(name="Another", renamed_on=on("2024")),
        JoinBoard(board_id="qkk", joined_on=on("2022")),
        JoinNetwork(joined_on=on("2013")),
    ],
)
def test_only_a_registered_organisation_changes(command: OrganisationCommand) -> None:
    rules = specification(organisations(SHIPPED), ("kings", None, "qkk"), board=BOARD)
    rules.when(command).then_refused(UnknownOrganisation, field="organisation", saying="kings")


# the reference list


def test_the_seven_trusts_and_two_boards_ship_with_the_project() -> None:
    codes = ["RJ1", "RJ2", "RJZ", "RJ7", "RJ6", "RVR", "RAX", "QKK", "QWE"]
    assert [code for code in codes if SHIPPED.get(code) is None] == []
    assert len(SHIPPED) == 9


def test_the_operators_list_adds_and_corrects(tmp_path: Path) -> None:
    rows = ["RYR,University Hospitals Sussex", "RAX,Kingston and Richmond NHS Foundation Trust"]
    file = tmp_path / "etr.csv"
    file.write_text("\ufeff" + "\n".join(row + "," * 25 for row in rows) + "\n", encoding="utf-8")
    listed = ods.load(file)
    assert len(listed) == 10
    assert listed.get("RYR") == Listed("RYR", "University Hospitals Sussex")
    assert listed.get("RAX") == Listed("RAX", "Kingston and Richmond NHS Foundation Trust")


@pytest.mark.parametrize("text", ["Organisation Code,Name\n", "RYR,Sussex\n", "RYR" + "," * 26 + "\n", "\x93caf\xe9"])
def test_a_list_in_another_order_is_refused_and_the_line_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "etr.csv"
    file.write_text(text, encoding="latin-1")
    with pytest.raises(ods.NotAReferenceList, match=r"etr\.csv"):
        ods.load(file)


def test_a_list_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ods.NotAReferenceList, match=r"nowhere\.csv"):
        ods.load(tmp_path / "nowhere.csv")


def test_a_name_finds_its_code() -> None:
    listed = OdsList([Listed("AAA", "Northern Hospital NHS Trust"), Listed("BBB", "Southern Hospital NHS Trust")])
    assert listed.nearest("ZZZ", "southern hospital")[0] == Listed("BBB", "Southern Hospital NHS Trust")
