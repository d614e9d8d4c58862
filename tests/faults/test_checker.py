"""What the checker says of histories that are wrong in one thing each."""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import pytest

from tests.faults.anomaly import Kind
from tests.faults.check import check, main
from tests.faults.checks.answering import EDITING, SHOWN
from tests.faults.checks.showing import is_fresh
from tests.faults.commands import fact
from tests.faults.history import LOAD_BEGAN, History, Line, as_it_is, digest
from tests.faults.spread import murmur2, partition_of

COMMUNITY = "membership/community.a"


def a_history() -> History:
    """A community is founded, and somebody joins it; one command was never answered."""
    history = History(lacking=frozenset({"views"}))
    history.note(LOAD_BEGAN)
    _follows(history, fact(COMMUNITY, "community-founded", title="A"), 1)
    _follows(history, fact(COMMUNITY, "member-joined", person_id="p", role="member", how="invited", joined_on=DAY), 2)
    unheard = _command([fact(COMMUNITY, "member-left", person_id="p", left_on=DAY)], "unknown", [])
    history.commands.append(unheard)
    history.heads = [{"stream": COMMUNITY, "head": 2, "missing": []}]
    parts = [
        "",
        "role=member",
        "how=invited",
        *(f"{of}=not-stated" for of in ("organisation", "service", "profession")),
    ]
    history.sums = [{"scope": "community.a", "measure": "members", "key": key, "days": {DAY: 1}} for key in parts]
    return history


DAY = "2024-01-01"


def _command(makes: list[Line], outcome: str, positions: list[str]) -> Line:
    call = {"method": "PUT", "path": "/v1/x", "makes": makes}
    return {"call": call, "outcome": outcome, "positions": positions}


def _follows(history: History, made: Line, version: int) -> None:
    position = f"{COMMUNITY}@{version}"
    history.commands.append(_command([made], "acknowledged", [position]))
    event = {**made, "version": version, "id": f"id-{version}"}
    history.events.append(event)
    place = {"topic": "membership.events", "partition": 0, "offset": version}
    history.kafka.append({**event, **place, "digest": digest(event["data"])})
    history.records.append({"id": f"record-{version}", "scope": "community.a", "positions": [position]})


def test_a_history_that_is_as_it_must_be() -> None:
    assert check(a_history()) == []


def test_a_record_that_was_overwritten_by_who_knew_less_of_it() -> None:
    history = a_history()
    history.records[0] |= {"seen": {"membership": 1}}
    assert check(history) == []
    history.records[0] |= {"seen": {}}
    assert {anomaly.kind for anomaly in check(history)} == {Kind.WRONG}


def test_facts_that_came_first_to_a_log_that_was_lost_are_not_reordered_by_coming_later_to_the_next() -> None:
    history = a_history()
    again = [{**line, "log": 2, "offset": 9 - line["offset"]} for line in history.kafka]
    history.kafka += again
    assert check(history) == []
    history.kafka = again
    assert {anomaly.kind for anomaly in check(history)} == {Kind.REORDERED}


def a_merge() -> History:
    """Two join, and the one turns out to be the other, which counts once."""
    history = a_history()
    joined = {"role": "member", "how": "invited", "joined_on": DAY}
    _follows(history, fact(COMMUNITY, "member-joined", person_id="q", **joined), 3)
    merged = {"person_id": "q", "into_id": "p", "merged_on": DAY}
    _follows(history, fact(COMMUNITY, "person-merged", **merged), 4)
    history.records.append({"id": "record-2", "scope": "community.a", "positions": [f"{COMMUNITY}@4"]})
    of_person = {**fact("membership/person.q", "person-merged", **merged), "version": 1, "id": "id-q"}
    history.events.append(of_person)
    history.commands[-1]["positions"].append("membership/person.q@1")
    history.commands[-1]["call"]["makes"].append(fact("membership/person.q", "person-merged", **merged))
    for command in history.commands:
        command |= {"began": 0.0, "ended": 1.0}
    history.kafka.append({**of_person, "topic": "membership.events", "partition": 1, "offset": 1})
    history.records.append({"id": "record-q", "scope": "person.q", "positions": ["membership/person.q@1"]})
    history.heads = [
        {"stream": COMMUNITY, "head": 4, "missing": []},
        {"stream": "membership/person.q", "head": 1, "missing": []},
    ]
    return history


def test_a_merge_is_in_the_records_of_both_and_in_every_community_and_counts_once() -> None:
    assert check(a_merge()) == []
    history = a_merge()
    del history.records[4]
    assert {anomaly.kind for anomaly in check(history)} == {Kind.UNSEEN}
    history = a_merge()
    history.sums[0]["days"][DAY] = 2
    assert {anomaly.kind for anomaly in check(history)} == {Kind.WRONG}


def test_a_community_that_was_not_told_of_a_merge_is_found() -> None:
    history = a_merge()
    del history.events[3], history.kafka[3], history.records[3:5]
    history.heads[0]["head"] = 3
    history.commands[-1]["positions"] = ["membership/person.q@1"]
    history.commands[-1]["call"]["makes"] = []
    told = [str(anomaly) for anomaly in check(history) if anomaly.kind is Kind.LOST]
    assert told == [f"lost write: {COMMUNITY}: membership/person.q@1 was passed on 0 times"]


@pytest.mark.parametrize(
    ("partition", "until", "within", "end"),
    [(0, 14.0, 3.0, 2), (1, 12.0, 3.0, 2), (1, 14.0, None, 2), (1, 14.0, 3.0, 3)],
    ids=["of the partition itself", "at the end", "where other things hold up", "that came in time"],
)
def test_facts_that_may_wait_or_do_not_are_not_held_up(
    partition: int, until: float, within: float | None, end: int
) -> None:
    history = a_history()
    _held_up_by_another_partition(history)
    history.nemesis[-1] |= {"partition": partition, "until": until, "others_within": within}
    history.nemesis[-1]["ends"][0][2] = end
    assert check(history) == []


def _without_the_last_event(history: History) -> None:
    del history.events[1], history.kafka[1], history.records[1], history.sums[:]
    history.heads[0]["head"] = 1


def _decided_twice(history: History) -> None:
    _follows(history, {name: deepcopy(history.events[1][name]) for name in ("stream", "type", "data")}, 3)
    history.heads[0]["head"] = 3


def _refused_and_stored(history: History) -> None:
    history.commands[1] |= {"outcome": "refused", "positions": []}


def _folded_twice(history: History) -> None:
    history.records[1]["positions"] *= 2


def _not_folded(history: History) -> None:
    del history.records[1]


def _told_of_each_others_facts(history: History) -> None:
    one, other = history.commands[0], history.commands[1]
    one["positions"], other["positions"] = other["positions"], one["positions"]


def _told_of_anothers_fact_too(history: History) -> None:
    history.commands[1]["positions"] = [f"{COMMUNITY}@1", f"{COMMUNITY}@2"]


def _decided_before_what_was_acknowledged_before_it(history: History) -> None:
    history.commands[0] |= {"began": 2.0, "ended": 3.0}
    history.commands[1] |= {"began": 0.0, "ended": 1.0}


def _recorded_before_the_one_before_it(history: History) -> None:
    for event, second in zip(history.events, (2, 1), strict=True):
        event["recorded_at"] = f"2024-01-01T00:00:0{second}.000+00:00"


def _two_facts_with_one_id(history: History) -> None:
    for lines in (history.events, history.kafka):
        lines[1]["id"] = lines[0]["id"]


def _carried_backwards(history: History) -> None:
    history.kafka[0]["offset"] = 9


def _carried_again_and_again(history: History) -> None:
    history.kafka += [{**history.kafka[0], "offset": offset} for offset in range(3, 6)]


def _refused(history: History, error: str, within: float | None = 3.0) -> None:
    ends = [["membership.events", 0, 9]]
    history.note("partition refused", partition=1, error=error, since=0, until=9, others_within=within, ends=ends)


def test_what_kafka_took_once_is_sent_once() -> None:
    history = a_history()
    _carried_again_and_again(history)
    for command in history.commands:
        command["ended"] = -1.0
    _refused(history, "not enough replicas")
    assert {anomaly.kind for anomaly in check(history)} == {Kind.DUPLICATE}


@pytest.mark.parametrize(
    "failed",
    [
        lambda history: history.note("killed", name="membership"),
        lambda history: _refused(history, "invalid record"),
        lambda history: _refused(history, "not enough replicas", None),
        lambda history: history.kafka.pop(),
        lambda history: history.note("copied", of=[f"{COMMUNITY}@1"]),
    ],
    ids=["killed", "a producer thrown away", "among others", "not so often", "copied by the suite"],
)
def test_what_a_failure_may_have_repeated_is_no_duplicate(failed: Callable[[History], None]) -> None:
    history = a_history()
    _carried_again_and_again(history)
    for command in history.commands:
        command["ended"] = -1.0
    failed(history)
    assert check(history) == []


def _carried_apart(history: History) -> None:
    history.kafka[1]["partition"] = 3


def _carried_apart_by_topic(history: History) -> None:
    line = {**fact("convenings/community.a", "convening-scheduled"), "version": 1, "id": "id-c"}
    place = {"topic": "convenings.events", "partition": 3, "offset": 1, "digest": digest({})}
    history.kafka.append({**line, **place})
    history.events.append(line)
    history.records.append({"id": "c", "scope": "community.a", "positions": ["convenings/community.a@1"]})
    history.heads.append({"stream": "convenings/community.a", "head": 1, "missing": []})
    history.commands.append(_command([], "acknowledged", ["convenings/community.a@1"]))


@pytest.mark.parametrize(
    ("key", "number"),
    [("21", -973932308), ("foobar", -790332482), ("a-little-bit-longer-string", -1486304829), ("abc", 479470107)],
)
def test_a_key_belongs_where_the_clients_of_kafka_put_it(key: str, number: int) -> None:
    assert murmur2(key.encode()) == number % 2**32


def test_facts_of_which_all_are_in_the_wrong_partition_are_found() -> None:
    history = a_history()
    history.about["partitions"] = 12
    right = partition_of(b"community.a", 12)
    for line in history.kafka:
        line["partition"] = right
    assert check(history) == []
    for line in history.kafka:
        line["partition"] = (right + 1) % 12
    assert {anomaly.kind for anomaly in check(history)} == {Kind.MISPLACED}


def _not_carried(history: History) -> None:
    del history.kafka[1]


def _held_up_by_another_partition(history: History) -> None:
    for command in history.commands:
        command["ended"] = 10.0
    refusal = {"partition": 1, "error": "invalid record", "since": 9.0, "until": 14.0, "others_within": 3.0}
    history.note("partition refused", **refusal, ends=[["membership.events", 0, 2], ["membership.events", 1, 0]])


def _carried_without_being_recorded(history: History) -> None:
    history.kafka.append({**history.kafka[1], "version": 3, "offset": 3})


def _counted_twice(history: History) -> None:
    history.sums[0]["days"][DAY] = 2


def _counted_a_day_early(history: History) -> None:
    for line in history.sums:
        line["days"] = {"2023-12-31": 1}


def _left_behind(history: History) -> None:
    history.outbox.append({"service": "membership", "place": {"stream": COMMUNITY, "version": 2}})


ONE = {"community": "a", "counts": "completions", "at_least": 1}
READ = {"path": "/v1/communities/a", "after": [f"{COMMUNITY}@2"], "status": 200, "shows": ONE, "found": 0}


def _read_too_early(history: History) -> None:
    history.reads.append(READ)


def _read_more_than_anybody_asked_for(history: History) -> None:
    history.reads.append({**READ, "found": 1})


def _read_before_it_was_asked_for(history: History) -> None:
    completed = _command([fact(COMMUNITY, "member-completed", person_id="p")], "unknown", [])
    history.commands.append({**completed, "began": 2.0})
    history.reads.append({**READ, "found": 1, "ended": 3.0})
    assert check(history) == []
    history.reads.append({**READ, "found": 1, "ended": 1.0})


def _not_read_back(history: History) -> None:
    history.commands[0] |= {"key": "k", "read_back": True}


@pytest.mark.parametrize(
    ("expected", "states", "fresh"),
    [
        ("scheduled", ["scheduled"], True),
        ("scheduled", ["held"], True),
        ("scheduled", ["cancelled"], True),
        ("held", ["held"], True),
        ("held", ["scheduled"], False),
        ("cancelled", ["held"], False),
        ("scheduled", [], False),
        ("held", ["held", "held"], False),
    ],
)
def test_a_late_read_may_show_what_came_after(expected: str, states: list[str], fresh: bool) -> None:
    assert is_fresh(states, {"convening": "c", "state": expected}) is fresh


PROBE = {"of": "k", "call": {"method": "PUT", "path": "/v1/x"}, "statuses": [], "answer": {}}


def _probed(how: str, status: int, answer: Line, **more: object) -> Callable[[History], None]:
    def wrong(history: History) -> None:
        history.commands[0]["key"] = "k"
        history.probes.append({**PROBE, "how": how, "status": status, "answer": answer, **more})

    return wrong


REFUSALS = {"another body": (422, "/problems/key-reused"), "a stale ETag": (412, "/problems/changed-since")}


def test_who_sends_it_again_is_answered_as_before_and_who_sends_something_else_is_refused() -> None:
    history = a_history()
    _probed("again", 202, {"positions": [f"{COMMUNITY}@1"]})(history)
    for how, (status, kind) in REFUSALS.items():
        _probed(how, status, {"type": kind})(history)
    assert check(history) == []


@pytest.mark.parametrize("noted", [{"what": "interrupted"}, {"what": "broke off", "why": "CancelledError()"}])
def test_a_run_that_somebody_interrupted_is_not_checked(
    noted: Line, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    history = a_history()
    history.events.clear()
    history.nemesis.append(noted)
    history.save(tmp_path)
    assert check(history) == []
    assert main([str(tmp_path)]) == 0
    assert "interrupted: not checked" in capsys.readouterr().out


def _not_there_yet(history: History) -> None:
    history.reads.append({**READ, "status": 404})


def _read_fails(history: History) -> None:
    history.reads.append({**READ, "status": 500})


def test_who_is_told_to_come_again_has_read_nothing_stale() -> None:
    history = a_history()
    history.reads += [{**READ, "status": 503}, {**READ, "status": None}]
    assert check(history) == []


def _never_read(history: History) -> None:
    history.reads.append({**READ, "status": 503, "given_up": True, "tries": 9})


def _never_answered(history: History) -> None:
    history.commands[-1] |= {"given_up": True, "statuses": [503, None]}


def _nobody_was_answered(history: History) -> None:
    for part in (history.events, history.kafka, history.records, history.sums, history.heads, history.commands):
        part.clear()


def _nobody_reads(history: History) -> None:
    shows = {"community": "a", "counts": "responses"}
    showing = _command([], "acknowledged", [])
    history.commands += [{**showing, "call": {**showing["call"], "shows": shows}}] * SHOWN


def _nothing_is_sent_besides(history: History) -> None:
    editing = _command([], "acknowledged", [])
    history.commands += [{**editing, "call": {**editing["call"], "edits": "/v1/x"}}] * EDITING


def _carried_as_another_type(history: History) -> None:
    history.kafka[0]["type"] = "praxis.community-closed.v1"


def _carried_with_another_body(history: History) -> None:
    history.kafka[0]["digest"] = digest({"title": "B"})


def _buried_without_need(history: History) -> None:
    history.dead.append({"topic": "membership.events", "partition": 0, "offset": 2, "reason": "it is broken"})


def a_viewed_history() -> History:
    """Somebody else was in the network before."""
    history = a_history()
    history.lacking = frozenset()
    parts = ["role=member", "how=invited", *(f"{of}=not-stated" for of in ("organisation", "service", "profession"))]
    members = {"members": 1, **{f"members {part}": 1 for part in parts}}
    network, before = {"communities": 4, "distinct-members": 3}, {"communities": 3, "distinct-members": 2}
    history.views = [
        {"path": "/v1/network", "as_at": DAY, "status": 200, "figures": before, "is_before": True},
        {"path": "/v1/communities/a", "as_at": DAY, "status": 200, "figures": members},
        {"path": "/v1/network", "as_at": DAY, "status": 200, "figures": network},
    ]
    return history


def test_what_is_shown_when_all_is_quiet_is_what_the_facts_give(tmp_path: Path) -> None:
    history = a_viewed_history()
    assert check(history) == []
    history.save(tmp_path)
    assert check(History.load(tmp_path)) == []


@pytest.mark.parametrize(
    ("of", "changed", "kind"),
    [
        (1, {"figures": {}}, Kind.WRONG),
        (1, {"status": 503}, Kind.STUCK),
        (1, {"as_at": "2030-12-31", "is_before": True}, Kind.STUCK),
        (2, {"figures": {"communities": 4, "distinct-members": 4}}, Kind.WRONG),
        (2, {"is_before": True}, Kind.STUCK),
    ],
    ids=["figures that are not there", "no answer", "a view not read", "one person twice", "the network not read"],
)
def test_what_is_wrong_with_a_view_is_found(of: int, changed: Line, kind: Kind) -> None:
    history = a_viewed_history()
    history.views[of] |= changed
    assert {anomaly.kind for anomaly in check(history)} == {kind}


LETTER = {"topic": "membership.events", "partition": 0, "offset": 9, "reason": "no JSON", "left_out": ""}
HELD = as_it_is(b"k", b"{", [("ce_id", b"1"), ("null", None)])
LEFT_OUT = {**as_it_is(b"k", b"", [("ce_id", b"1")]), "left_out": "value"}


def _letters(planted: Line, dead: Line) -> Callable[[History], None]:
    def wrong(history: History) -> None:
        place = {name: LETTER[name] for name in ("topic", "partition", "offset")}
        history.planted.append({**place, "stream": None, "is_fact": False, "what": "broken JSON", **planted})
        history.dead.append({**LETTER, **dead})

    return wrong


@pytest.mark.parametrize(
    ("planted", "dead"), [(HELD, HELD), ({}, HELD), (HELD, {}), ({**HELD, "bytes": 10**6}, LEFT_OUT)]
)
def test_a_letter_is_what_was_planted_but_for_what_is_left_out_as_far_as_that_is_noted(
    planted: Line, dead: Line
) -> None:
    history = a_history()
    _letters(planted, dead)(history)
    assert check(history) == []


def test_what_a_planting_left_that_failed_may_be_buried() -> None:
    history = a_history()
    _buried_without_need(history)
    history.miss("could not plant", reason="no broker")
    assert check(history) == []


def test_a_run_that_broke_off_is_not_taken_for_one_that_lost_all() -> None:
    history = a_history()
    history.events.clear()
    history.note("broke off", why="nobody answered")
    assert [anomaly.kind for anomaly in check(history)] == [Kind.STUCK]


def _nothing_is_noted(history: History) -> None:
    history.nemesis.clear()


def _of_a_lost_log_nothing_is_noted(history: History) -> None:
    history.note("log cut", name="membership.events")


def _no_words_are_held(history: History) -> None:
    registered = _command([], "acknowledged", [])
    registered["call"]["body"] = {"name": "P"}
    history.commands.append({**registered, "person": "p", "ended": 0.0})


def _never_quiet(history: History) -> None:
    history.note("never quiet", still="2 messages in the outbox of membership")


def test_a_history_of_an_earlier_release_is_checked_too(tmp_path: Path) -> None:
    history = a_history()
    _no_words_are_held(history)
    history.nemesis.clear()
    for line in history.kafka:
        del line["digest"]
    history.save(tmp_path)
    (tmp_path / "words.jsonl").unlink()
    earlier = History.load(tmp_path)
    assert check(earlier) == []
    earlier.save(tmp_path / "again")
    assert check(History.load(tmp_path / "again")) == []


def test_a_history_is_checked_again_from_its_folder(tmp_path: Path) -> None:
    history = a_history()
    _read_too_early(history)
    history.save(tmp_path)
    assert check(History.load(tmp_path)) == check(history) != []


FULL = {"why": "Too little room in /data: 0 MB free", "remedy": "make room"}
TOLD = "waiting for kafka: no broker answers: see whether it runs and, where it ended by itself, what its log says last"


def _while_kafkas_disk_was_full(history: History, end: Line, told: str | None) -> None:
    history.note("disk filled", engine="kafka", free=0)
    history.note("ended by itself", name="kafka", **end)
    services = ("membership", "convenings", "metrics")
    parts = [{"name": name, "ready": not told, "waiting_for": told} for name in services]
    history.note("looked", parts=[{"name": "kafka", "ready": False, "waiting_for": None}, *parts])
    history.note("disk emptied", free=1)


def test_who_says_what_to_do_where_a_disk_is_full_has_explained_itself() -> None:
    history = a_history()
    _while_kafkas_disk_was_full(history, FULL, TOLD)
    assert check(history) == []


def test_who_was_never_looked_at_while_the_engine_was_away_owes_no_word() -> None:
    history = a_history()
    history.note("disk filled", engine="kafka", free=0)
    history.note("looked", parts=[{"name": name, "ready": True, "waiting_for": None} for name in ("kafka", "metrics")])
    history.note("ended by itself", name="kafka", **FULL)
    history.note("disk emptied", free=1)
    assert check(history) == []


def _ended_for_no_reason(history: History) -> None:
    _while_kafkas_disk_was_full(history, {"why": "kafka ended", "remedy": "read its log"}, TOLD)


def _ready_without_kafka(history: History) -> None:
    _while_kafkas_disk_was_full(history, FULL, None)


def _waits_for_something(history: History) -> None:
    _while_kafkas_disk_was_full(history, FULL, "waiting for streams: it failed")


def _an_unexpected_error(history: History) -> None:
    history.commands.append(_command([], "failed", []))


def _failed_and_stored(history: History) -> None:
    history.commands[1] |= {"outcome": "failed", "positions": [], "spoilt": "-not-to-be-stored"}


def _too_large(history: History) -> None:
    history.note("memory", name="metrics", mb=249, most=248)


def _missing_still(history: History) -> None:
    history.heads[0]["missing"] = [1]


def _not_buried(history: History) -> None:
    place = {"topic": "membership.events", "partition": 0, "offset": 7, "stream": None}
    history.planted.append({**place, "is_fact": False, "what": "a tombstone"})


LOSS = {"reader": "metrics", "topic": "membership.events", "how": "cut", "went_back": [], "changed": []}
SAID = "membership.events, partition 3: cut: `praxis refill --new-topics`, then `praxis rebuild --new-topics`"


def _read_on_in_another_log(history: History) -> None:
    history.losses.append({**LOSS, "said": []})


def _ended_without_a_remedy(history: History) -> None:
    history.losses.append({**LOSS, "said": [SAID, "Faust stopped by itself"]})


def _set_back_silently(history: History) -> None:
    history.losses.append({**LOSS, "said": [SAID], "went_back": ["membership/3"]})


def _changed_figures_without_facts(history: History) -> None:
    history.losses.append({**LOSS, "said": [SAID], "changed": ["sums_1"]})


def _has_no_remedy_that_helps(history: History) -> None:
    history.losses.append({"failed": "rebuild --new-topics", "said": ["figures differ"]})


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [
        (_without_the_last_event, Kind.LOST),
        (_decided_twice, Kind.DUPLICATE),
        (_refused_and_stored, Kind.PHANTOM),
        (_folded_twice, Kind.DUPLICATE),
        (_not_folded, Kind.UNSEEN),
        (_told_of_each_others_facts, Kind.MISTOLD),
        (_told_of_anothers_fact_too, Kind.MISTOLD),
        (_decided_before_what_was_acknowledged_before_it, Kind.REORDERED),
        (_recorded_before_the_one_before_it, Kind.REORDERED),
        (_two_facts_with_one_id, Kind.DUPLICATE),
        (_carried_backwards, Kind.REORDERED),
        (_carried_again_and_again, Kind.DUPLICATE),
        (_carried_apart, Kind.MISPLACED),
        (_carried_apart_by_topic, Kind.MISPLACED),
        (_not_carried, Kind.LOST),
        (_held_up_by_another_partition, Kind.HELD_UP),
        (_carried_without_being_recorded, Kind.PHANTOM),
        (_counted_twice, Kind.WRONG),
        (_counted_a_day_early, Kind.WRONG),
        (_left_behind, Kind.STUCK),
        (_read_too_early, Kind.STALE),
        (_ended_for_no_reason, Kind.UNEXPLAINED),
        (_ready_without_kafka, Kind.UNEXPLAINED),
        (_waits_for_something, Kind.UNEXPLAINED),
        (_an_unexpected_error, Kind.FAILED),
        (_failed_and_stored, Kind.PHANTOM),
        (_too_large, Kind.GROWN),
        (_missing_still, Kind.UNSEEN),
        (_not_buried, Kind.LOST),
        (_read_on_in_another_log, Kind.SILENT),
        (_ended_without_a_remedy, Kind.SILENT),
        (_set_back_silently, Kind.SILENT),
        (_changed_figures_without_facts, Kind.WRONG),
        (_has_no_remedy_that_helps, Kind.STUCK),
        (_never_quiet, Kind.STUCK),
        (_nothing_is_noted, Kind.STUCK),
        (_of_a_lost_log_nothing_is_noted, Kind.SILENT),
        (_no_words_are_held, Kind.LOST),
        (_read_more_than_anybody_asked_for, Kind.PHANTOM),
        (_read_before_it_was_asked_for, Kind.PHANTOM),
        (_not_read_back, Kind.STUCK),
        (_probed("again", 202, {"positions": [f"{COMMUNITY}@2"]}), Kind.MISTOLD),
        (_probed("again", 409, {}), Kind.REFUSED),
        (_probed("again", 500, {}), Kind.FAILED),
        (_probed("another body", 202, {"positions": [f"{COMMUNITY}@1"]}), Kind.ACCEPTED),
        (_probed("another body", 412, {"type": "/problems/changed-since"}), Kind.REFUSED),
        (_probed("a stale ETag", 202, {"positions": []}), Kind.ACCEPTED),
        (_probed("a stale ETag", 503, {}, given_up=True), Kind.STUCK),
        (_not_there_yet, Kind.STALE),
        (_read_fails, Kind.FAILED),
        (_never_read, Kind.STUCK),
        (_never_answered, Kind.STUCK),
        (_nobody_was_answered, Kind.STUCK),
        (_nobody_reads, Kind.STUCK),
        (_nothing_is_sent_besides, Kind.STUCK),
        (_carried_as_another_type, Kind.PHANTOM),
        (_carried_with_another_body, Kind.PHANTOM),
        (_buried_without_need, Kind.PHANTOM),
        (_letters(HELD, {**HELD, "key": ""}), Kind.LOST),
        (_letters(HELD, {**HELD, "value": ""}), Kind.LOST),
        (_letters(HELD, {**HELD, "headers": []}), Kind.LOST),
        (_letters(HELD, LEFT_OUT), Kind.LOST),
    ],
)
def test_what_is_wrong_is_called_by_its_name(wrong: Callable[[History], None], kind: Kind) -> None:
    history = a_history()
    wrong(history)
    assert {anomaly.kind for anomaly in check(history)} == {kind}
