"""What a partition's document and its log on Kafka must have in common, and what is learned of a log."""

from collections.abc import Mapping
from typing import Any

import pytest
from aiokafka import TopicPartition

from shared.reading.log import NO_TIME, Log, LostLog, learned

PLACE = TopicPartition("membership.events", 3)
FIRST = 1_767_225_600_000
KNOWN: Mapping[str, Any] = {"cluster": "ours", "firsts": {"membership": FIRST}}


def log(beginning: int = 0, end: int = 9, first: int | None = FIRST, cluster: str | None = "ours") -> Log:
    return Log({PLACE: beginning}, {PLACE: end}, {PLACE: first} if first else {}, cluster)


def document(offset: int = 5, known: Mapping[str, Any] = KNOWN) -> dict[str, Any]:
    return {"_id": 3, "next": {"membership": offset, "feedback": 7}, "log": known}


def test_nothing_is_learned_of_a_log_that_is_known() -> None:
    assert learned(3, document(), log()) == {}
    assert learned(3, document(), log(cluster=None)) == {}
    assert learned(2, {**document(99), "_id": 2}, log()) == {}, "these are not its places"


def test_what_is_not_known_yet_is_learned() -> None:
    found = {"log.firsts.membership": FIRST, "log.cluster": "ours"}
    assert learned(3, document(known={}), log()) == found
    assert learned(3, document(known={}), log(cluster=None)) == {"log.firsts.membership": FIRST}
    assert learned(3, document(0, {}), log()) == {"log.cluster": "ours"}, "of a topic the first record that is read"


def test_a_first_record_of_no_time_is_the_one_that_was_read_if_that_had_none() -> None:
    known = {"cluster": "ours", "firsts": {"membership": -5}}  # as an earlier release kept what its sender stated
    assert learned(3, document(known=known), log(first=NO_TIME)) == {}
    with pytest.raises(LostLog, match=r"it came there at 2026-.* and not at no time that is known"):
        learned(3, document(known=known), log())
    with pytest.raises(LostLog, match="it came there at no time that is known and not at 2026-"):
        learned(3, document(), log(first=NO_TIME))


def test_before_anything_is_read_a_log_may_be_any_that_begins_at_its_beginning() -> None:
    assert learned(3, None, log(cluster="another")) == {}
    assert learned(3, document(0), log(first=FIRST + 1)) == {}
    with pytest.raises(LostLog, match="go on at offset 0, but Kafka holds 2 to 9"):
        learned(3, None, log(beginning=2))


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (log(end=4), "go on at offset 5, but Kafka holds 0 to 4"),
        (log(beginning=6), "go on at offset 5, but Kafka holds 6 to 9"),
        (log(beginning=1), "go on at offset 5, but Kafka holds 1 to 9"),
        (log(first=None), "The log was cut or the topic was made anew"),
        (log(first=FIRST + 1), "it came there at 2026-01-01T00:00:00.001.* and not at 2026-01-01T00:00:00.000"),
        (log(cluster="another"), "of Kafka's cluster ours, and this is cluster another"),
    ],
    ids=["shorter", "cut beyond", "cut below", "cut meanwhile", "made anew", "another cluster"],
)
def test_another_log_is_told_from_the_one_that_was_read_with_what_to_do(other: Log, says: str) -> None:
    with pytest.raises(LostLog, match=f"membership.events, partition 3: .*{says}.*praxis refill --new-topics") as lost:
        learned(3, document(), other)
    assert "praxis rebuild --new-topics" in str(lost.value)
