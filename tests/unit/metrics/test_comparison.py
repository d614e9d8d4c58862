"""How records of two builds are told apart, whatever release stored them."""

from typing import Any

from services.metrics.comparison import MOST_TOLD, Apart, Comparison, _changes, _fields


def record(**value: Any) -> dict[str, Any]:
    return {"_id": "convening/here/spring", "kind": "convening", "scope": "community.here", "value": value}


def test_what_one_release_stores_as_nothing_and_another_leaves_out_is_no_difference() -> None:
    before = record(title="Spring", held_on=None, names=[{"name": "Spring", "since": None}], attendance_known=False)
    after = record(title="Spring", names=[{"name": "Spring"}])
    assert list(_fields(before, after)) == []


def test_a_number_is_something_also_where_it_is_zero() -> None:
    (difference,) = _fields(record(capacity=0), record())
    assert (difference.key, difference.before, difference.after) == ("convening/here/spring capacity", 0, None)


def test_a_record_that_only_one_build_has_differs_by_all_its_fields() -> None:
    assert [d.key for d in _fields(None, record(title="Spring", held_on="2019-03-01"))] == [
        "convening/here/spring held_on",
        "convening/here/spring title",
    ]


def test_a_sum_differs_until_the_day_before_both_are_the_same_again() -> None:
    place = ("community.here", "members", "")
    before = {place: {"2019-01-01": 3, "2019-03-10": -1, "2019-05-01": 2}}
    after = {place: {"2019-01-01": 3, "2019-03-01": -1, "2019-05-01": 2}}
    (difference,) = _changes(before, after)
    assert difference[3:] == ("2019-03-01", "2019-03-09", 3, 2)


def test_a_sum_that_is_never_the_same_again_differs_until_today() -> None:
    place = ("community.here", "members", "")
    (difference,) = _changes({place: {"2019-01-01": 3}}, {place: {"2019-01-01": 3, "2019-03-01": -1}})
    assert difference[3:] == ("2019-03-01", None, 3, 2)


def test_a_fact_that_is_gone_is_to_be_accepted_also_where_too_many_streams_are_apart_to_name_it() -> None:
    comparison = Comparison()
    for number in range(MOST_TOLD):
        comparison.tell_apart(Apart(f"membership/community.{number}", [], [(1, 1)]))
    assert not comparison.differs
    comparison.tell_apart(Apart("membership/community.last", [(1, 1)], []))
    assert comparison.differs
