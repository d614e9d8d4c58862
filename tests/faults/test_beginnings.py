"""What may begin of somebody who was merged or erased: nothing, and the checker finds it."""

import pytest

from tests.faults.anomaly import Kind
from tests.faults.check import check
from tests.faults.commands import erase, fact, merge
from tests.faults.history import History, Line

DAY, EARLY, LATE = "2024-01-01", "2024-01-01T10:00:00.000+00:00", "2024-01-01T10:00:00.001+00:00"
JOINED = {"role": "member", "how": "invited", "joined_on": DAY}
JOINS = fact("membership/community.a", "member-joined", person_id="p", **JOINED)
MEETS = fact("membership/programme.x", "design-group-met", design_group_id="g", person_ids=["o", "p"])
AFFILIATES = fact("membership/person.p", "affiliation-began", affiliation_id="f", began_on=DAY)
REGISTERS = fact("convenings/community.a", "registration-made", convening_id="c", person_id="p", registered_on=DAY)
CAME = fact("convenings/community.a", "person-attended", convening_id="c", person_id="p", attended_on=DAY)
LEAVES = fact("membership/community.a", "member-left", person_id="p", **JOINED, left_on=DAY)
ENDS = fact("membership/person.p", "affiliation-ended", affiliation_id="f", ended_on=DAY)
(ERASES,), (MERGES,), (MERGES_INTO,) = erase("p", 1).makes, merge("p", "q", 1).makes, merge("o", "p", 1).makes
BEGINNING = [JOINS, MEETS, AFFILIATES, MERGES_INTO]


def _is_found(history: History) -> bool:
    return bool({anomaly.kind for anomaly in check(history)} & {Kind.ACCEPTED, Kind.SKEW})


def _sent(made: Line, began: float, *, positions: int = 1, outcome: str = "acknowledged") -> Line:
    call = {"method": "PUT", "path": "/v1/x", "makes": [made]}
    at = [f"{made['stream']}@{version + 1}" for version in range(positions)]
    return {"call": call, "began": began, "ended": began + 1, "outcome": outcome, "positions": at}


@pytest.mark.parametrize("became", [ERASES, MERGES], ids=["erased", "merged"])
@pytest.mark.parametrize("made", BEGINNING, ids=lambda made: made["type"])
def test_what_is_acknowledged_although_it_was_sent_after_that_was_known_is_found(became: Line, made: Line) -> None:
    assert _is_found(History(commands=[_sent(became, 1.0), _sent(made, 2.1)]))


@pytest.mark.parametrize("made", BEGINNING, ids=lambda made: made["type"])
def test_what_was_under_way_may_be_acknowledged_and_what_is_so_already_too(made: Line) -> None:
    assert not _is_found(History(commands=[_sent(ERASES, 1.0), _sent(made, 1.9)]))
    assert not _is_found(History(commands=[_sent(ERASES, 1.0, outcome="unknown"), _sent(made, 2.1)]))
    assert not _is_found(History(commands=[_sent(ERASES, 1.0), _sent(made, 2.1, positions=0)]))


@pytest.mark.parametrize("made", [LEAVES, ENDS, REGISTERS, CAME], ids=lambda made: made["type"])
def test_what_had_begun_may_end_and_another_service_may_not_have_heard_of_it(made: Line) -> None:
    assert not _is_found(History(commands=[_sent(ERASES, 1.0), _sent(made, 2.1)]))


def test_who_was_merged_is_not_erased() -> None:
    assert _is_found(History(commands=[_sent(MERGES, 1.0), _sent(ERASES, 2.1)]))
    assert not _is_found(History(commands=[_sent(ERASES, 1.0), _sent(ERASES, 2.1)]))


def _recorded(*lines: tuple[Line, str]) -> History:
    """Facts with the times at which they were recorded; versions are by their order here."""
    numbered = enumerate(lines, start=1)
    return History(events=[{**made, "version": number, "recorded_at": at, "id": at} for number, (made, at) in numbered])


@pytest.mark.parametrize("made", [JOINS, MEETS, MERGES_INTO], ids=lambda made: made["type"])
def test_what_is_recorded_later_than_what_became_of_the_person_was_decided_without_it(made: Line) -> None:
    assert _is_found(_recorded((made, LATE), (ERASES, EARLY)))
    assert not _is_found(_recorded((made, EARLY), (ERASES, EARLY)))
    assert not _is_found(_recorded((made, EARLY), (ERASES, LATE)))


@pytest.mark.parametrize("made", [JOINS, AFFILIATES, REGISTERS, CAME], ids=lambda made: made["type"])
def test_what_follows_in_a_stream_on_what_became_of_the_person_is_found(made: Line) -> None:
    there = {**ERASES, "stream": made["stream"]}
    assert _is_found(_recorded((there, EARLY), (made, EARLY)))
    assert not _is_found(_recorded((made, LATE), (there, EARLY)))


def test_other_services_hear_of_it_in_their_own_time() -> None:
    assert not _is_found(_recorded((REGISTERS, LATE), (ERASES, EARLY)))


def test_of_an_earlier_release_the_times_are_not_known() -> None:
    history = _recorded((MEETS, LATE), (ERASES, EARLY))
    for event in history.events:
        del event["recorded_at"]
    assert not _is_found(history)
