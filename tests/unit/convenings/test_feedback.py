"""The rules of feedback: what may be asked, and what answers it."""

from collections.abc import Mapping

import pytest

from services.convenings.domain.convenings import Convening, NoSuchConvening
from services.convenings.domain.feedback import (
    AnsweredInWords,
    AskedTwice,
    Form,
    FormSituation,
    NoSuchForm,
    NotAnsweredInWords,
    NotInTheForm,
    NotOfItsScale,
    OpenForm,
    Respond,
    ResponseSituation,
    WordsWritten,
    forms,
    responses,
)
from services.convenings.known import KnownCommunity, UnknownCommunity
from shared.events.feedback import FeedbackFormOpened, Question, ResponseReceived, Scale
from shared.writing.otherwise import SaidOtherwise
from tests.builders import (
    ANNA,
    COMMENTS,
    RECOMMEND,
    convening_scheduled,
    form_opened,
    on,
    question,
    response_received,
)
from tests.specification import Specification, specification

FOUNDED = KnownCommunity(key="rehabilitation", founded=True)
SPRING = Convening.initial("rehabilitation", "spring")
HELD = SPRING.model_copy(update={"scheduled": convening_scheduled()})


# forms


def given(*facts: FeedbackFormOpened, convening: Convening | None = None) -> Specification[OpenForm, FormSituation]:
    key = ("rehabilitation", "after", convening and "spring")
    return specification(forms, key, community=FOUNDED, convening=convening).given(*facts)


def ask(*questions: Question, convening_id: str | None = None) -> OpenForm:
    return OpenForm(
        title="Afterwards", opened_on=on("2019-03-01"), convening_id=convening_id, questions=questions or (question(),)
    )


def test_a_form_asks_about_a_convening_or_about_the_community() -> None:
    given().when(ask(question())).then(form_opened(question()))
    about = given(convening=HELD).when(ask(question(), convening_id="spring"))
    about.then(form_opened(question(), convening_id="spring"))


def test_a_form_about_a_convening_that_there_is_not_is_refused() -> None:
    given(convening=SPRING).when(ask(convening_id="spring")).then_refused(NoSuchConvening, field="convening_id")


def test_a_form_of_a_community_that_is_not_known_is_refused() -> None:
    specification(forms, ("rehabilitation", "after", None)).when(ask()).then_refused(
        UnknownCommunity, field="community"
    )


def test_the_same_form_again_changes_nothing_and_another_is_refused() -> None:
    given(form_opened(question())).when(ask(question())).then_unchanged()
    given(form_opened(question())).when(ask(RECOMMEND)).then_refused(SaidOtherwise, field="questions")


def test_a_question_is_not_asked_twice() -> None:
    given().when(ask(question("useful"), RECOMMEND, question("useful"))).then_refused(AskedTwice, saying="'useful'")


# responses


def opened(*changes: ResponseReceived | WordsWritten) -> Specification[Respond, ResponseSituation]:
    form = Form.initial("rehabilitation", "after").model_copy(update={"opened": form_opened()})
    return specification(responses, ("rehabilitation", "after", ANNA), form=form).given(*changes)


def respond(answers: Mapping[str, str | int], words: Mapping[str, str] | None = None) -> Respond:
    return Respond.model_validate({"received_on": "2019-03-02", "answers": answers, "words": words or {}})


def test_a_response_holds_what_was_answered_in_the_order_of_the_form() -> None:
    fact = response_received(answers={"useful": "yes", "recommend": "9"})
    opened().when(respond({"recommend": 9, "useful": "yes"})).then(fact)


def test_words_stay_and_the_fact_says_only_that_there_are_some() -> None:
    outcome = opened().when(respond({}, {"comments": "It changed how I work"}))
    outcome.then(response_received(answers={}, in_words=("comments",)))
    outcome.then_kept(WordsWritten(words={"comments": "It changed how I work"}))


def test_a_response_to_a_form_that_there_is_not_is_refused() -> None:
    nothing = specification(responses, ("rehabilitation", "after", ANNA))
    nothing.when(respond({"useful": "yes"})).then_refused(NoSuchForm, field="form", saying="'after'")


@pytest.mark.parametrize("answer", ["maybe", "Yes", "9"])
def test_an_answer_that_is_no_word_of_its_scale_is_refused(answer: str) -> None:
    refusal = opened().when(respond({"useful": answer})).then_refused(NotOfItsScale, field="answers.useful")
    assert refusal.data["answers"] == ["no", "yes"]


@pytest.mark.parametrize("answer", ["0", "10", 0, 10])
def test_a_recommendation_is_from_0_to_10(answer: str | int) -> None:
    opened().when(respond({"recommend": answer})).then(response_received(answers={"recommend": str(answer)}))


@pytest.mark.parametrize("answer", ["11", "-1", "9.5", "09", "likely", 11])
def test_what_is_not_from_0_to_10_is_no_recommendation(answer: str | int) -> None:
    opened().when(respond({"recommend": answer})).then_refused(NotOfItsScale, field="answers.recommend")


def test_a_question_that_is_not_in_the_form_is_refused_by_its_name() -> None:
    opened().when(respond({"usefull": "yes"})).then_refused(NotInTheForm, field="answers.usefull", saying="'usefull'")
    opened().when(respond({}, {"remarks": "Good"})).then_refused(NotInTheForm, field="words.remarks")


def test_words_and_answers_are_not_taken_for_each_other() -> None:
    opened().when(respond({"comments": "Good"})).then_refused(AnsweredInWords, saying="under 'words'")
    opened().when(respond({}, {"useful": "Good"})).then_refused(NotAnsweredInWords, saying="under 'answers'")


def test_the_same_response_again_changes_nothing() -> None:
    said = respond({"useful": "yes"}, {"comments": "Good"})
    opened().when(said).and_after().when(said).then_unchanged()


def test_other_answers_under_the_same_id_are_refused() -> None:
    opened(response_received()).when(respond({"useful": "no"})).then_refused(SaidOtherwise, field="answers")


def test_other_words_under_the_same_id_are_refused_without_telling_those_on_record() -> None:
    once = opened().when(respond({}, {"comments": "My ward"})).and_after()
    refusal = once.when(respond({}, {"comments": "Good"})).then_refused(SaidOtherwise, field="words")
    assert "My ward" not in refusal.detail


def test_questions_have_the_answers_that_their_scale_needs() -> None:
    with pytest.raises(ValueError, match="two or more different answers"):
        question("useful", Scale.ORDERED, "yes", "yes")
    with pytest.raises(ValueError, match="takes no list of answers"):
        question("recommend", Scale.RECOMMENDATION, "1", "2")
    assert COMMENTS.answers == ()
