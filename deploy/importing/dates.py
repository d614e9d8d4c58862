"""Dates as people write them, read as dates that may be coarse; an ambiguous one is refused. Pure."""

import re
from enum import StrEnum

from shared.events.words import CoarseDate


class DateOrder(StrEnum):
    """What comes first in 03/04/2019."""

    BRITISH = "british"
    AMERICAN = "american"


_ISO = re.compile(r"(\d{4}(?:-\d{2}(?:-\d{2})?)?)(?:[T ]\d{1,2}:\d{2}.*)?")
_NUMBERS = re.compile(r"(\d{1,2})([/.-])(\d{1,2})\2(\d{4})(?: \d{1,2}:\d{2}.*)?")
_MONTH_AND_YEAR = re.compile(r"(\d{1,2})[/.-](\d{4})")
_WORDS = re.compile(r"(?:(\d{1,2})(?:st|nd|rd|th)?[ -])?([a-z]{3,9})\.?,?[ -](\d{4})")
_SHORT_YEAR = re.compile(r"\d{1,2}[/.-]\d{1,2}[/.-]\d{2}")
_MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)


def read_date(text: str, order: DateOrder | None = None) -> CoarseDate:
    """The date that a text means: ISO, British (31/01/2019), in words (31 January 2019), as coarse as it is written.

    Raises:
        ValueError: it is none, does not exist, or may mean two days and `order` does not say which.
    """
    if iso := _ISO.fullmatch(text):
        return CoarseDate(iso[1])
    if numbers := _NUMBERS.fullmatch(text):
        return _from_numbers(text, int(numbers[1]), int(numbers[3]), numbers[4], order)
    if coarse := _MONTH_AND_YEAR.fullmatch(text):
        return CoarseDate(f"{coarse[2]}-{int(coarse[1]):02d}")
    if (words := _WORDS.fullmatch(text.lower())) and (month := _month(words[2])):
        day = f"-{int(words[1]):02d}" if words[1] else ""
        return CoarseDate(f"{words[3]}-{month:02d}{day}")
    if _SHORT_YEAR.fullmatch(text):
        raise ValueError(f"'{text}' has a year of two digits: write all four, as in 31/01/2019")
    raise ValueError(
        f"'{text}' is not a date: write 2019-01-31 or 31/01/2019, or 2019-01 or 2019 where no more is known"
    )


def _from_numbers(text: str, first: int, second: int, year: str, order: DateOrder | None) -> CoarseDate:
    if order is None and first != second and first <= 12 and second <= 12:
        raise ValueError(
            f"'{text}' may mean two days: say which with --dates british, or dates = \"british\" in a mapping"
        )
    if order is None and first <= 12 < second:
        raise ValueError(f"'{text}' has the month first: if all of the file is so, say it with --dates american")
    day, month = (second, first) if order is DateOrder.AMERICAN else (first, second)
    return CoarseDate(f"{year}-{month:02d}-{day:02d}")


def _month(word: str) -> int | None:
    found = [number for number, name in enumerate(_MONTHS, start=1) if name.startswith(word)]
    if word == "sept":
        return 9
    return found[0] if len(found) == 1 else None
