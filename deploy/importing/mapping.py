"""The mapping file: what a source calls its columns and words, how its files are written. TOML, read strictly."""

import tomllib
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from deploy.importing.dates import DateOrder
from deploy.importing.failures import MappingInvalid
from deploy.importing.kinds import Kind
from shared.events.feedback import Question, Scale
from shared.events.words import CoarseDate, Day, QuestionId, Title

Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Reading(Part):
    """How the files of one kind are read."""

    encoding: str | None = None
    """None: UTF-8 if it is that throughout, else Windows-1252."""
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    skip_rows: int = Field(default=0, ge=0)
    """Rows above the headings."""
    header_rows: int = Field(default=1, ge=1)
    """Several are joined with " / "; a heading of the first holds over the columns to its right up to the next one."""
    dates: DateOrder | None = None
    empty: tuple[str, ...] = ()
    """What stands where nothing was entered, as in `-`."""
    columns: dict[str, Words] = {}
    """Our column -> the heading of theirs; `*` stands for anything, and it must be one column."""
    constants: dict[str, Words] = {}
    """Our column -> the value that it has in every row."""
    values: dict[str, dict[str, str]] = {}
    """Our column -> their word -> ours."""


class AskedQuestion(Part):
    column: Words
    id: QuestionId
    text: Title
    scale: Scale
    answers: tuple[str, ...] = ()
    otherwise: str | None = None
    """The answer that any other words count as: for choices with a field to fill in."""

    @model_validator(mode="after")
    def _is_a_question(self) -> Self:
        self.question()
        if self.otherwise is not None and self.otherwise not in self.answers:
            raise ValueError(f"question '{self.id}': '{self.otherwise}' must be one of its answers")
        return self

    def question(self) -> Question:
        return Question(question_id=self.id, text=self.text, scale=self.scale, answers=self.answers)


class Community(Part):
    """The community that the answers are about: founded from these words if it is not on record."""

    ref: Words
    name: Title | None = None


class Convening(Part):
    """The convening that the answers are about: recorded from these words if it is not on record."""

    ref: Words
    title: Title
    held_on: CoarseDate


class Form(Part):
    ref: Words
    title: Title
    opened_on: CoarseDate
    received_on: Day | None = None
    """For exports that do not say when a response came; else `received_on` is a column."""


class FeedbackReading(Reading):
    """How an export of a feedback form is read: each of its columns is a question, the reference, or ignored."""

    community: Community
    convening: Convening | None = None
    form: Form
    questions: tuple[AskedQuestion, ...] = Field(min_length=1)
    ignored: tuple[Words, ...] = ()

    @model_validator(mode="after")
    def _asks_each_once(self) -> Self:
        ids = [question.id for question in self.questions]
        if twice := sorted({one for one in ids if ids.count(one) > 1}):
            raise ValueError(f"two questions have the id '{twice[0]}'")
        return self


class Mapping(Part):
    source: Words | None = None
    """The name that references are kept under; `--source` overrules it."""
    communities: Reading = Reading()
    people: Reading = Reading()
    memberships: Reading = Reading()
    convenings: Reading = Reading()
    attendances: Reading = Reading()
    adoption: Reading = Reading()
    feedback: FeedbackReading | None = None

    def reading(self, kind: Kind) -> Reading:
        """How files of a kind are read.

        Raises:
            MappingInvalid: it is feedback, whose questions nobody but a mapping can tell.
        """
        found: Reading | None = getattr(self, kind)
        if found is None:
            raise MappingInvalid(
                "A feedback file needs a mapping that says what its questions are.",
                "write one like deploy/importing/mappings/nhs-r-rpysoc-2025.toml; give it with --mapping FILE.toml",
            )
        return found


def read_mapping(path: Path) -> Mapping:
    """
    Raises:
        MappingInvalid: it is not there, not TOML, or says something that no mapping says.
    """
    try:
        return Mapping.model_validate(tomllib.loads(path.read_text("utf-8")))
    except OSError as problem:
        raise MappingInvalid(f"The mapping {path} cannot be read: {problem.strerror}.", "check --mapping.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise MappingInvalid(f"The mapping {path} is not TOML: {problem}.", "correct that place.") from None
    except ValidationError as problem:
        found = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in problem.errors())
        raise MappingInvalid(f"The mapping {path} is not as it must be: {found}.", "correct those places.") from None
