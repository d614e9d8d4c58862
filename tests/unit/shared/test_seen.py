"""What a reader has seen of a stream, held against a plain set of versions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.reading.heads import WIDEST_GAP, Seen, TooFarAhead

ARRIVALS = st.lists(st.tuples(st.sampled_from(["good", "bad"]), st.integers(1, 30)))


@given(ARRIVALS)
def test_each_version_is_taken_once_whatever_comes_again_late_or_broken(arrivals: list[tuple[str, int]]) -> None:
    seen, taken, come = Seen(), set[int](), set[int]()
    for how, version in arrivals:
        come.add(version)
        if how == "good":
            assert seen.take(version) is (version not in taken)
            taken.add(version)
        else:
            seen.miss(version)
        head = max(come)
        assert seen.head == head
        assert seen.missing == set(range(1, head + 1)) - taken
        assert [seen.has(v) for v in range(1, 32)] == [v in taken for v in range(1, 32)]


@given(ARRIVALS)
def test_what_was_seen_is_restored_as_it_was_stored(arrivals: list[tuple[str, int]]) -> None:
    seen = Seen()
    for how, version in arrivals:
        seen.take(version) if how == "good" else seen.miss(version)
    assert Seen.restored(seen.document()) == seen


def test_versions_that_were_skipped_are_missing_until_they_arrive() -> None:
    seen = Seen()
    assert seen.take(1)
    assert seen.take(4)
    assert seen.missing == {2, 3}
    assert seen.take(3)
    assert not seen.take(3)
    assert seen.missing == {2}


def test_a_version_that_was_not_understood_is_missing_until_a_good_one_comes() -> None:
    seen = Seen(head=4)
    seen.miss(5)
    assert (seen.head, seen.missing) == (5, {5})
    assert seen.take(5)
    assert seen.missing == set()


def test_what_was_seen_does_not_become_missing_by_a_broken_copy() -> None:
    seen = Seen(head=5)
    seen.miss(5)
    seen.miss(3)
    assert seen == Seen(head=5)


def test_a_gap_that_cannot_be_true_is_refused_and_changes_nothing() -> None:
    seen = Seen(head=3)
    with pytest.raises(TooFarAhead, match=r"version \d+ cannot follow 3"):
        seen.take(10**12)
    seen.miss(10**12)
    assert seen == Seen(head=3)
    assert seen.take(3 + WIDEST_GAP)
