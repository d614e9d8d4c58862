"""A real export of a feedback form: its answers come out question by question, in the words of their scales."""

import asyncio
import csv
from collections import Counter
from pathlib import Path

import pytest

from deploy.client import Gateway
from deploy.local.settings import REPOSITORY
from deploy.local.system import System
from tests.end_to_end.real_data import Run, View, counts, figure, folder, praxis, value

MAPPING = REPOSITORY / "deploy" / "importing" / "mappings" / "nhs-r-rpysoc-2025.toml"
# What the file has in these places (the first column is 0), and a question of the mapping: an independent reading.
RATINGS = ["Poor", "Fair", "Good", "Very Good", "Excellent"]
SCALES = {
    "overall": (12, RATINGS),
    "abstracts": (13, RATINGS),
    "live-stream": (32, RATINGS),
    "knowledge": (33, ["Strongly disagree", "Disagree", "Neither agree nor disagree", "Agree", "Strongly agree"]),
    "application": (35, ["Never", "Rarely", "Sometimes", "Usually", "Always"]),
    "lightning-talks": (38, ["Too few", "About the right amount", "Too many"]),
    "recommend": (44, ["Very unlikely", "Unlikely", "Neither likely nor unlikely", "Likely", "Very likely"]),
}
IN_WORDS = {"knowledge-comments": 34, "liked-most": 46, "testimonial": 49, "video-comments": 53}
UNANSWERED = "-"


@pytest.fixture(scope="module")
def export() -> Path:
    return folder("nhs-r") / "rpysoc_2025_feedback_responses.csv"


@pytest.fixture(scope="module")
def columns(export: Path) -> list[tuple[str, ...]]:
    with export.open(encoding="cp1252", newline="") as file:
        return list(zip(*list(csv.reader(file))[3:], strict=True))


@pytest.fixture(scope="module")
def imported(system: System, export: Path) -> Run:
    return praxis(system, "import", f"--mapping={MAPPING}", f"feedback={export}")


@pytest.fixture(scope="module")
def form(system: System, imported: Run) -> View:
    async def read() -> View:
        async with Gateway(system.gateway) as gateway:
            view: View = await gateway.view("/v1/communities/nhs-r-community", after=imported.told["positions"])
            return view

    (only,) = asyncio.run(read())["feedback"]
    found: View = only
    return found


def test_every_response_is_recorded(imported: Run, form: View, columns: list[tuple[str, ...]]) -> None:
    assert imported.code == 0, imported.errors
    assert counts(imported) == {"feedback": (len(columns[0]), 0, 0)}
    assert imported.told["files"][0]["encoding"] == "cp1252"
    assert value(form, "responses") == len(columns[0])


def test_answers_are_counted_in_the_order_of_their_scale_and_unanswered_apart(
    form: View, columns: list[tuple[str, ...]]
) -> None:
    questions = {question["question_id"]: question for question in form["questions"]}
    for question_id, (place, scale) in SCALES.items():
        given = Counter(columns[place])
        question = questions[question_id]
        assert [(one["answer"], one["count"]) for one in question["answers"]] == [(word, given[word]) for word in scale]
        assert question["unanswered"] == given[UNANSWERED]
        assert question["answered"] == len(columns[place]) - given[UNANSWERED]


def test_item_response_is_answered_over_responses_for_words_too(form: View, columns: list[tuple[str, ...]]) -> None:
    questions = {question["question_id"]: question for question in form["questions"]}
    places = {**{question_id: place for question_id, (place, _) in SCALES.items()}, **IN_WORDS}
    for question_id, place in places.items():
        answered = sum(text != UNANSWERED for text in columns[place])
        told = figure(questions[question_id], "item-response")
        assert told["value"] == pytest.approx(answered / len(columns[place])), question_id
        assert told["n"] == len(columns[place])


def test_the_response_rate_is_unknown_since_nobody_recorded_who_attended(form: View) -> None:
    rate = figure(form, "response-rate")
    assert (rate["value"], rate["unknown"]) == (None, 1)


def test_what_people_wrote_is_in_no_view(form: View, columns: list[tuple[str, ...]]) -> None:
    shown = str(form)
    for place in IN_WORDS.values():
        for text in columns[place]:
            assert len(text) < 20 or text not in shown


def test_a_second_import_adds_nothing(system: System, imported: Run, export: Path, form: View) -> None:
    again = praxis(system, "import", f"--mapping={MAPPING}", f"feedback={export}")
    assert counts(again) == {"feedback": (0, value(form, "responses"), 0)}
