"""Exports of feedback forms, and the mapping that says what their columns are."""

from pathlib import Path

import pytest

from deploy.importing.failures import MappingInvalid, RowRefused
from deploy.importing.feedback import before_answers, response, response_id
from deploy.importing.files import Row, rows, survey
from deploy.importing.kinds import Kind
from deploy.importing.mapping import AskedQuestion, FeedbackReading, Mapping, read_mapping
from deploy.importing.plans import Context
from shared.events.feedback import Scale

MAPPINGS = Path(__file__).parents[3] / "deploy" / "importing" / "mappings"
MAPPING = """
source = "course"
[feedback]
header_rows = 2
empty = ["-"]
ignored = ["Name"]
columns = { response_ref = "Id" }
community = { ref = "Ward 7", name = "Ward 7" }
convening = { ref = "day 1", title = "Day 1", held_on = "2025-01-31" }
form = { ref = "evaluation", title = "Evaluation", opened_on = "2025-01", received_on = "2025-01-31" }

[[feedback.questions]]
column = "Q1. * / Content"
id = "content"
text = "The content"
scale = "ordered"
answers = ["Poor", "Good"]

[[feedback.questions]]
column = "Q2. Trade"
id = "trade"
text = "Your trade"
scale = "choice"
answers = ["Nurse", "Another"]
otherwise = "Another"

[[feedback.questions]]
column = "Q3. Comments"
id = "comments"
text = "Comments"
scale = "words"
"""
EXPORT = "Id,Name,Q1. Please rate,Q2. Trade,Q3. Comments\n,,Content,,\n1,,good,Nurse,-\n2,,-,Baker,Fine\n3,,Grand,,\n"
CONTEXT = Context("course")


def mapping_of(folder: Path, text: str = MAPPING) -> Mapping:
    path = folder / "mapping.toml"
    path.write_text(text)
    return read_mapping(path)


def reading_of(folder: Path, text: str = MAPPING) -> FeedbackReading:
    reading = mapping_of(folder, text).reading(Kind.FEEDBACK)
    assert isinstance(reading, FeedbackReading)
    return reading


def exported(folder: Path) -> list[Row]:
    path = folder / "export.csv"
    path.write_text(EXPORT)
    return [row for row in rows(survey(path, Kind.FEEDBACK, reading_of(folder))) if isinstance(row, Row)]


def test_answers_are_in_the_words_of_the_scale_and_what_was_not_answered_is_not_in_them(tmp_path: Path) -> None:
    reading = reading_of(tmp_path)
    first, second, _ = exported(tmp_path)
    (command,) = response(first, reading, CONTEXT).commands
    assert command.body == {"received_on": "2025-01-31", "answers": {"content": "Good", "trade": "Nurse"}, "words": {}}
    (command,) = response(second, reading, CONTEXT).commands
    assert command.body["answers"] == {"trade": "Another"}
    assert command.body["words"] == {"comments": "Fine"}


def test_an_answer_that_is_none_of_the_scale_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(RowRefused, match=r"'Grand' is none of its answers.*add it to the mapping") as refused:
        response(exported(tmp_path)[2], reading_of(tmp_path), CONTEXT)
    assert refused.value.field == "content"


def test_a_response_always_gets_the_same_id() -> None:
    assert response_id("course", "evaluation", "1") == response_id("course", "evaluation", "1")
    assert response_id("course", "evaluation", "1") != response_id("course", "evaluation", "2")


def test_convening_and_form_stand_before_the_answers(tmp_path: Path) -> None:
    convening, form = before_answers(reading_of(tmp_path), "course")
    assert [command.path for command in (*convening.commands, *form.commands)] == [
        "/v1/communities/ward-7/convenings/day-1",
        "/v1/communities/ward-7/convenings/day-1/held",
        "/v1/communities/ward-7/feedback-forms/evaluation",
    ]
    assert form.commands[0].body["convening_id"] == "day-1"
    assert convening.founds is not None
    assert convening.founds.body["title"] == "Ward 7"


def test_no_column_is_dropped_or_passed_on_by_oversight(tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_text(EXPORT)
    with pytest.raises(MappingInvalid, match=r"does not say what becomes of 1 columns .*: Name"):
        survey(path, Kind.FEEDBACK, reading_of(tmp_path, MAPPING.replace('ignored = ["Name"]', "")))


def test_feedback_without_a_mapping_is_refused() -> None:
    with pytest.raises(MappingInvalid, match="needs a mapping"):
        Mapping().reading(Kind.FEEDBACK)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('scale = "words"', 'scale = "stars"', "Input should be"),
        ('id = "comments"', 'id = "trade"', "two questions have the id 'trade'"),
        ('otherwise = "Another"', 'otherwise = "Other"', "must be one of its answers"),
        ('["Poor", "Good"]', '["Good"]', "needs two or more different answers"),
        ("header_rows = 2", "headers = 2", "Extra inputs are not permitted"),
        ("[feedback]", "[feedback", "is not TOML"),
    ],
)
def test_a_mapping_that_is_not_as_it_must_be_says_where(tmp_path: Path, old: str, new: str, why: str) -> None:
    with pytest.raises(MappingInvalid, match=why):
        mapping_of(tmp_path, MAPPING.replace(old, new))


def test_a_mapping_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(MappingInvalid, match="cannot be read"):
        read_mapping(tmp_path / "none.toml")


@pytest.mark.parametrize("path", sorted(MAPPINGS.glob("*.toml")), ids=lambda path: path.stem)
def test_the_mappings_that_come_with_praxis_are_valid(path: Path) -> None:
    assert read_mapping(path).source


def test_a_scale_without_words_takes_none() -> None:
    with pytest.raises(ValueError, match="takes no list of answers"):
        AskedQuestion(column="Q", id="q", text="Q", scale=Scale.WORDS, answers=("a", "b"))
