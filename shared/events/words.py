"""The words that facts are made of: ids, dates that may be coarse, and what a refused one is told."""

import calendar
import re
from collections.abc import Iterable
from datetime import date
from functools import lru_cache
from typing import Annotated, Any, Self

from pydantic import AfterValidator, GetCoreSchemaHandler, StringConstraints
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

_COARSE = re.compile(r"(\d{4})(?:-(\d{2}))?(?:-(\d{2}))?", re.ASCII)


class CoarseDate(str):
    """A date as coarse as it is known: `2021`, `2019-01` or `2019-01-31`.

    Questions as at a date take it as its last day: what is known to have happened in January 2019
    counts from 2019-01-31 on.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        _last_day(text)
        return super().__new__(cls, text)

    @property
    def last_day(self) -> str:
        """The last day that it may mean, as `YYYY-MM-DD`: ISO days order as text does."""
        return _last_day(self)

    @property
    def is_coarse(self) -> bool:
        return len(self) < len("2019-01-31")

    @property
    def in_words(self) -> str:
        """As it is read aloud: `2021`, `January 2019` or `31 January 2019`."""
        year, *rest = self.split("-")
        words = [str(int(day)) for day in rest[1:]] + [calendar.month_name[int(month)] for month in rest[:1]]
        return " ".join([*words, year])

    @classmethod
    def of(cls, day: date) -> Self:
        return cls(day.isoformat())

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(
            cls._validated,
            core_schema.str_schema(strip_whitespace=True),
            serialization=core_schema.to_string_ser_schema(),
        )

    @classmethod
    def _validated(cls, text: str) -> Self:
        try:
            return cls(text)
        except ValueError as problem:
            raise PydanticCustomError("coarse_date", "{problem}", {"problem": str(problem)}) from None


@lru_cache(maxsize=65_536)
def _last_day(text: str) -> str:
    match = _COARSE.fullmatch(text)
    if match is None:
        raise ValueError(f"'{text}' is not a date: write 2019-01-31, or 2019-01 or 2019 where no more is known")
    year, month, day = int(match[1]), int(match[2] or 12), match[3]
    if not 1 <= month <= 12 or year < 1:
        raise ValueError(f"'{text}' does not exist: there is no such month")
    last = calendar.monthrange(year, month)[1]
    if day is not None and not 1 <= int(day) <= last:
        raise ValueError(f"'{text}' does not exist: that month has {last} days")
    return f"{year:04d}-{month:02d}-{int(day or last):02d}"


def _real_day(day: CoarseDate) -> CoarseDate:
    if day.is_coarse:
        raise PydanticCustomError("day", "'{day}' is not a day: write it as 2019-01-31", {"day": str(day)})
    return day


Day = Annotated[CoarseDate, AfterValidator(_real_day)]
"""A date that is known to the day."""

_SLUG_PATTERN = r"^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$"
_ULID_PATTERN = r"^[0-7][0-9a-hjkmnp-tv-z]{25}$"
_SLUG = StringConstraints(pattern=_SLUG_PATTERN)

IN_WORDS = {
    _SLUG_PATTERN: "An id is 1 to 64 lower-case letters, digits and hyphens, beginning and ending with a letter "
    "or digit, as in rehabilitation-2019",
    _ULID_PATTERN: "This id is a ULID in lower case, as in 01j9z3qk5t8w2v7x4y6b1c0dfg: POST /v1/people gives one",
}
"""What a refused id is told, by the pattern that it does not fit."""

ProgrammeId = Annotated[str, _SLUG]
OrganisationId = Annotated[str, _SLUG]
CommunityId = Annotated[str, _SLUG]
ConveningId = Annotated[str, _SLUG]
InnovationId = Annotated[str, _SLUG]
DesignGroupId = Annotated[str, _SLUG]
FormId = Annotated[str, _SLUG]
QuestionId = Annotated[str, _SLUG]
AffiliationId = Annotated[str, _SLUG]
PersonId = Annotated[str, StringConstraints(pattern=_ULID_PATTERN)]
"""A ULID in lower case: it says nothing about the person."""
ResponseId = PersonId

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2_000)]
Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]


def slug(reference: str) -> str:
    """The id that a source's own key is given: lower case, everything else a hyphen, at most 64 characters.

    Two references may give the same slug; whoever derives an id refuses the second.
    """
    return re.sub(r"[^a-z0-9]+", "-", reference.lower()).strip("-")[:64].strip("-")


def latest(days: Iterable[str | None]) -> str | None:
    """The last of some days; None where there is none."""
    return max((day for day in days if day is not None), default=None)
