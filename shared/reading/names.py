"""Header names that are no UTF-8. Kafka takes them; aiokafka fails on one, and then reads that partition no further.

While this module is loaded it reads a fetched portion that holds one again, with the odd bytes as escapes (`\\xff`).
"""

from collections.abc import Iterator
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords, _MemoryRecordsPy


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


class _FetchedEscaping(_MemoryRecordsPy):  # type: ignore[misc]
    """The same from the batch on that holds an offset."""

    def __init__(self, data: bytes, begin: int) -> None:
        super().__init__(data)
        while self.has_next() and _EscapingBatch(self._next_slice).next_offset <= begin:
            self._cache_next()

    def next_batch(self) -> _DefaultRecordBatchPy:
        portion = self._next_slice
        self._cache_next()
        return _EscapingBatch(portion)


class _Records(fetcher.PartitionRecords):  # type: ignore[misc]
    _records: Any

    def _unpack_records(self) -> Iterator[Any]:
        try:
            yield from super()._unpack_records()
        except (UnicodeDecodeError, CorruptRecordException) as problem:  # the latter without aiokafka's extensions
            if not isinstance(problem.__cause__ or problem, UnicodeDecodeError):
                raise
            self._records = _FetchedEscaping(self._records.data, self.next_fetch_offset)
            yield from super()._unpack_records()


fetcher.MemoryRecords, fetcher.PartitionRecords = _Fetched, _Records
