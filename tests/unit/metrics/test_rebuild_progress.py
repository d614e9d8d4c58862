"""What a rebuild tells of its speed, and how the command shows it."""

import itertools
from types import SimpleNamespace
from typing import Any

import pytest

from deploy.cli.rebuild import _rate
from services.metrics import rebuilding


def test_it_tells_facts_per_second_over_the_last_seconds_and_the_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count(100, 2)  # two seconds from one look to the next
    monkeypatch.setattr("services.metrics.rebuilding.time.monotonic", lambda: next(clock))
    progress = rebuilding.Progress()
    beside: Any = SimpleNamespace(facts=0, done=1_000, total=9_000)
    first = progress.told(beside)
    assert (first["facts_per_second"], first["seconds_left"]) == (0, None)
    beside.facts, beside.done = 4_000, 5_000
    told = progress.told(beside)
    assert told == {"done": 5_000, "total": 9_000, "facts_per_second": 2_000, "seconds_left": 2.0}
    assert _rate(told) == "5,000 of 9,000 facts, 2,000 a second, 0:00:02 left"
    assert _rate(first) == "1,000 of 9,000 facts, 0 a second"
