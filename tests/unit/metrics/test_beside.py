"""Which streams may have moved since a rebuild looked at all of them."""

from dataclasses import replace

from services.metrics.beside import _streams
from shared.kafka import Record
from shared.reading.fetched import Blank
from tests.builders import member_joined, on_kafka, recorded, stream


def test_the_streams_that_records_may_be_of_are_those_under_their_keys_whatever_else_they_say() -> None:
    good = on_kafka(recorded(member_joined(), 1, stream()))
    batch: dict[str, list[Record]] = {
        "membership": [good, replace(good, value=b"{", headers=()), replace(good, key=None)],
        "feedback": [replace(good, key=b"community.another\xff"), Blank("feedback.events", 0, 7, -1)],
    }
    assert _streams(batch) == {str(stream()), "feedback/community.another\N{REPLACEMENT CHARACTER}"}
