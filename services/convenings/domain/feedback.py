"""Feedback: what is asked, and what was answered by somebody whom nobody knows. Pure."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, assert_never

from pydantic import BeforeValidator

from services.convenings.domain.convenings import Convening, NoSuchConvening
from services.convenings.known import KnownCommunity, UnknownCommunity
from shared.events.fact import Stream
from shared.events.feedback import (
    Answer,
    FeedbackFormOpened,
    GivenAnswer,
    Question,
    ResponseReceived,
    Scale,
)
from shared.events.words import CoarseDate, CommunityId, ConveningId, Day, FormId, QuestionId, ResponseId, Text, Title
from shared.refusals import Invalid, NotFound
from shared.writing.decider import Command, Decider, Kept, State
from shared.writing.otherwise import SaidOtherwise, require_same

RECOMMENDATIONS = tuple(str(points) for points in range(11))


def stream(community: CommunityId, *_: str | None) -> Stream:
    return Stream("feedback", "community", community)


# forms


class OpenForm(Command):
    title: Title
    opened_on: CoarseDate
    convening_id: ConveningId | None = None
    questions: tuple[Question, ...]


class Form(State):
    collection: ClassVar[str] = "forms"

    community_id: CommunityId
    form_id: FormId
    opened: FeedbackFormOpened | None = None

    @classmethod
    def initial(cls, community: CommunityId, form: FormId) -> "Form":
        return cls(key=f"{community}/{form}", community_id=community, form_id=form)

    def stream(self) -> Stream:
        return stream(self.community_id)


class AskedTwice(Invalid):
    def __init__(self, question_id: QuestionId) -> None:
        super().__init__(
            f"Question '{question_id}' is asked twice: give each question an id of its own", field="questions"
        )


@dataclass(frozen=True)
class FormSituation:
    form: Form
    community: KnownCommunity
    convening: Convening | None
    """What it asks about; None where that is the community as a whole."""


def initial_form(community: CommunityId, form: FormId, convening: ConveningId | None) -> FormSituation:
    about = Convening.initial(community, convening) if convening else None
    return FormSituation(Form.initial(community, form), KnownCommunity(key=community), about)


def decide_form(command: OpenForm, situation: FormSituation) -> list[FeedbackFormOpened]:
    form, convening = situation.form, situation.convening
    if not situation.community.founded:
        raise UnknownCommunity(form.community_id)
    if convening and convening.scheduled is None:
        raise NoSuchConvening(convening, field="convening_id")
    asked, times = Counter(question.question_id for question in command.questions).most_common(1)[0]
    if times > 1:
        raise AskedTwice(asked)
    fact = FeedbackFormOpened(
        form_id=form.form_id,
        title=command.title,
        opened_on=command.opened_on,
        convening_id=command.convening_id,
        questions=command.questions,
    )
    if form.opened is None:
        return [fact]
    require_same(f"Feedback form '{form.form_id}'", form.opened, fact)
    return []


def evolve_form(situation: FormSituation, fact: FeedbackFormOpened) -> FormSituation:
    return replace(situation, form=situation.form.model_copy(update={"opened": fact}))


forms = Decider(stream=stream, initial=initial_form, decide=decide_form, evolve=evolve_form)
"""Key: community, form, and the convening that it asks about or None."""


# responses


def _in_digits(answer: object) -> object:
    return str(answer) if type(answer) is int else answer


class Respond(Command):
    received_on: Day
    answers: Mapping[QuestionId, Annotated[Answer, BeforeValidator(_in_digits)]] = {}
    """A word of the question's scale; 0 to 10 may be sent as numbers."""
    words: Mapping[QuestionId, Text] = {}


class WordsWritten(Kept):
    """The respondent's own words stay here; the fact says only which questions they answer."""

    words: Mapping[QuestionId, Text]


class Response(State):
    collection: ClassVar[str] = "responses"

    community_id: CommunityId
    received: ResponseReceived | None = None

    def stream(self) -> Stream:
        return stream(self.community_id)


class ResponseWords(State):
    """Apart from the response, so that they can be deleted and it still counts."""

    collection: ClassVar[str] = "words"

    words: Mapping[QuestionId, Text] = {}


class NoSuchForm(NotFound):
    def __init__(self, form: Form) -> None:
        super().__init__(
            f"Community '{form.community_id}' has no feedback form '{form.form_id}': open it first", field="form"
        )


class NotInTheForm(Invalid):
    def __init__(self, field: str, question_id: QuestionId, asked: tuple[Question, ...]) -> None:
        ids = [question.question_id for question in asked]
        super().__init__(
            f"The form has no question '{question_id}': its questions are {', '.join(ids)}",
            field=f"{field}.{question_id}",
            question_ids=ids,
        )


class NotOfItsScale(Invalid):
    def __init__(self, question: Question, answer: Answer) -> None:
        answers = list(question.answers or RECOMMENDATIONS)
        super().__init__(
            f"Question '{question.question_id}' cannot be answered '{answer}': answer with one of {', '.join(answers)}",
            field=f"answers.{question.question_id}",
            answers=answers,
        )


class AnsweredInWords(Invalid):
    def __init__(self, question: Question) -> None:
        super().__init__(
            f"Question '{question.question_id}' is answered in the respondent's own words: put them under 'words'",
            field=f"answers.{question.question_id}",
        )


class NotAnsweredInWords(Invalid):
    def __init__(self, question: Question) -> None:
        super().__init__(
            f"Question '{question.question_id}' is not answered in words: put the answer under 'answers'",
            field=f"words.{question.question_id}",
        )


@dataclass(frozen=True)
class ResponseSituation:
    response: Response
    response_id: ResponseId
    words: ResponseWords
    form: Form


def initial_response(community: CommunityId, form: FormId, response: ResponseId) -> ResponseSituation:
    key = f"{community}/{form}/{response}"
    return ResponseSituation(
        Response(key=key, community_id=community), response, ResponseWords(key=key), Form.initial(community, form)
    )


def decide_response(command: Respond, situation: ResponseSituation) -> list[ResponseReceived | WordsWritten]:
    form, response = situation.form, situation.response
    if form.opened is None:
        raise NoSuchForm(form)
    _require_answers_fit(command, form.opened.questions)
    fact = ResponseReceived(
        form_id=form.form_id,
        response_id=situation.response_id,
        received_on=command.received_on,
        answers=tuple(  # in the form's order, so that the order they were sent in makes no other words of them
            GivenAnswer(question_id=question.question_id, answer=command.answers[question.question_id])
            for question in form.opened.questions
            if question.question_id in command.answers
        ),
        in_words=tuple(q.question_id for q in form.opened.questions if q.question_id in command.words),
    )
    if response.received is None:
        return [fact, WordsWritten(words=command.words)] if command.words else [fact]
    thing = f"Response '{situation.response_id}'"
    require_same(thing, response.received, fact)
    if situation.words.words != command.words:
        raise SaidOtherwise(thing, {"words": "its words are others"})  # which, is nobody's business
    return []


def _require_answers_fit(command: Respond, asked: tuple[Question, ...]) -> None:
    questions = {question.question_id: question for question in asked}
    for question_id, answer in command.answers.items():
        if (question := questions.get(question_id)) is None:
            raise NotInTheForm("answers", question_id, asked)
        _require_of_its_scale(question, answer)
    for question_id in command.words:
        if (question := questions.get(question_id)) is None:
            raise NotInTheForm("words", question_id, asked)
        if question.scale is not Scale.WORDS:
            raise NotAnsweredInWords(question)


def _require_of_its_scale(question: Question, answer: Answer) -> None:
    match question.scale:
        case Scale.ORDERED | Scale.CHOICE:
            fits = answer in question.answers
        case Scale.RECOMMENDATION:
            fits = answer in RECOMMENDATIONS
        case Scale.WORDS:
            raise AnsweredInWords(question)
        case _:
            assert_never(question.scale)
    if not fits:
        raise NotOfItsScale(question, answer)


def evolve_response(situation: ResponseSituation, change: ResponseReceived | WordsWritten) -> ResponseSituation:
    match change:
        case ResponseReceived():
            return replace(situation, response=situation.response.model_copy(update={"received": change}))
        case WordsWritten(words=words):
            return replace(situation, words=situation.words.model_copy(update={"words": words}))
        case _:
            assert_never(change)


responses = Decider(stream=stream, initial=initial_response, decide=decide_response, evolve=evolve_response)
"""Key: community, form, response."""
