"""Figures as readers compute them: prefix sums of contributions, up to a day."""

from collections import Counter

from hypothesis import strategies as st

from shared.measures.measure import Measure, contributions
from shared.views.records import Record

CALENDAR = [
    *("2019-12-30", "2019-12-31", "2020-01-01", "2020-01-02"),
    *("2020-02-28", "2020-02-29", "2020-03-01", "2020-03-02"),
]
"""Days that laws are tried on: over a new year and a leap day."""
DAYS = st.sampled_from(CALENDAR)
LATER = st.none() | DAYS


def sums(measure: Measure, *records: Record, at: str) -> dict[str, int]:
    """Key -> sum up to a day, without those that are zero."""
    added = Counter[str]()
    for record in records:
        for since, key, delta in contributions(record, measure):
            if since <= at:
                added[key] += delta
    return {key: value for key, value in added.items() if value}


def whole(measure: Measure, *records: Record, at: str) -> int:
    return sums(measure, *records, at=at).get("", 0)
