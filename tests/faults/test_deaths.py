"""Whether the checker tells who ended by itself from who was ended."""

from typing import Any

import pytest

from tests.faults.anomaly import Kind
from tests.faults.checks.living import lived
from tests.faults.history import History

ENDED, DIED = "ended by itself", "died before it was ready"
LOST = "membership.events is another log: praxis refill, then praxis rebuild"


def noted(what: str, name: str, log: str = "Traceback", **more: Any) -> dict[str, Any]:
    return {"at": 0.0, "what": what, "name": name, "why": f"{name} ended", "log": [log], **more}


@pytest.mark.parametrize("what", [ENDED, DIED])
def test_whoever_ends_unstruck_has_died(what: str) -> None:
    history = History(nemesis=[noted("started", "metrics"), noted(what, "metrics"), noted("started", "metrics")])
    (anomaly,) = lived(history)
    assert (anomaly.kind, anomaly.where) == (Kind.DIED, "metrics")
    assert "Traceback" in anomaly.what


@pytest.mark.parametrize("what", [ENDED, DIED])
def test_who_is_killed_at_a_fail_point_says_so_and_whoever_does_not_has_died(what: str) -> None:
    armed = noted("started", "metrics", fail="sink.folded:kill@1")
    assert not list(lived(History(nemesis=[armed, noted(what, "metrics", "fail point sink.folded: SIGKILL")])))
    assert list(lived(History(nemesis=[armed, noted(what, "metrics", "KeyError: 'x'")])))


@pytest.mark.parametrize(("name", "dies"), [("kafka", False), ("metrics", True)])
def test_an_engine_whose_disk_is_full_may_end_and_nobody_else(name: str, dies: bool) -> None:
    filled = {"at": 0.0, "what": "disk filled", "engine": "kafka"}
    assert bool(list(lived(History(nemesis=[filled, noted(ENDED, name)])))) == dies
    assert list(lived(History(nemesis=[noted(ENDED, name), filled])))


def test_an_engine_that_was_started_since_its_disk_was_emptied_may_not_end() -> None:
    until_emptied = [{"at": 0.0, "what": "disk filled", "engine": "kafka"}, {"at": 0.0, "what": "disk emptied"}]
    assert not list(lived(History(nemesis=[*until_emptied, noted(ENDED, "kafka")])))
    assert list(lived(History(nemesis=[*until_emptied, noted("started", "kafka"), noted(ENDED, "kafka")])))


@pytest.mark.parametrize("how", ["log cut", "topic deleted", "topic made anew"])
def test_who_read_a_log_that_was_lost_ends_and_says_so(how: str) -> None:
    lost = {"at": 0.0, "what": how, "name": "membership.events"}
    assert not list(lived(History(nemesis=[lost, noted(ENDED, "metrics", LOST)])))
    assert list(lived(History(nemesis=[lost, noted(ENDED, "metrics")])))
    assert list(lived(History(nemesis=[noted(ENDED, "metrics", LOST)])))
