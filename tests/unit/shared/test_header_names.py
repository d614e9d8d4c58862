"""Fetched portions that hold a header whose name is no UTF-8, as Kafka sends them."""

from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy

import shared.reading  # noqa: F401 - what is looked at
from tests.odd_record import OddName

NONE, GZIP, ZSTD = 0, 1, 4
ODD = "\\xff\\xfeodd"


def batch(begin: int, names: Sequence[str], compression: int = NONE) -> bytes:
    """A batch of one record for each name of a header, from an offset on."""
    builder = _DefaultRecordBatchBuilderPy(2, compression, False, -1, -1, -1, 1_000_000)
    for offset, name in enumerate(names):
        builder.append(offset, 0, b"key", None, [("ce_id", b"1"), (name, b"\xff")])
    content = bytearray(builder.build())
    content[:8] = begin.to_bytes(8, "big")
    return bytes(content)


def read(data: bytes, begin: int = 0) -> list[tuple[int, str]]:
    """The offsets, and the name of each record's last header."""
    place = TopicPartition("membership.events", 0)
    records: Any = fetcher.PartitionRecords(
        place, fetcher.MemoryRecords(data), [], begin, None, None, True, fetcher.READ_UNCOMMITTED
    )
    found = [(record.offset, record.headers[-1][0]) for record in records]
    assert records.next_fetch_offset == (found[-1][0] + 1 if found else begin)
    return found


@pytest.mark.parametrize("compression", [NONE, GZIP, ZSTD])
def test_it_is_read_with_escapes_and_all_around_it_once(compression: int) -> None:
    odd = OddName("odd")
    first = batch(0, ["a", "b"])
    rest = batch(2, ["c", odd, "d"], compression) + batch(5, ["e"]) + batch(6, [odd, "f"])
    names = ["a", "b", "c", ODD, "d", "e", ODD, "f"]
    assert read(first + rest) == list(enumerate(names))
    assert read(rest, begin=4) == list(enumerate(names))[4:]


def test_one_that_stands_at_either_end_is_read() -> None:
    assert read(batch(0, [OddName("odd"), "a"])) == [(0, ODD), (1, "a")]
    assert read(batch(0, ["a"]) + batch(1, [OddName("odd")])) == [(0, "a"), (1, ODD)]


def test_what_is_cut_off_at_the_end_of_a_portion_waits_for_the_next() -> None:
    data = batch(0, ["a", OddName("odd")]) + batch(2, ["b"])
    assert read(data[:-3]) == [(0, "a"), (1, ODD)]


def test_names_that_are_utf_8_are_read_as_they_are() -> None:
    assert read(batch(0, ["größe", "a"], ZSTD)) == [(0, "größe"), (1, "a")]
