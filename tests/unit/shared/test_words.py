"""Dates that may be coarse, ids, and the slugs that references are given."""

import calendar
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from shared.events.words import CoarseDate, CommunityId, Day, PersonId, latest, slug

DATES = st.dates(min_value=date(1, 1, 1))


@pytest.mark.parametrize(
    ("text", "last_day"),
    [
        ("2021", "2021-12-31"),
        ("2019-01", "2019-01-31"),
        ("2019-02", "2019-02-28"),
        ("2020-02", "2020-02-29"),
        ("1900-02", "1900-02-28"),
        ("2000-02", "2000-02-29"),
        ("2020-02-29", "2020-02-29"),
        ("0001", "0001-12-31"),
        ("9999-12-31", "9999-12-31"),
    ],
)
def test_a_coarse_date_is_taken_as_its_last_day(text: str, last_day: str) -> None:
    assert CoarseDate(text).last_day == last_day
    assert CoarseDate(text) == text, "and keeps the words it was said in"


@pytest.mark.parametrize(
    "text",
    ["2019-02-29", "1900-02-29", "2019-04-31", "2019-13", "2019-00", "2019-01-00", "2019-01-32", "0000", "0000-01-01"],
)
def test_a_date_that_does_not_exist_is_refused_saying_so(text: str) -> None:
    with pytest.raises(ValueError, match="does not exist"):
        CoarseDate(text)


@pytest.mark.parametrize(
    "text",
    ["", "19", "2019-1", "2019-01-1", "01/02/2019", "2019-01-31T00:00", " 2019", "2019-01-", "-2019", "٢٠١٩", "2019\n"],
)
def test_what_is_no_date_is_refused_showing_how_to_write_one(text: str) -> None:
    with pytest.raises(ValueError, match="write 2019-01-31, or 2019-01 or 2019"):
        CoarseDate(text)


@given(DATES)
def test_every_day_of_the_calendar_is_its_own_last_day(day: date) -> None:
    known = CoarseDate.of(day)
    assert known.last_day == day.isoformat()
    assert not known.is_coarse


@given(DATES)
def test_a_month_ends_on_its_last_day_and_a_year_in_december(day: date) -> None:
    month, year = CoarseDate(f"{day.year:04d}-{day.month:02d}"), CoarseDate(f"{day.year:04d}")
    assert int(month.last_day[8:]) == calendar.monthrange(day.year, day.month)[1]
    assert year.last_day == f"{day.year:04d}-12-31"
    assert month.is_coarse
    assert year.is_coarse


@given(DATES, DATES)
def test_last_days_order_as_the_calendar_does(one: date, other: date) -> None:
    assert (CoarseDate.of(one).last_day < CoarseDate.of(other).last_day) == (one < other)


def test_in_a_request_a_date_loses_blanks_around_it_and_a_wrong_one_is_told_why() -> None:
    dates = TypeAdapter(CoarseDate)
    assert dates.validate_python(" 2019-01 ") == CoarseDate("2019-01")
    with pytest.raises(ValidationError, match="that month has 28 days"):
        dates.validate_python("2019-02-30")


def test_a_day_must_be_known_to_the_day() -> None:
    days = TypeAdapter(Day)
    assert days.validate_python("2019-01-31") == "2019-01-31"
    with pytest.raises(ValidationError, match="is not a day"):
        days.validate_python("2019-01")


@pytest.mark.parametrize("id", ["a", "0", "selca-rehabilitation", "a" * 64, "a--b"])
def test_ids_are_lower_case_letters_digits_and_hyphens(id: str) -> None:
    assert TypeAdapter(CommunityId).validate_python(id) == id


@pytest.mark.parametrize("id", ["", "-a", "a-", "A", "a b", "a/b", "a.b", "ä", "a" * 65, "a\n", "a@1"])
def test_other_ids_are_refused(id: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(CommunityId).validate_python(id)


@pytest.mark.parametrize(
    "id",
    [
        "anna@example.org",
        "01HZY0000000000000000000AA",
        "01hzy0000000000000000000a",
        "81hzy0000000000000000000aa",
        "01hzy0000000000000000000ia",
        "01hzy0000000000000000000aa\n",
    ],
)
def test_a_persons_id_is_a_ulid_in_lower_case_and_nothing_else(id: str) -> None:
    people = TypeAdapter(PersonId)
    assert people.validate_python("01hzy0000000000000000000aa")
    with pytest.raises(ValidationError):
        people.validate_python(id)


@pytest.mark.parametrize(
    ("reference", "id"),
    [
        ("GDm-Health", "gdm-health"),
        ("Event #12 (2019)", "event-12-2019"),
        ("  --St George's--  ", "st-george-s"),
        ("a" * 63 + "-b", "a" * 63),
        ("***", ""),
    ],
)
def test_a_slug_is_what_is_left_of_a_reference(reference: str, id: str) -> None:
    assert slug(reference) == id


@given(st.text())
def test_a_slug_is_an_id_or_nothing_and_its_own_slug(reference: str) -> None:
    given_id = slug(reference)
    assert given_id == "" or TypeAdapter(CommunityId).validate_python(given_id)
    assert slug(given_id) == given_id


def test_the_latest_of_some_days_is_none_where_there_is_none() -> None:
    assert latest([None, "2019-01-31", None, "2018-12-31"]) == "2019-01-31"
    assert latest([None]) is None
