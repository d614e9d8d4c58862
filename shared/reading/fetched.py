"""How what Kafka sent of a partition is read: as aiokafka does, but for two things, while this module is loaded.

A header whose name is no UTF-8: Kafka takes it, aiokafka fails on it and reads that partition no further. The portion
is read again, with the odd bytes as escapes (`\\xff`).

An offset that holds no record, as the markers of a transaction do, and what it gave up: aiokafka passes it without a
word, so that whoever counts offsets sees a hole, and at the end of the log waits for ever. It is read as a `Blank`.
"""

from collections.abc import Iterator
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords, _MemoryRecordsPy
from aiokafka.structs import ConsumerRecord


class Blank(ConsumerRecord):  # type: ignore[misc]
    """An offset of the log that holds no record."""

    def __init__(self, topic: str, partition: int, offset: int, timestamp: int) -> None:
        super().__init__(topic, partition, offset, timestamp, 0, None, None, None, -1, -1, ())


class _Bytes(bytearray):
    """Bytes whose parts are decoded whatever they are."""

    def __getitem__(self, place: Any) -> Any:
        part = super().__getitem__(place)
        return _Bytes(part) if isinstance(place, slice) else part

    def decode(self, encoding: str = "utf-8", errors: str = "") -> str:
        return super().decode(encoding, "backslashreplace")


class _EscapingBatch(_DefaultRecordBatchPy):  # type: ignore[misc]
    _buffer: bytearray

    def _maybe_uncompress(self) -> None:
        super()._maybe_uncompress()
        self._buffer = _Bytes(self._buffer)


class _Fetched(MemoryRecords):  # type: ignore[misc]
    """What Kafka sent of a partition, which can be read again."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.data = data
        self.timestamp = 0
        """Of the batch that was read last, in milliseconds since 1970."""

    def next_batch(self) -> Any:
        batch = super().next_batch()
        self.timestamp = batch.max_timestamp
        return batch


class _FetchedEscaping(_MemoryRecordsPy):  # type: ignore[misc]
    """The same from the batch on that holds an offset."""

    def __init__(self, data: bytes, begin: int) -> None:
        super().__init__(data)
        self.timestamp = 0
        while self.has_next() and _EscapingBatch(self._next_slice).next_offset <= begin:
            self._cache_next()

    def next_batch(self) -> _DefaultRecordBatchPy:
        batch = _EscapingBatch(self._next_slice)
        self._cache_next()
        self.timestamp = batch.max_timestamp
        return batch


class _Records(fetcher.PartitionRecords):  # type: ignore[misc]
    """Each offset once, from the one that was asked for."""

    _records: Any
    next_fetch_offset: int

    def _unpack_records(self) -> Iterator[Any]:
        following = self.next_fetch_offset
        for record in self._without_blanks():
            yield from self._blanks(following, record.offset)
            following = self.next_fetch_offset = record.offset + 1
            yield record
        yield from self._blanks(following, self.next_fetch_offset)

    def _blanks(self, begin: int, end: int) -> Iterator[Blank]:
        for offset in range(begin, end):
            self.next_fetch_offset = offset + 1
            yield Blank(self._tp.topic, self._tp.partition, offset, self._records.timestamp)

    def _without_blanks(self) -> Iterator[Any]:
        try:
            yield from super()._unpack_records()
        except (UnicodeDecodeError, CorruptRecordException) as problem:  # the latter without aiokafka's extensions
            if not isinstance(problem.__cause__ or problem, UnicodeDecodeError):
                raise
            self._records = _FetchedEscaping(self._records.data, self.next_fetch_offset)
            yield from super()._unpack_records()


fetcher.MemoryRecords, fetcher.PartitionRecords = _Fetched, _Records
