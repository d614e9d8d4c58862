"""Facts of `feedback.events`: forms and responses in community streams, adoption in innovation streams."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from shared.events.fact import Fact
from shared.events.words import (
    CoarseDate,
    CommunityId,
    ConveningId,
    Day,
    FormId,
    OrganisationId,
    QuestionId,
    ResponseId,
    Text,
    Title,
)

Answer = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]


class Scale(StrEnum):
    """How a question is answered. A five-point "likely to recommend" is ordered words, not NPS."""

    ORDERED = "ordered"
    """One of its words, in their order: a Likert scale."""
    CHOICE = "choice"
    """One of its words, without order."""
    RECOMMENDATION = "recommendation"
    """0 to 10: how likely to recommend (NPS)."""
    WORDS = "words"
    """The respondent's own words: they stay in their service, the fact says only that there are some."""


class Question(BaseModel):
    model_config = ConfigDict(frozen=True)

    question_id: QuestionId
    text: Title
    scale: Scale
    answers: tuple[Answer, ...] = ()
    """The words that it can be answered with, lowest first where they are ordered."""

    @model_validator(mode="after")
    def _has_its_answers(self) -> Self:
        worded = self.scale in (Scale.ORDERED, Scale.CHOICE)
        if worded and len(set(self.answers)) < max(2, len(self.answers)):
            raise ValueError(f"question '{self.question_id}' needs two or more different answers")
        if not worded and self.answers:
            raise ValueError(f"question '{self.question_id}' takes no list of answers: its scale is {self.scale}")
        return self


class FeedbackFormOpened(Fact):
    """What is asked, of one convening or of the community as a whole."""

    form_id: FormId
    title: Title
    opened_on: CoarseDate
    convening_id: ConveningId | None = None
    questions: tuple[Question, ...] = Field(min_length=1)


class GivenAnswer(BaseModel):
    model_config = ConfigDict(frozen=True)

    question_id: QuestionId
    answer: Answer


class ResponseReceived(Fact):
    """Somebody answered; nobody knows who. A question that is in neither list was left unanswered."""

    form_id: FormId
    response_id: ResponseId
    received_on: Day
    answers: tuple[GivenAnswer, ...]
    in_words: tuple[QuestionId, ...] = ()
    """The questions answered in words, which are kept where they were written."""


# innovation streams


class AdoptionStage(StrEnum):
    """How far an organisation is with an innovation; backwards is legal."""

    AWARE = "aware"
    CONSIDERING = "considering"
    IN_PROGRESS = "in-progress"
    ADOPTED = "adopted"
    SUSTAINED = "sustained"
    DECLINED = "declined"
    PAUSED = "paused"
    DISCONTINUED = "discontinued"


class SourceKind(StrEnum):
    REPORTED = "reported"
    LINK = "link"
    ILLUSTRATIVE = "illustrative"
    """Made up to show something: whatever is counted from it is a demonstration."""


class Source(BaseModel):
    """How it is known."""

    model_config = ConfigDict(frozen=True)

    kind: SourceKind
    words: Text
    """Who reported it, the address, or why it is illustrative."""


class InnovationRegistered(Fact):
    title: Title
    description: Text | None = None
    community_id: CommunityId | None = None
    """The community that spreads it."""
    demonstration_on: Day | None = None


class OrganisationBecameEligible(Fact):
    """From this date on the organisation counts among those that may adopt it."""

    organisation_id: OrganisationId
    eligible_from: CoarseDate


class OrganisationCeasedEligible(Fact):
    """Up to, not including, this date."""

    organisation_id: OrganisationId
    eligible_until_on: CoarseDate


class AdoptionStageReached(Fact):
    organisation_id: OrganisationId
    stage: AdoptionStage
    reached_on: CoarseDate
    source: Source


ResponseFact = FeedbackFormOpened | ResponseReceived
AdoptionFact = OrganisationBecameEligible | OrganisationCeasedEligible | AdoptionStageReached
InnovationFact = InnovationRegistered | AdoptionFact
