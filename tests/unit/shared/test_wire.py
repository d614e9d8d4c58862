"""Facts as records on Kafka: what is written is read, and what cannot be read says why."""

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.events.fact import Fact, Position
from shared.kafka import NotUnderstood, decode, encode
from tests.builders import (
    TRACE,
    OnKafka,
    community_founded,
    design_group_met,
    form_opened,
    member_joined,
    on_kafka,
    organisation_registered,
    person_registered,
    recorded,
    response_received,
    stage_reached,
    stream,
)

GOOD = on_kafka(recorded(member_joined()))
FACTS = [
    member_joined(),
    community_founded(),
    design_group_met(),
    form_opened(),
    response_received(),
    stage_reached(),
    person_registered(),
]


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: type(fact).__name__)
def test_a_fact_reads_as_it_was_recorded(fact: Fact) -> None:
    written = recorded(fact, 41)
    assert decode(on_kafka(written)) == written


@given(
    st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(9999, 1, 1)),  # noqa: DTZ001 - made aware below
    st.integers(-14, 14),
    st.integers(1, 2**62),
)
def test_time_is_kept_to_the_millisecond_in_whatever_zone_it_was_told(at: datetime, hours: int, version: int) -> None:
    told = at.replace(microsecond=at.microsecond // 1000 * 1000, tzinfo=timezone(timedelta(hours=hours)))
    read = decode(on_kafka(recorded(member_joined(), version, recorded_at=told)))
    assert (read.recorded_at, read.version) == (told, version)


def test_a_record_is_a_cloud_event_in_binary_mode() -> None:
    message = encode(recorded(member_joined(joined_on="2019-02"), 41, stream("selca-rehabilitation")))
    assert message.topic == "membership.events"
    assert message.key == b"community.selca-rehabilitation"
    assert dict(message.headers) == {
        "ce_specversion": b"1.0",
        "ce_id": b"community.selca-rehabilitation-41",
        "ce_type": b"praxis.member-joined.v1",
        "ce_source": b"praxis/membership",
        "ce_subject": b"membership/community.selca-rehabilitation",
        "ce_time": b"2019-02-28T00:00:00Z",
        "ce_recordedtime": b"2024-05-06T07:08:09.123Z",
        "ce_sequence": b"41",
        "traceparent": TRACE.encode(),
        "content-type": b"application/json",
    }
    assert b"null" not in message.value


@pytest.mark.parametrize("fact", [person_registered(), organisation_registered()])
def test_what_says_no_date_happened_when_it_was_recorded(fact: Fact) -> None:
    assert dict(encode(recorded(fact)).headers)["ce_time"] == b"2024-05-06T07:08:09.123Z"


def test_a_record_without_a_trace_is_a_fact_without_one() -> None:
    assert decode(GOOD.without_header("traceparent")).trace == ""
    assert decode(GOOD.with_header("traceparent", None)).trace == ""


@pytest.mark.parametrize("name", ["ce_subject", "ce_sequence", "ce_recordedtime", "ce_type", "ce_id"])
@pytest.mark.parametrize("is_null", [False, True], ids=["absent", "null"])
def test_a_header_that_is_missing_is_named(name: str, is_null: bool) -> None:
    lacking = GOOD.with_header(name, None) if is_null else GOOD.without_header(name)
    with pytest.raises(NotUnderstood, match=f"the header {name} is missing"):
        decode(lacking)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ce_sequence", b"one"),
        ("ce_recordedtime", b"yesterday"),
        ("ce_subject", b"\xff"),
        ("ce_type", b"\xff"),
        ("traceparent", b"\xff"),
        ("ce_id", b""),
        ("ce_id", b"  "),
        ("ce_id", b"x" * 201),
    ],
)
def test_a_header_that_cannot_be_read_says_so(name: str, value: bytes) -> None:
    with pytest.raises(NotUnderstood, match=f"the header {name} cannot be read: "):
        decode(GOOD.with_header(name, value))


@pytest.mark.parametrize("value", ["+5", "1_0", "-1", " 5", "5.0", "\u0665", ""])
def test_a_version_is_written_with_digits_only_and_read_alike_everywhere(value: str) -> None:
    with pytest.raises(NotUnderstood, match=r"the header ce_sequence cannot be read: .* is not a version"):
        decode(GOOD.with_header("ce_sequence", value.encode()))
    if value.strip() == value:  # a position is also what somebody writes
        with pytest.raises(ValueError, match="is not a position"):
            Position.parse(f"{stream()}@{value}")


@pytest.mark.parametrize("name", ["ce_subject", "ce_sequence", "ce_type", "ce_id"])
def test_an_attribute_that_stands_there_twice_is_not_believed_whichever_it_may_be(name: str) -> None:
    (value,) = (value for held, value in GOOD.headers if held == name)
    for another in (value, b"11", None):
        twice = replace(GOOD, headers=(*GOOD.headers, (name, another)))
        with pytest.raises(NotUnderstood, match=f"the header {name} stands there more than once"):
            decode(twice)


def test_other_headers_may_stand_there_twice() -> None:
    assert decode(replace(GOOD, headers=(*GOOD.headers, ("hop", b"1"), ("hop", b"2")))) == decode(GOOD)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (GOOD.with_header("ce_subject", b"somewhere"), "is not a stream"),
        (GOOD.with_header("ce_subject", b"membership/community.other"), "stands under key"),
        (replace(GOOD, key=None), "stands under key None"),
        (replace(GOOD, topic="feedback.events"), r"in feedback\.events"),
        (GOOD.with_header("ce_sequence", b"0"), "versions begin at 1"),
        (GOOD.with_header("ce_type", b"praxis.member-promoted.v1"), "is this a newer producer's"),
        (replace(GOOD, value=None), "a tombstone"),
        (replace(GOOD, value=b""), "is not as it must be"),
        (replace(GOOD, value=b"{"), "is not as it must be"),
        (replace(GOOD, value=b"[]"), "is not as it must be"),
        (replace(GOOD, value=b"\xff"), "is not as it must be"),
        (replace(GOOD, value=b'{"person_id": "anna@example.org"}'), "is not as it must be"),
    ],
)
def test_what_is_wrong_with_a_record_is_said(record: OnKafka, reason: str) -> None:
    with pytest.raises(NotUnderstood, match=reason):
        decode(record)


@given(st.dictionaries(st.sampled_from([name for name, _ in GOOD.headers]), st.none() | st.binary()), st.binary())
def test_whatever_stands_there_is_a_fact_or_is_not_understood(headers: dict[str, bytes | None], value: bytes) -> None:
    record = replace(GOOD, value=value)
    for name, content in headers.items():
        record = record.with_header(name, content)
    with suppress(NotUnderstood):
        decode(record)


def test_a_recorded_time_of_any_offset_is_the_same_instant() -> None:
    read = decode(GOOD.with_header("ce_recordedtime", b"2024-05-06T09:08:09.123+02:00"))
    assert read.recorded_at == datetime(2024, 5, 6, 7, 8, 9, 123_000, UTC)
