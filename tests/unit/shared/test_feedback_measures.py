"""Responses, answers and recommendation, against values computed by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.measures.feedback import ANSWERS, RESPONSES, nps
from shared.views.records import ResponseRecord
from tests.builders import ANNA, BEN
from tests.unit.shared.figures import sums


def response(
    response_id: str = ANNA, received_on: str | None = "2019-03-02", in_words: tuple[str, ...] = (), **answers: str
) -> ResponseRecord:
    return ResponseRecord(
        community_id="rehabilitation",
        form_id="after",
        response_id=response_id,
        received_on=received_on,
        answers=answers,
        in_words=in_words,
    )


def test_responses_count_from_the_day_they_came_by_form() -> None:
    received = [response(), response(BEN, "2019-03-05")]
    assert sums(RESPONSES, *received, at="2019-03-01") == {}
    assert sums(RESPONSES, *received, at="2019-03-04") == {"": 1, "form=after": 1}
    assert sums(RESPONSES, *received, at="2019-03-05") == {"": 2, "form=after": 2}


def test_answers_count_in_the_words_of_their_scale_and_those_in_words_by_question() -> None:
    received = [response(useful="very = so", in_words=("comments",)), response(BEN, useful="not at all")]
    assert sums(ANSWERS, *received, at="2019-12-31") == {
        "after/useful=very = so": 1,
        "after/useful=not at all": 1,
        "after/comments": 1,
    }


def test_a_response_whose_date_is_missing_counts_for_nothing() -> None:
    assert sums(ANSWERS, response(received_on=None, useful="very"), at="9999-12-31") == {}


@pytest.mark.parametrize(
    ("answers", "points", "interval", "n"),
    [
        # 5 promoters, 3 passives, 2 detractors: 100 x 3/10. With n + 3 = 13: 5.75/13 - 2.75/13 = 0.230769;
        # variance (8.5/13 - 0.053254) / 13 = 0.046199, its root 0.214940; 1.96 times that is 0.421282.
        ({"9": 2, "10": 3, "7": 1, "8": 2, "6": 1, "0": 1}, 30.0, (-19.1, 65.2), 10),
        # 1 promoter alone: 1.75/4 - 0.75/4 = 0.25; (2.5/4 - 0.0625) / 4 = 0.140625, root 0.375; 0.25 + 0.735 = 0.985.
        ({"10": 1}, 100.0, (-48.5, 98.5), 1),
        # 100 promoters: 100.75/103 - 0.75/103 = 0.970874; (101.5/103 - 0.942596) / 103 = 0.000416, root 0.020391.
        ({"9": 100}, 100.0, (93.1, 100.0), 100),
        ({"7": 4, "8": 4}, 0.0, (-21.8, 21.8), 8),
        # 3 detractors: 0.75/6 - 3.75/6 = -0.5; (0.75 - 0.25) / 6 = 0.083333, root 0.288675; -0.5 + 0.565803 = 0.065803.
        ({"0": 3}, -100.0, (-100.0, 6.6), 3),
    ],
)
def test_recommendation_is_promoters_less_detractors_with_its_adjusted_wald_interval(
    answers: dict[str, int], points: float, interval: tuple[float, float], n: int
) -> None:
    assert nps(answers) == (points, interval, n)


def test_nobody_answered_is_not_zero_points() -> None:
    assert nps({}) == (None, None, 0)
    assert nps({"9": 0}) == (None, None, 0)


@given(st.dictionaries(st.integers(0, 10).map(str), st.integers(0, 50)))
def test_points_and_interval_stay_within_100_and_mirror_each_other(answers: dict[str, int]) -> None:
    points, interval, n = nps(answers)
    if points is None or interval is None:
        assert n == 0
        return
    low, high = interval
    assert -100 <= low <= high <= 100
    assert -100 <= points <= 100
    up = sum(count for answer, count in answers.items() if int(answer) >= 9)
    down = sum(count for answer, count in answers.items() if int(answer) <= 6)
    mirrored = nps({"10": down, "7": n - up - down, "3": up})
    assert mirrored == (-points, (-high, -low), n)
