"""How far reading is behind."""

import pytest
from aiokafka import TopicPartition

from services.metrics.lag import OVER_S, Trend, behind

ONE, OTHER = TopicPartition("membership.events", 0), TopicPartition("membership.events", 1)


def test_only_what_is_behind_has_a_lag() -> None:
    assert behind({ONE: 7, OTHER: 3}, {ONE: 7, OTHER: 5}) == {OTHER: 2}
    assert behind({}, {ONE: 4, OTHER: 0}) == {ONE: 4}


def test_the_trend_is_one_where_nothing_is_folded() -> None:
    trend = Trend()
    assert [trend.add(at, at) for at in (0.0, 5.0, 10.0)] == [0.0, 1.0, 1.0]


def test_the_trend_is_a_third_when_folding_stopped_ten_seconds_ago() -> None:
    trend = Trend()
    told = [trend.add(at, max(at - 60.0, 0.0)) for at in (float(5 * look) for look in range(30))]
    assert told[12:19] == [0.0, *(pytest.approx(gained / OVER_S) for gained in (5, 10, 15, 20, 25, 30))]
    assert told[-1] == 1.0


def test_the_trend_is_below_zero_while_it_catches_up() -> None:
    trend = Trend()
    trend.add(0.0, 60.0)
    assert trend.add(5.0, 40.0) == -4.0


def test_the_trend_forgets_what_is_long_ago() -> None:
    trend = Trend()
    for at in range(0, 100, 5):
        trend.add(float(at), float(at))
    begin = 95.0 + OVER_S
    trend.add(begin, 95.0)
    assert trend.add(begin + 5, 95.0) == 0.0
