"""The watchdog: ends what is silent, and only that."""

import threading
import time
from datetime import timedelta

import pytest

from services.metrics import watchdog
from services.metrics.watchdog import SILENCE, Watchdog

LOOK_S = 0.01


class Ended:
    def __init__(self) -> None:
        self.reason: str | None = None
        self._told = threading.Event()

    def __call__(self, reason: str) -> None:
        self.reason = reason
        self._told.set()

    def within(self, seconds: float) -> bool:
        return self._told.wait(seconds)


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "LOOK_EVERY_S", LOOK_S)


def test_who_says_nothing_is_ended() -> None:
    ended = Ended()
    with Watchdog(timedelta(seconds=3 * LOOK_S), ended):
        assert ended.within(10)
    assert ended.reason == SILENCE


def test_who_worries_for_too_long_is_ended_for_that() -> None:
    ended = Ended()
    with Watchdog(timedelta(seconds=10 * LOOK_S), ended) as dog:
        while not ended.within(LOOK_S):
            dog.worry("17 facts wait")
    assert ended.reason == "17 facts wait"


def test_who_says_that_all_is_well_goes_on() -> None:
    ended = Ended()
    with Watchdog(timedelta(seconds=50 * LOOK_S), ended) as dog:
        for _ in range(100):
            dog.worry("for a moment")
            dog.all_is_well()
            assert not ended.within(LOOK_S)
        assert dog.silent_s < 50 * LOOK_S


def test_the_watch_is_over_when_the_work_is() -> None:
    ended = Ended()
    with Watchdog(timedelta(seconds=5 * LOOK_S), ended):
        pass
    time.sleep(10 * LOOK_S)
    assert ended.reason is None
