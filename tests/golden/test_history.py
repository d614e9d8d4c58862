"""The made-up history leaves out nothing of the language."""

from shared.events.fact import FACTS
from tests import builders as a
from tests.golden.history import SEED, History, lacking


def test_a_recording_made_now_would_lack_no_kind_of_fact_and_no_field() -> None:
    """What is new has its place in tests/golden/history.py."""
    assert lacking(one.fact for one in History(SEED).recorded) == []


def test_a_history_says_which_kinds_of_facts_and_which_fields_it_lacks() -> None:
    told = lacking([a.response_received()])
    assert set(FACTS) - set(told) == {"praxis.response-received.v1"}
    assert "in_words of praxis.response-received.v1" in told
    assert "answers of praxis.response-received.v1" not in told
