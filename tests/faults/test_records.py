"""What records are to say, recounted from facts; and that the checker finds what they say otherwise."""

from typing import Any

import pytest

from tests.faults.anomaly import Kind
from tests.faults.check import check
from tests.faults.commands import fact
from tests.faults.history import History, Line
from tests.faults.records import filled, kept

DAY, LATER = "2024-01-01", "2024-01-09"
COMMUNITY, FEEDBACK, INNOVATION = "membership/community.a", "feedback/community.a", "feedback/innovation.i"
ASKED = [{"question_id": "q", "text": "?", "scale": "words", "answers": []}]
SOURCE = {"kind": "reported", "words": "somebody"}
PERIOD = {"eligible_from": DAY}

FACTS: dict[str, list[Line]] = {
    "organisation.o": [fact("membership/organisation.o", "organisation-registered", kind="lay", name="O")],
    "person.p": [
        fact("membership/person.p", "person-registered", person_id="p"),
        fact("membership/person.p", "affiliation-began", person_id="p", affiliation_id="f", began_on=DAY, service="s"),
        fact("membership/person.p", "affiliation-ended", person_id="p", affiliation_id="f", ended_on=LATER),
        fact("membership/person.p", "person-merged", person_id="p", into_id="z", merged_on=DAY),
    ],
    "community.a": [
        fact(COMMUNITY, "community-founded", title="A", kind="practice", services=[]),
        fact(FEEDBACK, "feedback-form-opened", form_id="g", title="G", opened_on=DAY, questions=ASKED),
        fact(
            FEEDBACK,
            "response-received",
            form_id="g",
            response_id="r",
            received_on=DAY,
            answers=[{"question_id": "q", "answer": "good"}],
            in_words=["more"],
        ),
    ],
    "innovation.i": [
        fact(INNOVATION, "innovation-registered", title="I"),
        fact(INNOVATION, "organisation-became-eligible", organisation_id="o", **PERIOD),
        fact(INNOVATION, "organisation-ceased-eligible", organisation_id="o", eligible_until_on=LATER),
        fact(
            INNOVATION, "adoption-stage-reached", organisation_id="o", stage="paused", reached_on=LATER, source=SOURCE
        ),
        fact(INNOVATION, "adoption-stage-reached", organisation_id="o", stage="aware", reached_on=DAY, source=SOURCE),
    ],
}
AFFILIATION = {"affiliation_id": "f", "began_on": DAY, "service": "s", "ended_on": LATER}
RECORDS: dict[str, Any] = {
    "organisation/o": {
        "organisation_id": "o",
        "organisation_kind": "lay",
        "names": [{"name": "O", "since": "0001-01-01"}],
    },
    "person/p": {"person_id": "p", "registered": True, "affiliations": [AFFILIATION], "merged_into": "z"},
    "community/a": {"community_id": "a", "title": "A", "community_kind": "practice"},
    "form/a/g": {
        "community_id": "a",
        "form_id": "g",
        "title": "G",
        "opened_on": DAY,
        "questions": [{"question_id": "q", "text": "?", "scale": "words"}],
    },
    "response/a/g/r": {
        "community_id": "a",
        "form_id": "g",
        "response_id": "r",
        "received_on": DAY,
        "answers": {"q": "good"},
        "in_words": ["more"],
    },
    "innovation/i": {"innovation_id": "i", "title": "I"},
    "adoption/i/o": {
        "innovation_id": "i",
        "organisation_id": "o",
        "eligible": [{"since": DAY, "until": LATER}],
        "stages": [
            {"stage": "aware", "reached_on": DAY, "reached_stated": DAY, "source": SOURCE},
            {"stage": "paused", "reached_on": LATER, "reached_stated": LATER, "source": SOURCE},
        ],
    },
}


def numbered(lines: list[Line]) -> list[Line]:
    return [{**line, "version": version, "id": f"{version}"} for version, line in enumerate(lines, start=1)]


def test_records_follow_from_their_facts() -> None:
    found = {id: record for scope, facts in FACTS.items() for id, record in kept(scope, numbered(facts)).items()}
    assert {id: found[id] for id in RECORDS} == RECORDS


def test_what_is_empty_is_as_good_as_not_there() -> None:
    assert filled({"a": None, "b": [], "c": [{"d": {}, "e": "f"}], "g": False}) == {"c": [{"e": "f"}]}


@pytest.mark.parametrize("id", RECORDS)
def test_a_record_that_says_something_else_is_found(id: str) -> None:
    history = History(events=[event for facts in FACTS.values() for event in numbered(facts)])
    history.records = [{"id": key, "positions": [], "value": value} for key, value in RECORDS.items()]

    def wrong() -> list[str]:
        return [one.where for one in check(history) if one.kind is Kind.WRONG and "it says" in one.what]

    assert wrong() == []
    for record in history.records:
        if record["id"] == id:
            record["value"] = {**record["value"], "title": "Nonsense"}
    assert wrong() == [id]
