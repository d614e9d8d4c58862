"""Facts on Kafka: CloudEvents 1.0 records in binary mode, and the topics that hold them."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple, Protocol

import structlog
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError
from aiokafka.partitioner import murmur2
from pydantic import ValidationError

from shared.drivers import by_its_name
from shared.events.fact import FACTS, Fact, Recorded, Stream

log = structlog.get_logger(__name__)

LONGEST_ID = 200
"""Bytes: those of ours take 26."""
LONGEST_SHOWN = 200
"""Bytes of a key in words."""

Headers = list[tuple[str, bytes]]


class Message(NamedTuple):
    """What the outbox holds and the relay sends."""

    topic: str
    key: bytes
    value: bytes
    headers: Headers


class Carried(Protocol):
    """The part of a record that says what it is, wherever it is kept."""

    @property
    def topic(self) -> str: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> tuple[tuple[str, bytes | None], ...]: ...


class Record(Carried, Protocol):
    """The part of a consumed record that is read here."""

    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...


class NotUnderstood(Exception):
    """A record that is no fact of the language: the reason, for whoever reads the dead letter."""


@lru_cache(maxsize=65_536)
def _spread(key: bytes) -> int:
    number: int = murmur2(key) & 0x7FFFFFFF
    return number


def partition_of(key: bytes, partitions: int) -> int:
    """The number of a key's partition, as Kafka's own clients choose it, of so many."""
    return _spread(key) % partitions


def topic_name(topic: str) -> str:
    return f"{topic}.events"


def encode(recorded: Recorded) -> Message:
    """The record of a fact: attributes in headers, the fact's own JSON as the value."""
    fact, stream = recorded.fact, recorded.stream
    happened = fact.happened_on()
    time = f"{happened.last_day}T00:00:00Z" if happened else _instant(recorded.recorded_at)
    attributes = {
        "ce_specversion": "1.0",
        "ce_id": recorded.id,
        "ce_type": fact.type,
        "ce_source": f"praxis/{stream.topic}",
        "ce_subject": str(stream),
        "ce_time": time,
        "ce_recordedtime": _instant(recorded.recorded_at),
        "ce_sequence": str(recorded.version),
        "traceparent": recorded.trace,
        "content-type": "application/json",
    }
    headers = [(name, value.encode()) for name, value in attributes.items()]
    return Message(topic_name(stream.topic), stream.key.encode(), to_json(fact), headers)


def to_json(fact: Fact) -> bytes:
    return fact.model_dump_json(exclude_none=True).encode()


def decode(record: Carried) -> Recorded:
    """The fact that a record holds, checked against the language.

    Raises:
        NotUnderstood: what is wrong with it, in words for operations staff.
    """
    headers = present_headers(record)
    if len(headers) < len(record.headers) and (names := repeated(record)):
        raise NotUnderstood(f"the header {min(names)} stands there more than once")
    try:
        version = _version(headers["ce_sequence"])
        recorded_at = _time(headers["ce_recordedtime"])
        stream, key, topic = _placed(headers["ce_subject"])
        kind = _kind(headers["ce_type"])
        id = _id(headers["ce_id"])
        trace = headers.get("traceparent", b"").decode()
    except KeyError as missing:
        raise NotUnderstood(f"the header {missing.args[0]} is missing") from None
    except ValueError:
        raise NotUnderstood(_unreadable(headers)) from None
    if record.key != key or record.topic != topic:
        where = f"{_shown(record.key)} in {record.topic}, not under {_shown(key)} in {topic}"
        raise NotUnderstood(f"a fact about {stream} stands under key {where}")
    if version < 1:
        raise NotUnderstood(f"versions begin at 1, this is {version}")
    if record.value is None:
        raise NotUnderstood("there is no value (a tombstone)")
    try:
        fact: Fact = kind.__pydantic_validator__.validate_json(record.value)  # what `model_validate_json` comes to
    except ValidationError as problem:
        raise NotUnderstood(f"{kind.type} is not as it must be: {_said(problem)}") from None
    return Recorded(id, stream, version, fact, recorded_at, trace, record.value)


def _shown(key: bytes | None) -> str:
    return repr(key if len(key or b"") <= LONGEST_SHOWN else (key or b"")[:LONGEST_SHOWN] + b"...")


def _said(problem: ValidationError) -> str:
    """What is wrong with which field. What stood there is not repeated: it may be about people."""
    errors = problem.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(f"{'.'.join(map(str, error['loc'])) or 'the whole'}: {error['msg']}" for error in errors)


def present_headers(record: Carried) -> dict[str, bytes]:
    """The headers that have a value: on Kafka one may be null, which is as good as none."""
    headers = dict(record.headers)
    if None in headers.values():
        return {name: value for name, value in record.headers if value is not None}
    return headers  # type: ignore[return-value]


def repeated(record: Carried) -> set[str]:
    """The attributes of the event that stand there more than once: none of them is to be believed."""
    names = Counter(name for name, _ in record.headers)
    return {name for name, count in names.items() if count > 1 and name.startswith("ce_")}


def _unreadable(headers: Mapping[str, bytes]) -> str:
    """Which header cannot be read, and why."""
    for name, read in READ.items():
        try:
            read(headers.get(name, b""))
        except ValueError as problem:
            return f"the header {name} cannot be read: {problem}"
    raise AssertionError("each of them can be read")


def _version(sequence: bytes) -> int:
    if not sequence.isdigit():
        raise ValueError(f"{_shown(sequence)} is not a version, which is written with the digits 0 to 9 only")
    return int(sequence)


def _id(id: bytes) -> str:
    if not 0 < len(id.strip()) <= len(id) <= LONGEST_ID:
        raise ValueError(f"it takes {len(id):,} bytes, and an id 1 to {LONGEST_ID}")
    return id.decode()


def _time(instant: bytes) -> datetime:
    return datetime.fromisoformat(instant.decode())


@lru_cache(maxsize=65_536)
def _placed(subject: bytes) -> tuple[Stream, bytes, str]:
    """A stream, with the key and the name of the topic that its facts must stand under."""
    stream = Stream.parse(subject.decode())
    return stream, stream.key.encode(), topic_name(stream.topic)


def _kind(type: bytes) -> type[Fact]:
    kind = FACTS.get(type.decode())
    if kind is None:
        raise NotUnderstood(f"no fact is called {type.decode()}: is this a newer producer's?")
    return kind


READ: Mapping[str, Callable[[bytes], object]] = {
    "ce_sequence": _version,
    "ce_recordedtime": _time,
    "ce_subject": _placed,
    "ce_type": bytes.decode,
    "ce_id": _id,
    "traceparent": bytes.decode,
}
"""The headers that a fact is read from, and how."""


def _instant(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class WrongPartitions(Exception):
    """A topic has another number of partitions than it is wanted with."""

    def __init__(self, topic: str, count: int, wanted: int) -> None:
        self.what = f"topic {topic} has {count} partitions, and is wanted with {wanted}"
        super().__init__(f"{self.what}: set PRAXIS_PARTITIONS={count}, or make new topics, refill them and rebuild")
        self.count, self.wanted = count, wanted


async def ensure_topics(
    bootstrap: str, topics: list[str], *, partitions: int, replication: int, exactly: bool = True
) -> None:
    """Make the topics that are not there yet, kept for ever; waits, with growing pauses, while Kafka is away.

    Raises:
        WrongPartitions: one is there with another number of partitions, and was to have `exactly` these.
    """
    pause = 0.1
    while True:
        try:
            return await by_its_name(_make_topics(bootstrap, topics, partitions, replication, exactly))
        except (KafkaError, OSError) as problem:
            log.warning("kafka.out_of_reach", bootstrap=bootstrap, reason=str(problem))
            await asyncio.sleep(pause)
            pause = min(pause * 2, 5.0)


async def _make_topics(bootstrap: str, topics: list[str], partitions: int, replication: int, exactly: bool) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        await admin.start()
        there = set(await admin.list_topics())
        new = [
            NewTopic(
                name,
                partitions,
                replication,
                topic_configs={"retention.ms": "-1", "max.message.bytes": "1048576"},
            )
            for name in topics
            if name not in there
        ]
        if new:
            response = await admin.create_topics(new)
            for name, code, *words in response.topic_errors:
                if code not in (0, TopicAlreadyExistsError.errno):
                    raise KafkaError(f"topic {name} could not be made: {words}")
        for topic in await admin.describe_topics(topics):
            count = len(topic["partitions"])
            if exactly and count not in (0, partitions):
                raise WrongPartitions(topic["topic"], count, partitions)
    finally:
        await admin.close()
