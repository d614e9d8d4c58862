"""Facts, the streams that hold them, and the JSON that every fact was once written as."""

from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.events import convenings, feedback, membership
from shared.events.fact import FACTS, Fact, Position, Stream
from shared.kafka import to_json
from tests.builders import community_founded, member_joined, organisation_registered, stage_reached

LANGUAGE = {
    name: kind
    for name, kind in FACTS.items()
    if kind.__module__ in (convenings.__name__, feedback.__name__, membership.__name__)
}
SAMPLES = Path(__file__).parent / "samples"
"""What facts were written as, a file or more for each: `<name>.json`, and `<name>.2.json` when a field is added."""
KINDS = st.sampled_from(["programme", "organisation", "person", "community", "innovation"])
TOPICS = st.sampled_from(["membership", "convenings", "feedback", "achievements"])
STREAMS = st.builds(Stream, TOPICS, KINDS, st.from_regex(r"[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?", fullmatch=True))


def samples_of(name: str) -> list[Path]:
    short = name.removeprefix("praxis.")
    return [*SAMPLES.glob(f"{short}.json"), *SAMPLES.glob(f"{short}.[0-9]*.json")]


@pytest.mark.parametrize("name", LANGUAGE)
def test_what_was_once_written_reads_as_the_same_fact_for_ever(name: str) -> None:
    assert samples_of(name), f"keep a sample of {name}'s JSON in {SAMPLES}"
    for sample in samples_of(name):
        written = orjson.loads(sample.read_bytes())
        read = orjson.loads(to_json(LANGUAGE[name].model_validate(written)))
        assert {field: read[field] for field in written} == written


@pytest.mark.parametrize("name", LANGUAGE)
def test_every_field_of_a_fact_is_in_a_sample(name: str) -> None:
    written = {field for sample in samples_of(name) for field in orjson.loads(sample.read_bytes())}
    assert written == set(LANGUAGE[name].model_fields), f"keep another sample of {name}, with what is new"


def test_every_sample_is_of_a_fact() -> None:
    known = {path for name in LANGUAGE for path in samples_of(name)}
    assert set(SAMPLES.iterdir()) == known


@pytest.mark.parametrize("name", LANGUAGE)
def test_a_field_that_a_reader_does_not_know_is_passed_over(name: str) -> None:
    written = orjson.loads(samples_of(name)[0].read_bytes())
    kind = LANGUAGE[name]
    assert kind.model_validate({**written, "a_later_field": 1}) == kind.model_validate(written)


def test_two_facts_of_the_same_words_are_equal_and_none_can_be_changed() -> None:
    assert member_joined() == member_joined()
    assert hash(member_joined()) == hash(member_joined())
    with pytest.raises(ValidationError):
        member_joined().role = "observer"  # type: ignore[assignment, misc]


def test_a_fact_is_called_by_its_class_and_no_two_alike() -> None:
    assert member_joined().type == "praxis.member-joined.v1"
    with pytest.raises(TypeError, match="two facts are called"):
        type("MemberJoined", (Fact,), {"__module__": __name__})


def test_a_fact_knows_when_it_happened_where_its_words_say_so() -> None:
    assert member_joined(joined_on="2019-02").happened_on() == "2019-02"
    assert stage_reached(reached_on="2019").happened_on() == "2019"
    assert community_founded(founded_on=None).happened_on() is None


def test_the_day_of_a_demonstration_is_not_when_something_happened() -> None:
    shown = organisation_registered().model_copy(update={"demonstration_on": "2020-12-31"})
    assert shown.happened_on() is None


@given(STREAMS, st.integers(1, 2**62))
def test_streams_and_positions_read_as_they_are_written(stream: Stream, version: int) -> None:
    assert Stream.parse(str(stream)) == stream
    assert Position.parse(str(Position(stream, version))) == Position(stream, version)


def test_a_streams_key_is_the_same_in_all_topics() -> None:
    assert {Stream(topic, "community", "rehabilitation").key for topic in ("membership", "convenings", "feedback")} == {
        "community.rehabilitation"
    }


@pytest.mark.parametrize(
    "text",
    ["", "membership", "membership/community", "membership/community.", "other/community.a", "membership/team.a"],
)
def test_what_is_no_stream_is_refused_showing_one(text: str) -> None:
    with pytest.raises(ValueError, match="write topic/kind"):
        Stream.parse(text)


@pytest.mark.parametrize("version", ["", "0", "-1", "1.5", "x", "²"])
def test_a_position_has_a_version_from_1_on(version: str) -> None:
    with pytest.raises(ValueError, match="is not a position"):
        Position.parse(f"membership/community.a@{version}")
