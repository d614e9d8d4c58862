"""What was convened; what of a commission is due, late or at risk."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.measures.convenings import (
    AT_RISK,
    ATTENDANCE_UNKNOWN,
    CANCELLED,
    DUE,
    HELD,
    LATE,
    delivery,
    months_after,
)
from shared.views.records import ConveningRecord
from tests.unit.shared.figures import DAYS, LATER, sums, whole

ENDS = "2020-01-31"


def convening(
    scheduled_on: str | None = "2019-03-01",
    held_on: str | None = None,
    *,
    cancelled_on: str | None = None,
    attendance_known: bool = False,
    called_by_members: bool = False,
) -> ConveningRecord:
    return ConveningRecord(
        community_id="rehabilitation",
        convening_id="spring",
        scheduled_on=scheduled_on,
        held_on=held_on,
        cancelled_on=cancelled_on,
        attendance_known=attendance_known,
        called_by_members=called_by_members,
    )


def became(
    commissioned: int | None, *convenings: ConveningRecord, at: str, ends_on: str | None = ENDS
) -> dict[str, int | None]:
    return delivery(commissioned, ends_on, convenings, at)


def figures(due: int, late: int, at_risk: int | None) -> dict[str, int | None]:
    return {DUE.name: due, LATE.name: late, AT_RISK.name: at_risk}


def test_a_convening_counts_as_held_from_its_day_by_who_called_it() -> None:
    one, other = convening(held_on="2019-03-01"), convening(held_on="2019-04-01", called_by_members=True)
    assert sums(HELD, one, other, at="2019-03-31") == {"": 1, "called-by=facilitators": 1}
    assert sums(HELD, one, other, at="2019-04-01") == {"": 2, "called-by=facilitators": 1, "called-by=members": 1}


def test_what_is_only_scheduled_or_was_cancelled_was_not_held() -> None:
    assert sums(HELD, convening(), convening(cancelled_on="2019-02-20"), at="2030-01-01") == {}
    assert whole(CANCELLED, convening(cancelled_on="2019-02-20"), at="2019-02-20") == 1


def test_unknown_attendance_counts_apart_until_it_is_taken() -> None:
    assert whole(ATTENDANCE_UNKNOWN, convening(held_on="2019-03-01"), at="2019-03-01") == 1
    assert whole(ATTENDANCE_UNKNOWN, convening(held_on="2019-03-01", attendance_known=True), at="2019-03-01") == 0
    assert whole(ATTENDANCE_UNKNOWN, convening(), at="2019-03-01") == 0


def test_a_convening_is_due_on_its_day_and_late_while_it_was_not_held() -> None:
    assert became(3, convening("2019-03-01"), at="2019-02-28") == figures(0, 0, 2)
    assert became(3, convening("2019-03-01"), at="2019-03-01") == figures(1, 1, 2)
    assert became(3, convening("2019-03-01", "2019-03-01"), at="2019-03-01") == figures(1, 0, 2)


def test_what_is_neither_held_nor_late_nor_scheduled_within_the_period_is_at_risk() -> None:
    within, beyond = convening("2019-11-01"), convening("2020-03-01")
    assert became(3, within, at="2019-06-01") == figures(0, 0, 2)
    assert became(3, within, beyond, at="2019-06-01") == figures(0, 0, 2)
    assert became(1, within, at="2019-06-01") == figures(0, 0, 0)


def test_once_the_period_is_over_all_that_was_commissioned_is_due_and_the_rest_late() -> None:
    done = convening("2019-03-01", "2019-03-01")
    assert became(3, done, at="2020-01-30") == figures(1, 0, 2)
    assert became(3, done, at=ENDS) == figures(3, 2, 0)
    assert became(3, done, done, done, done, at=ENDS) == figures(4, 0, 0)


def test_a_cancelled_convening_is_neither_due_nor_ahead_from_the_day_it_was_cancelled() -> None:
    cancelled = convening("2019-03-01", cancelled_on="2019-02-20")
    assert became(1, cancelled, at="2019-02-19") == figures(0, 0, 0)
    assert became(1, cancelled, at="2019-02-20") == figures(0, 0, 1)
    assert became(1, cancelled, at="2019-03-01") == figures(0, 0, 1)


def test_a_commission_without_numbers_has_no_risk_and_what_was_convened_is_due_by_its_day() -> None:
    assert became(None, convening("2019-03-01"), at="2019-03-01") == figures(1, 1, None)
    assert became(None, convening("2019-03-01"), at="2021-01-01") == figures(1, 1, None)


def test_a_commission_without_an_end_is_never_over() -> None:
    assert became(2, convening("2029-01-01"), at="2028-01-01", ends_on=None) == figures(0, 0, 1)


CONVENINGS = st.lists(
    st.builds(lambda scheduled, held, cancelled: convening(scheduled, held, cancelled_on=cancelled), DAYS, LATER, LATER)
)


@given(st.integers(1, 12), DAYS, CONVENINGS, DAYS)
def test_a_commission_is_accounted_for_in_full(
    commissioned: int, ends_on: str, convenings: list[ConveningRecord], at: str
) -> None:
    figures = delivery(commissioned, ends_on, convenings, at)
    due, late, at_risk = figures[DUE.name], figures[LATE.name], figures[AT_RISK.name]
    assert due is not None
    assert late is not None
    assert at_risk is not None
    held = sum(c.held_on is not None and c.held_on <= at for c in convenings)
    assert min(due, late, at_risk) >= 0
    assert late == max(due - held, 0)
    assert held + late + at_risk <= max(commissioned, held + late), "nothing is at risk beyond what was commissioned"
    if at >= ends_on:
        assert due >= commissioned
        assert at_risk == 0


@pytest.mark.parametrize(
    ("day", "months", "later"),
    [
        ("2019-01-31", 12, "2020-01-31"),
        ("2019-01-31", 1, "2019-02-28"),
        ("2020-01-31", 1, "2020-02-29"),
        ("2019-12-15", 1, "2020-01-15"),
        ("2019-01-15", 11, "2019-12-15"),
        ("2019-05-31", 0, "2019-05-31"),
    ],
)
def test_some_months_later_is_the_same_day_or_the_last_of_that_month(day: str, months: int, later: str) -> None:
    assert months_after(day, months) == later
