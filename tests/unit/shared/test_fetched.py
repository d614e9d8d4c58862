"""Fetched portions as Kafka sends them that hold a header whose name is no UTF-8, or offsets without a record."""

from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy
from aiokafka.record.util import calc_crc32c

from shared.reading.fetched import Blank
from tests.odd_record import OddName

NONE, GZIP, ZSTD = 0, 1, 4
CONTROL = 0x20
BLANK = "no record"
ODD = "\\xff\\xfeodd"


def batch(begin: int, names: Sequence[str], compression: int = NONE, *, by: int = -1) -> bytes:
    """A batch of one record for each name of a header, from an offset on; in a transaction, if `by` a producer."""
    builder = _DefaultRecordBatchBuilderPy(2, compression, by >= 0, by, 0 if by >= 0 else -1, -1, 1_000_000)
    for offset, name in enumerate(names):
        builder.append(offset, 0, b"key", None, [("ce_id", b"1"), (name, b"\xff")])
    content = bytearray(builder.build())
    content[:8] = begin.to_bytes(8, "big")
    return bytes(content)


def marker(at: int, by: int, *, committed: bool) -> bytes:
    """What Kafka itself writes where a transaction ends."""
    builder = _DefaultRecordBatchBuilderPy(2, NONE, True, by, 0, -1, 1_000_000)
    builder.append(0, 7, b"\0\0\0" + bytes([committed]), b"\0\0\0\0\0\0", [])
    content = bytearray(builder.build())
    content[:8] = at.to_bytes(8, "big")
    content[22] |= CONTROL
    content[17:21] = calc_crc32c(content[21:]).to_bytes(4, "big")
    return bytes(content)


def fetched(data: bytes, begin: int, given_up: Sequence[tuple[int, int]] = ()) -> Any:
    """`given_up`: producers, and the offsets at which transactions of theirs begin that come to nothing."""
    place = TopicPartition("membership.events", 0)
    return fetcher.PartitionRecords(
        place, fetcher.MemoryRecords(data), list(given_up), begin, None, None, True, fetcher.READ_COMMITTED
    )


def read(data: bytes, begin: int = 0, given_up: Sequence[tuple[int, int]] = ()) -> list[tuple[int, str]]:
    """The offsets, and the name of each record's last header, or `BLANK`."""
    records = fetched(data, begin, given_up)
    found = [(one.offset, BLANK if isinstance(one, Blank) else one.headers[-1][0]) for one in records]
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


def test_the_mark_that_ends_a_transaction_is_an_offset_without_a_record() -> None:
    data = batch(0, ["a", "b"], by=9) + marker(2, 9, committed=True) + batch(3, ["c"]) + marker(4, 8, committed=True)
    assert read(data) == [(0, "a"), (1, "b"), (2, BLANK), (3, "c"), (4, BLANK)]
    assert read(data, begin=2) == [(2, BLANK), (3, "c"), (4, BLANK)]


def test_what_a_transaction_gave_up_holds_no_records() -> None:
    data = batch(0, ["a", "b"], by=9) + marker(2, 9, committed=False) + batch(3, ["c"], by=9) + batch(4, ["d"])
    assert read(data, given_up=[(9, 0)]) == [(0, BLANK), (1, BLANK), (2, BLANK), (3, "c"), (4, "d")]


def test_offsets_without_a_record_are_read_around_odd_names_too() -> None:
    first = batch(0, ["a"], by=9) + marker(1, 9, committed=True) + batch(2, [OddName("odd")])
    assert read(first + marker(3, 8, committed=True)) == [(0, "a"), (1, BLANK), (2, ODD), (3, BLANK)]


def test_where_a_poll_ends_reading_goes_on_with_what_comes_next() -> None:
    data = marker(0, 9, committed=True) + marker(1, 9, committed=True) + batch(2, ["a"])
    records = fetched(data, 0)
    for offset in range(3):
        assert next(records).offset == offset
        assert records.next_fetch_offset == offset + 1


def test_one_without_a_record_tells_when_it_came() -> None:
    (blank,) = fetched(marker(0, 9, committed=True), 0)
    assert (blank.timestamp, blank.value, blank.headers) == (7, None, ())
