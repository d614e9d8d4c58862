"""Files as they come: encodings, headings, rows."""

from pathlib import Path

import pytest

from deploy.importing.failures import MappingInvalid, MissingColumns, RowRefused, Unreadable
from deploy.importing.files import Row, rows, survey
from deploy.importing.kinds import Kind
from deploy.importing.mapping import Reading

HEADINGS = "community_ref,name,description"


def written(folder: Path, content: str | bytes) -> Path:
    path = folder / "communities.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(path: Path, reading: Reading | None = None) -> list[Row | tuple[int, RowRefused]]:
    return list(rows(survey(path, Kind.COMMUNITIES, reading or Reading())))


def test_a_mark_at_the_beginning_is_no_part_of_the_first_heading(tmp_path: Path) -> None:
    path = written(tmp_path, b"\xef\xbb\xbfcommunity_ref,name\r\na,Caf\xc3\xa9\r\n")
    assert survey(path, Kind.COMMUNITIES, Reading()).encoding == "utf-8-sig"
    assert read(path) == [Row(2, {"community_ref": "a", "name": "Café"})]


def test_what_is_not_utf_8_throughout_is_windows_1252(tmp_path: Path) -> None:
    path = written(tmp_path, b"community_ref,name\na,plain\nb,I don\x92t know\n")
    table = survey(path, Kind.COMMUNITIES, Reading())
    assert (table.encoding, table.rows) == ("cp1252", 2)
    assert read(path)[1] == Row(3, {"community_ref": "b", "name": "I don’t know"})


def test_a_sheet_saved_as_unicode_text_is_read(tmp_path: Path) -> None:
    path = written(tmp_path, "community_ref\tname\na\tCafé\n".encode("utf-16"))
    assert read(path, Reading(delimiter="\t")) == [Row(2, {"community_ref": "a", "name": "Café"})]


def test_a_row_keeps_the_line_that_it_begins_on(tmp_path: Path) -> None:
    path = written(tmp_path, f'{HEADINGS}\r\na,A,"two\r\nlines"\r\n\r\n , ,\r\nb,B,\r\n')
    assert [(one.line, one.values.get("name")) for one in read(path) if isinstance(one, Row)] == [(2, "A"), (6, "B")]


def test_an_empty_cell_is_not_in_the_row_and_a_short_row_has_empty_cells(tmp_path: Path) -> None:
    assert read(written(tmp_path, f"{HEADINGS}\na,A\n")) == [Row(2, {"community_ref": "a", "name": "A"})]


def test_a_row_with_more_cells_than_headings_is_refused_alone(tmp_path: Path) -> None:
    first, second = read(written(tmp_path, f"{HEADINGS}\na,A,one, two\nb,B,\n"))
    assert isinstance(first, tuple)
    assert first[0] == 2
    assert "4 cells" in first[1].reason
    assert second == Row(3, {"community_ref": "b", "name": "B"})


def test_a_missing_column_is_named_with_the_remedy_before_anything_is_sent(tmp_path: Path) -> None:
    with pytest.raises(MissingColumns) as failure:
        survey(written(tmp_path, "team,name\na,A\n"), Kind.COMMUNITIES, Reading())
    assert "no column 'community_ref'" in failure.value.what
    assert "It has: team, name. Nothing was sent." in failure.value.what
    assert '[communities.columns]  community_ref = "its heading"' in failure.value.remedy


def test_a_mapping_names_other_columns_values_and_constants(tmp_path: Path) -> None:
    reading = Reading(
        columns={"community_ref": "Team*"},
        constants={"governance": "self-governing"},
        values={"name": {"A": "Alpha"}},
        empty=("n/a",),
    )
    path = written(tmp_path, "Team (short),Name,Description,Colour\na,A,n/a,red\n")
    assert read(path, reading) == [
        Row(2, {"governance": "self-governing", "community_ref": "a", "name": "Alpha"}),
    ]
    assert survey(path, Kind.COMMUNITIES, reading).ignored == ("Colour",)


def test_a_mapping_that_names_no_column_of_the_file_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, f"{HEADINGS}\na,A,\n")
    with pytest.raises(MappingInvalid, match="has no column 'Team', which the mapping names"):
        survey(path, Kind.COMMUNITIES, Reading(columns={"community_ref": "Team"}))
    with pytest.raises(MappingInvalid, match="has 3 columns"):
        survey(path, Kind.COMMUNITIES, Reading(columns={"community_ref": "*"}))
    with pytest.raises(MappingInvalid, match="communities have no such column"):
        survey(path, Kind.COMMUNITIES, Reading(columns={"colour": "name"}))


def test_several_heading_rows_are_joined_and_the_first_holds_over_the_columns_to_its_right(tmp_path: Path) -> None:
    path = written(tmp_path, "export of 2025\ncommunity_ref,name,,Other\n,long,short,\na,A,a,\n")
    reading = Reading(skip_rows=1, header_rows=2, columns={"name": "name / short"})
    table = survey(path, Kind.COMMUNITIES, reading)
    assert table.headings == ("community_ref", "name / long", "name / short", "Other")
    assert read(path, reading) == [Row(4, {"community_ref": "a", "name": "a"})]


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="is empty"):
        survey(written(tmp_path, ""), Kind.COMMUNITIES, Reading())


def test_a_file_with_headings_alone_has_no_rows(tmp_path: Path) -> None:
    assert survey(written(tmp_path, f"{HEADINGS}\n"), Kind.COMMUNITIES, Reading()).rows == 0


def test_a_file_that_is_not_there_and_one_that_is_no_table_say_so(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="No such file"):
        survey(tmp_path / "none.csv", Kind.COMMUNITIES, Reading())
    with pytest.raises(Unreadable, match="is not a table from line 2 on"):
        survey(written(tmp_path, f'{HEADINGS}\na,"A,\n'), Kind.COMMUNITIES, Reading())
    with pytest.raises(Unreadable, match="is not text in cp1252"):
        survey(written(tmp_path, b"community_ref,name\na,\x81\n"), Kind.COMMUNITIES, Reading())
