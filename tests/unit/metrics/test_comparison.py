"""How records of two builds are told apart, whatever release stored them."""

from typing import Any

from services.metrics.comparison import _fields


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
