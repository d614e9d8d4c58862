"""What a reader has seen of a stream, held against a plain set of versions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.reading.heads import WIDEST_GAP, Seen, TooFarAhead

ARRIVALS = st.lists(st.tuples(st.sampled_from(["good", "bad", "given up"]), st.integers(1, 30)))


def arrive(seen: Seen, how: str, version: int) -> bool:
    if how == "good":
        return seen.take(version, str(version))
    (seen.miss if how == "bad" else seen.give_up)(version)
    return False


@given(ARRIVALS)
def test_each_version_is_taken_once_whatever_comes_again_late_or_broken(arrivals: list[tuple[str, int]]) -> None:
    seen, taken, bad, given_up = Seen(), set[int](), set[int](), set[int]()
    for how, version in arrivals:
        is_new = version not in taken
        assert arrive(seen, how, version) is (how == "good" and is_new)
        if how == "good":
            taken.add(version)
        elif how == "bad" and is_new:
            bad.add(version)
            given_up.discard(version)
        elif version in bad - taken or version in set(range(max(taken, default=0))) - taken:
            given_up.add(version)
        head = max(taken, default=0)
        assert seen.head == head, "only what was understood proves that a version exists"
        assert seen.missing == (set(range(1, head)) | bad) - taken - given_up
        assert seen.given_up == given_up - taken
        assert [seen.has(v) for v in range(1, 32)] == [v in taken | given_up and v <= head for v in range(1, 32)]


@given(st.permutations([("good", 1), ("good", 2), ("good", 4), ("bad", 3), ("bad", 2), ("bad", 6)]))
def test_the_order_in_which_good_and_bad_ones_come_makes_no_difference(arrivals: list[tuple[str, int]]) -> None:
    seen = Seen()
    for how, version in arrivals:
        arrive(seen, how, version)
    assert seen == Seen(head=4, missing={3, 6})


@given(ARRIVALS)
def test_what_was_seen_is_restored_as_it_was_stored(arrivals: list[tuple[str, int]]) -> None:
    seen = Seen()
    for how, version in arrivals:
        arrive(seen, how, version)
    assert Seen.restored(seen.document()) == seen


def test_what_was_given_up_is_taken_if_it_comes_all_the_same() -> None:
    seen = Seen(head=4)
    seen.miss(5)
    seen.give_up(5)
    assert seen == Seen(head=4, given_up={5})
    assert not seen.has(5), "who has written version 5 waits for it"
    assert arrive(seen, "good", 6)
    assert (seen.missing, seen.has(5)) == (set(), True)
    assert arrive(seen, "good", 5)
    assert not arrive(seen, "good", 5)
    assert seen == Seen(head=6)


def test_versions_that_were_skipped_are_missing_until_they_arrive() -> None:
    seen = Seen()
    assert arrive(seen, "good", 1)
    assert arrive(seen, "good", 4)
    assert seen.missing == {2, 3}
    assert arrive(seen, "good", 3)
    assert not arrive(seen, "good", 3)
    assert seen.missing == {2}


def test_a_version_that_was_not_understood_is_missing_until_a_good_one_comes() -> None:
    seen = Seen(head=4)
    seen.miss(5)
    assert (seen.head, seen.missing) == (4, {5})
    assert arrive(seen, "good", 5)
    assert seen == Seen(head=5)


def test_what_was_seen_does_not_become_missing_by_a_broken_copy() -> None:
    seen = Seen(head=5)
    seen.miss(5)
    seen.miss(3)
    assert seen == Seen(head=5)


def test_a_gap_that_cannot_be_true_is_refused_and_changes_nothing() -> None:
    seen = Seen(head=3)
    with pytest.raises(TooFarAhead, match=r"version \d+ cannot follow 3"):
        arrive(seen, "good", 10**12)
    seen.miss(10**12)
    assert seen == Seen(head=3)
    assert arrive(seen, "good", 3 + WIDEST_GAP)


def test_another_fact_at_the_head_is_known_by_its_id() -> None:
    seen = Seen()
    seen.take(1, "one")
    seen.take(2, "two")
    seen.take(5, "five")
    seen.take(3, "three")
    restored = Seen.restored(seen.document())
    assert restored.stands_elsewise(5, "another")
    assert not restored.stands_elsewise(5, "five")
    assert not restored.stands_elsewise(2, "another"), "only that of the head is kept"
    assert not restored.stands_elsewise(6, "six")


def test_what_an_earlier_release_took_may_be_any_fact() -> None:
    assert not Seen.restored({"head": 2, "missing": []}).stands_elsewise(2, "two")
