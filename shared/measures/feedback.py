"""What people said: responses, answers in the words of their scale, recommendation."""

import math
from collections.abc import Iterator, Mapping

from shared.measures.measure import WHOLE, Contribution, Cycle, Measure
from shared.views.records import ResponseRecord

SOURCE = "Praxis: shared/measures/feedback.py"


def _responses(record: ResponseRecord) -> Iterator[Contribution]:
    if record.received_on is not None:
        yield record.received_on, WHOLE, 1
        yield record.received_on, f"form={record.form_id}", 1


RESPONSES = Measure(
    name="responses",
    title="Responses",
    unit="responses",
    counts="Feedback responses received up to the day.",
    excludes="Nothing: a response with unanswered questions is a response.",
    source=SOURCE,
    cycle=Cycle.IMMEDIATE,
    by=("form",),
    record=ResponseRecord,
    contributions=_responses,
)


def _answers(record: ResponseRecord) -> Iterator[Contribution]:
    if record.received_on is None:
        return
    for question, answer in record.answers.items():
        yield record.received_on, f"{record.form_id}/{question}={answer}", 1
    for question in record.in_words:
        yield record.received_on, f"{record.form_id}/{question}", 1


ANSWERS = Measure(
    name="answers",
    title="Answers",
    unit="responses",
    counts="Responses that chose this answer to this question, in the words and the order of its scale.",
    excludes="Unanswered questions, which are stated apart.",
    source=SOURCE,
    cycle=Cycle.IMMEDIATE,
    record=ResponseRecord,
    contributions=_answers,
)

ITEM_RESPONSE = Measure(
    name="item-response",
    title="Item response",
    unit="share",
    counts="Responses that answered the question / responses to the form.",
    excludes="People who did not respond at all.",
    source=SOURCE,
    cycle=Cycle.IMMEDIATE,
)

RESPONSE_RATE = Measure(
    name="response-rate",
    title="Response rate",
    unit="share",
    counts="Responses / people invited who attended the convening that the form is about.",
    excludes="None where the form is about no convening or its attendance is unknown.",
    source=SOURCE,
    cycle=Cycle.IMMEDIATE,
)

NPS = Measure(
    name="nps",
    title="Net promoter score",
    unit="points",
    counts="Share of 9 and 10 less share of 0 to 6 among answers from 0 to 10, in points from -100 to 100; the "
    "interval is adjusted Wald at 95 % (n + 3, three quarters of an answer to each side).",
    excludes="Other scales: a five-point 'likely to recommend' is not NPS. The interval does not cover non-response.",
    source="Reichheld 2003; Rocks 2016 (adjusted Wald)",
    cycle=Cycle.IMMEDIATE,
)


def nps(answers: Mapping[str, int]) -> tuple[float | None, tuple[float, float] | None, int]:
    """Points, interval and n of answers by their number, "0" to "10"."""
    n = sum(answers.values())
    if not n:
        return None, None, 0
    promoters = sum(count for answer, count in answers.items() if int(answer) >= 9)
    detractors = sum(count for answer, count in answers.items() if int(answer) <= 6)
    up, down = (promoters + 0.75) / (n + 3), (detractors + 0.75) / (n + 3)
    half = 1.96 * math.sqrt((up + down - (up - down) ** 2) / (n + 3))
    low, high = max(up - down - half, -1.0), min(up - down + half, 1.0)
    return round(100 * (promoters - detractors) / n, 1), (round(100 * low, 1), round(100 * high, 1)), n
