"""Dates as people write them."""

import pytest

from deploy.importing.dates import DateOrder, read_date


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("2019-01-31", "2019-01-31"),
        ("2019-01-31T09:30:00Z", "2019-01-31"),
        ("2019-01", "2019-01"),
        ("2019", "2019"),
        ("31/01/2019", "2019-01-31"),
        ("31.1.2019", "2019-01-31"),
        ("31-01-2019 09:30", "2019-01-31"),
        ("05/05/2019", "2019-05-05"),
        ("01/2019", "2019-01"),
        ("31 January 2019", "2019-01-31"),
        ("1st Sept 2019", "2019-09-01"),
        ("31-Jan-2019", "2019-01-31"),
        ("January 2019", "2019-01"),
    ],
)
def test_a_date_is_as_coarse_as_it_is_written(text: str, means: str) -> None:
    assert read_date(text) == means


def test_a_date_that_may_mean_two_days_is_refused_with_the_remedy() -> None:
    with pytest.raises(ValueError, match=r"may mean two days.*--dates british"):
        read_date("03/04/2019")


def test_an_order_that_was_said_decides() -> None:
    assert read_date("03/04/2019", DateOrder.BRITISH) == "2019-04-03"
    assert read_date("03/04/2019", DateOrder.AMERICAN) == "2019-03-04"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("30/02/2019", "that month has 28 days"),
        ("2019-13", "no such month"),
        ("01/31/2019", "--dates american"),
        ("31/01/19", "write all four"),
        ("yesterday", "is not a date: write 2019-01-31"),
        ("Ju 2019", "is not a date"),
        ("31/01-2019", "is not a date"),
    ],
)
def test_what_is_no_date_is_refused_with_the_remedy(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_date(text)


def test_a_date_in_the_other_order_does_not_exist() -> None:
    with pytest.raises(ValueError, match="no such month"):
        read_date("01/31/2019", DateOrder.BRITISH)
