"""What every measure and figure has; the catalogue."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import fields

from shared.measures.catalogue import MEASURES, SUMMED
from shared.measures.measure import Basis, Sums, contributions, firsts, sweep
from shared.measures.membership import MEMBERS
from shared.views.records import Record
from tests.unit.shared.figures import CALENDAR, DAYS

STATES = st.dictionaries(DAYS, st.sets(st.sampled_from("abc")))


@given(STATES)
def test_what_is_swept_counts_on_each_day_under_what_it_was_last(states: dict[str, set[str]]) -> None:
    swept = list(sweep(states, lambda day: states[day]))
    for day in CALENDAR:
        last = max((since for since in states if since <= day), default=None)
        for key in "abc":
            expected = int(last is not None and key in states[last])
            assert sum(delta for since, its, delta in swept if its == key and since <= day) == expected


@given(STATES)
def test_what_counts_for_good_counts_from_the_first_day_that_has_it(states: dict[str, set[str]]) -> None:
    counted = list(firsts(states, lambda day: states[day]))
    for day in CALENDAR:
        ever = set().union(*(keys for since, keys in states.items() if since <= day))
        assert {key for since, key, _ in counted if since <= day} == ever
    assert len({key for _, key, _ in counted}) == len(counted)


def test_days_that_nobody_knows_are_passed_over() -> None:
    assert list(sweep([None, "2019-01-01", None], lambda _: {""})) == [("2019-01-01", "", 1)]


def test_a_figure_holds_its_parts_the_largest_first_without_those_that_are_zero() -> None:
    held = Sums({"members": {"": 3, "role=member": 1, "role=convenor": 2, "role=observer": 0, "convening=spring": 1}})
    figure = held.figure(MEMBERS, Basis("2019-12-31", incomplete=True, demonstration_on="2020-12-31"))
    assert (figure.measure, figure.value, figure.unit, figure.as_at) == ("members", 3, "people", "2019-12-31")
    assert figure.by == {"role": {"convenor": 2, "member": 1}}
    assert list(figure.by["role"]) == ["convenor", "member"]
    assert figure.incomplete
    assert figure.demonstration_on == "2020-12-31"


def test_what_nobody_has_summed_is_zero() -> None:
    assert Sums().whole(MEMBERS) == 0
    assert Sums().parts(MEMBERS) == {}


@pytest.mark.parametrize("kind", list(SUMMED), ids=lambda kind: kind.kind)
def test_a_record_without_facts_adds_nothing_to_any_sum(kind: type[Record]) -> None:
    """So a fold takes nothing back of one that was not there."""
    empty = kind(*("id" for field in fields(kind) if field.required))
    for measure in SUMMED[kind]:
        assert list(contributions(empty, measure)) == [], measure.name


def test_a_measure_is_in_the_catalogue_under_its_own_name_and_says_what_it_counts() -> None:
    assert all(name == measure.name for name, measure in MEASURES.items())
    for measure in MEASURES.values():
        assert measure.title
        assert measure.unit
        assert measure.counts
        assert measure.excludes
        assert measure.source
        assert (measure.record is None) == (measure.contributions is None)


def test_a_record_that_nothing_is_known_of_contributes_nothing() -> None:
    for kind, measures in SUMMED.items():
        known = {field.name: "x" for field in fields(kind) if field.required}
        assert not any(list(contributions(kind(**known), measure)) for measure in measures)
