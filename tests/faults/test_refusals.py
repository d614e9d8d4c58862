"""Which refusals the checker takes for false, and what it says of words that an erasure leaves."""

from typing import Any

import pytest

from tests.faults.anomaly import Kind
from tests.faults.check import check
from tests.faults.commands import erase, fact, merge
from tests.faults.history import History, Line
from tests.faults.test_checker import COMMUNITY, DAY, a_history

JOINED = {"person_id": "p", "role": "member", "joined_on": DAY}
REGISTERED = {"convening_id": "c", "person_id": "p"}
MEMBER = "/v1/communities/a/members/p"
CONVENING = "/v1/communities/a/convenings/c"
CONVENINGS = "convenings/community.a"


def answered(
    path: str, made: Line | None, kind: str = "", *, at: float = 10.0, body: Line | None = None, **said: Any
) -> Line:
    """A command as it was answered a second after it was sent: with a refusal of that kind, where one is named."""
    call = {"method": "PUT", "path": path, "body": body or {}, "makes": [made] if made else []}
    line: Line = {"call": call, "began": at, "ended": at + 1, "positions": []}
    refusal = {"type": f"/problems/{kind}", "detail": "…", **said}
    return {**line, "outcome": "refused", "refusal": refusal} if kind else {**line, "outcome": "acknowledged"}


LEAVES = fact(COMMUNITY, "member-left", **JOINED, left_on="2024-01-05")
JOINS = answered(MEMBER, fact(COMMUNITY, "member-joined", **JOINED, how="invited"), at=1.0)
LEFT = answered(f"{MEMBER}/left", fact(COMMUNITY, "member-left", **JOINED, left_on=DAY), at=3.0)
BEGINS = answered(
    "/v1/people/p/affiliations/x", fact("membership/person.p", "affiliation-began", affiliation_id="x"), at=1.0
)
ENDS = fact("membership/person.p", "affiliation-ended", affiliation_id="x", ended_on=DAY)
REGISTERS = answered(f"{CONVENING}/registrations/p", fact(CONVENINGS, "registration-made", **REGISTERED), at=1.0)
WITHDRAWS = fact(CONVENINGS, "registration-withdrawn", **REGISTERED)
WITHDREW = answered(f"{CONVENING}/registrations/p/withdrawn", WITHDRAWS, at=3.0)
SOMEBODY = {**answered("/v1/people", None, at=1.0), "person": "p"}

not_a_member = answered(f"{MEMBER}/left", LEAVES, "not-a-member")
already_left = answered(f"{MEMBER}/left", LEAVES, "already-left")
no_affiliation = answered("/v1/people/p/affiliations/x/ended", ENDS, "no-such-affiliation")
not_registered = answered(f"{CONVENING}/registrations/p/withdrawn", WITHDRAWS, "not-registered")
unknown = answered(f"{CONVENING}/attendance/p", None, "unknown-person")
merged = answered(MEMBER, JOINS["call"]["makes"][0], "person-was-merged", into_id="q")
erased = answered(MEMBER, JOINS["call"]["makes"][0], "person-was-erased", erased_on=DAY)
merged_into_erased = answered("/v1/people/o/merged", None, "person-was-erased", body={"into_id": "p"}, erased_on=DAY)
met_by_erased = answered("/v1/programmes/x", None, "person-was-erased", body={"person_ids": ["p"]}, erased_on=DAY)
MERGED = fact("membership/person.p", "person-merged", person_id="p", into_id="q", merged_on=DAY)
ERASED = fact("membership/person.p", "person-erased", person_id="p", erased_on=DAY)
LEAVING = fact(COMMUNITY, "member-left", **JOINED, left_on=DAY)


def falsely(commands: list[Line], *events: Line) -> set[Kind]:
    """What is found of these commands; what else such a history lacks does not matter here."""
    history = History(commands=[*a_history().commands[:1], *commands], events=list(_numbered(events)))
    history.nemesis = [{"at": 5.0, "what": "load began"}]
    return {anomaly.kind for anomaly in check(history)} & {Kind.REFUSED}


def _numbered(events: tuple[Line, ...]) -> list[Line]:
    return [{**event, "version": version, "id": f"{version}"} for version, event in enumerate(events, start=1)]


@pytest.mark.parametrize(
    ("commands", "events"),
    [
        ([not_a_member], []),
        ([{**JOINS, "outcome": "unknown"}, not_a_member], []),
        ([{**JOINS, "ended": 10.5}, not_a_member], []),
        ([JOINS, LEFT, already_left], [LEAVING]),
        ([JOINS, {**LEFT, "outcome": "unknown"}, already_left], [LEAVING]),
        ([no_affiliation], []),
        ([not_registered], []),
        ([REGISTERS, WITHDREW, not_registered], []),
        ([{**SOMEBODY, "ended": 6.0}, unknown], []),
        ([merged], [MERGED]),
        ([erased], [ERASED]),
        ([merged_into_erased], [ERASED]),
        ([met_by_erased], [ERASED]),
    ],
    ids=[
        "never joined",
        "joining unheard of",
        "joined meanwhile",
        "left before",
        "leaving unheard of",
        "no affiliation began",
        "never registered",
        "withdrawn before",
        "registered lately",
        "merged",
        "erased",
        "merged into somebody erased",
        "met by somebody erased",
    ],
)
def test_what_is_refused_for_what_is_on_record_is_refused_rightly(commands: list[Line], events: list[Line]) -> None:
    assert falsely(commands, *events) == set()


@pytest.mark.parametrize(
    ("commands", "events"),
    [
        ([JOINS, not_a_member], []),
        ([JOINS, already_left], [LEAVING]),
        ([already_left], []),
        ([BEGINS, no_affiliation], []),
        ([REGISTERS, not_registered], []),
        ([SOMEBODY, unknown], []),
        ([answered("/v1/people/p/affiliations/x", None, "unknown-person")], []),
        ([merged], []),
        ([merged], [{**MERGED, "data": {**MERGED["data"], "into_id": "r"}}]),
        ([erased], [MERGED]),
        ([met_by_erased], []),
        ([answered(f"{MEMBER}/left", LEAVES, "person-was-erased", erased_on=DAY)], [ERASED]),
        ([answered(MEMBER, None, "no-such-community")], []),
        ([{**merged, "refusal": {}}], [MERGED]),
    ],
    ids=[
        "joined",
        "not left",
        "nobody left",
        "affiliation began",
        "registered",
        "known for long",
        "unknown to their own service",
        "not merged",
        "merged into another",
        "merged, not erased",
        "met by somebody not erased",
        "ends what had begun",
        "a kind of no cause",
        "no kind at all",
    ],
)
def test_what_nothing_on_record_speaks_against_is_refused_falsely(commands: list[Line], events: list[Line]) -> None:
    assert falsely(commands, *events) == {Kind.REFUSED}


def a_person_merged_and_erased() -> History:
    """One is merged into another, who is erased; a third goes on."""
    history = History()
    for person, (source, call) in {
        "p": ("one", merge("p", "q", 1)),
        "q": ("two", erase("q", 1)),
        "r": ("three", None),
    }.items():
        body = {"name": f"Name of {person}", "email": f"{person}@x.org", "reference": {"source": "s", "ref": source}}
        history.commands.append({**answered("/v1/people", None, body=body), "person": person})
        history.events += [{**made, "version": 1, "id": person} for made in (call.makes if call else ())]
    said = {"name": "Name of r", "email": "r@x.org", "reference": "three", "reference that leads to them": "three"}
    history.words = [{"person": "r", "what": what, "holds": holds} for what, holds in said.items()]
    return history


def _of_words(history: History) -> set[Kind]:
    return {anomaly.kind for anomaly in check(history) if "is still there" in str(anomaly) or "is gone" in str(anomaly)}


def test_an_erasure_forgets_those_who_were_merged_and_nobody_else() -> None:
    assert _of_words(a_person_merged_and_erased()) == set()


@pytest.mark.parametrize("person", ["p", "q"])
@pytest.mark.parametrize("what", ["name", "email", "reference", "reference that leads to them", "receipt"])
def test_words_of_somebody_erased_that_are_still_there_are_found(person: str, what: str) -> None:
    history = a_person_merged_and_erased()
    history.words.append({"person": person, "what": what, "holds": "…"})
    assert _of_words(history) == {Kind.KEPT}


@pytest.mark.parametrize("number", range(4))
def test_words_of_somebody_who_was_not_erased_that_are_gone_are_found(number: int) -> None:
    history = a_person_merged_and_erased()
    del history.words[number]
    assert _of_words(history) == {Kind.LOST}


def test_a_reference_that_a_merge_did_not_lead_on_is_found() -> None:
    history = a_person_merged_and_erased()
    del history.events[1]  # nobody is erased
    said = {"name": "Name of {}", "email": "{}@x.org"}
    for person, ref in (("p", "one"), ("q", "two")):
        history.words += [{"person": person, "what": what, "holds": text.format(person)} for what, text in said.items()]
        history.words.append({"person": person, "what": "reference", "holds": ref})
        history.words.append({"person": "q", "what": "reference that leads to them", "holds": ref})
    assert _of_words(history) == set()
    history.words = [{**line, "person": "p"} if line["holds"] == "one" else line for line in history.words]
    assert _of_words(history) == {Kind.LOST}
