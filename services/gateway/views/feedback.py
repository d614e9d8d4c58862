"""What was answered to a form, question by question."""

from collections.abc import Sequence

from pydantic import BaseModel

from shared.events.feedback import Scale
from shared.measures.feedback import ANSWERS, ITEM_RESPONSE, NPS, RESPONSE_RATE, RESPONSES, nps
from shared.measures.measure import Basis, Figure, Sums
from shared.measures.participation import ATTENDANCES
from shared.views.records import ConveningRecord, FormRecord, Question


class AnswerCount(BaseModel):
    answer: str
    count: int


class QuestionView(BaseModel):
    question_id: str
    text: str
    scale: Scale
    answers: list[AnswerCount]
    """In the order of the scale, those nobody chose too; none for a question that is answered in words."""
    answered: int
    unanswered: int
    figures: list[Figure]


class FormView(BaseModel):
    form_id: str
    title: str | None
    convening_id: str | None
    opened_on: str | None
    figures: list[Figure]
    questions: list[QuestionView]


def form_view(form: FormRecord, convenings: Sequence[ConveningRecord], sums: Sums, basis: Basis) -> FormView:
    responses = sums.whole(RESPONSES, f"form={form.form_id}")
    return FormView(
        form_id=form.form_id,
        title=form.title,
        convening_id=form.convening_id,
        opened_on=form.opened_on,
        figures=[basis.figure(RESPONSES, responses), _response_rate(form, responses, convenings, sums, basis)],
        questions=[_question(form.form_id, question, responses, sums, basis) for question in form.questions],
    )


def _response_rate(
    form: FormRecord, responses: int, convenings: Sequence[ConveningRecord], sums: Sums, basis: Basis
) -> Figure:
    asked = next((c for c in convenings if c.convening_id == form.convening_id), None)
    if asked is None or not asked.attendance_known:
        return basis.figure(RESPONSE_RATE, None, unknown=1)
    came = sums.whole(ATTENDANCES, f"convening={asked.convening_id}")
    return basis.figure(RESPONSE_RATE, responses / came if came else None, n=came)


def _question(form_id: str, question: Question, responses: int, sums: Sums, basis: Basis) -> QuestionView:
    place = f"{form_id}/{question.question_id}"
    words = question.answers
    if question.scale is Scale.RECOMMENDATION:
        words = tuple(str(points) for points in range(11))
    counts = {word: sums.whole(ANSWERS, f"{place}={word}") for word in words}
    answered = sums.whole(ANSWERS, place) if question.scale is Scale.WORDS else sum(counts.values())
    figures = [basis.figure(ITEM_RESPONSE, answered / responses if responses else None, n=responses)]
    if question.scale is Scale.RECOMMENDATION:
        points, interval, n = nps(counts)
        figures.append(basis.figure(NPS, points, interval=interval, n=n))
    return QuestionView(
        question_id=question.question_id,
        text=question.text,
        scale=question.scale,
        answers=[AnswerCount(answer=word, count=count) for word, count in counts.items()],
        answered=answered,
        unanswered=responses - answered,
        figures=figures,
    )
