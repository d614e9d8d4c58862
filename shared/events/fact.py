"""Facts, the streams that hold them, and what recording adds to them."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Literal, NamedTuple, Self, get_args

from pydantic import BaseModel, ConfigDict

from shared.events.words import CoarseDate

MAX_FACT_BYTES = 256 * 1024

Kind = Literal["programme", "organisation", "person", "community", "innovation"]
Topic = Literal["membership", "convenings", "feedback", "achievements"]
SOURCE_TOPICS: tuple[Topic, ...] = ("membership", "convenings", "feedback")


class Fact(BaseModel):
    """Something that happened: immutable, in the past tense, business fields only.

    Two facts of the same words are equal. Fields that a reader does not know are ignored, so a field can be
    added; any other change is a new type with an upcast beside it.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: ClassVar[str]
    """The name on the wire, `praxis.member-joined.v1` for `MemberJoined`."""
    when: ClassVar[str | None]
    """The field that says when it happened: the first that ends in `_on` or `_from`, save `demonstration_on`."""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        words = re.sub(r"(?<!^)(?=[A-Z])", "-", cls.__name__).lower()
        cls.type = f"praxis.{words}.v1"
        dated = (name for name in cls.model_fields if name.endswith(("_on", "_from")) and name != "demonstration_on")
        cls.when = next(dated, None)
        if FACTS.setdefault(cls.type, cls) is not cls:
            raise TypeError(f"two facts are called {cls.type}")

    def happened_on(self) -> CoarseDate | None:
        """The date that the fact is about; None where its words hold none."""
        return getattr(self, self.when) if self.when else None


FACTS: dict[str, type[Fact]] = {}
"""Every fact of the language by its name on the wire."""


class Stream(NamedTuple):
    """One thing's history in one topic."""

    topic: Topic
    kind: Kind
    id: str

    def __str__(self) -> str:
        return f"{self.topic}/{self.kind}.{self.id}"

    @property
    def key(self) -> str:
        """The Kafka key: all topics hold what is about one thing in the same partition number."""
        return f"{self.kind}.{self.id}"

    @classmethod
    def parse(cls, text: str) -> Self:
        topic, _, key = text.partition("/")
        kind, _, id = key.partition(".")
        if topic not in get_args(Topic) or kind not in get_args(Kind) or not id:
            raise ValueError(
                f"'{text}' is not a stream: write topic/kind.id, as in membership/community.rehabilitation"
            )
        return cls(topic, kind, id)  # type: ignore[arg-type]


class Position(NamedTuple):
    """A fact's place: its stream and its version there, written `membership/community.rehabilitation@41`."""

    stream: Stream
    version: int

    def __str__(self) -> str:
        return f"{self.stream}@{self.version}"

    @classmethod
    def parse(cls, text: str) -> Self:
        stream, _, version = text.strip().rpartition("@")
        if not (version.isascii() and version.isdecimal()) or int(version) < 1:
            raise ValueError(f"'{text}' is not a position: write topic/kind.id@version")
        return cls(Stream.parse(stream), int(version))


@dataclass(frozen=True, slots=True)
class Recorded:
    """A fact, and what recording it added: id, place, time and the trace of the command it followed from."""

    id: str
    stream: Stream
    version: int
    fact: Fact
    recorded_at: datetime
    trace: str
    words: bytes | None = field(default=None, compare=False, repr=False)
    """The fact's JSON as it came from Kafka, fields that are not known here included; None where it did not."""

    @property
    def position(self) -> Position:
        return Position(self.stream, self.version)
