"""A manner of the door to Kafka: records for one partition are refused, all else passes."""

import struct
from io import BytesIO
from typing import Any, get_args

from aiokafka.protocol.produce import ProduceRequestStruct

from tests.faults.doors import Manner, Talk

PRODUCE = 0
REQUESTS: dict[int, Any] = {kind.API_VERSION: kind for kind in get_args(ProduceRequestStruct)}


class PartitionRefused(Manner):
    """As a broker that has lost a partition: its records are taken out of each request, and answered with an error."""

    def __init__(self, partition: int, error: int) -> None:
        self._partition, self._error = partition, error
        self.refused = 0
        """How many batches were."""
        self.passed = 0
        """How many batches of other partitions were not."""

    async def asked(self, talk: Talk, message: bytes) -> bytes | None:
        key, version, correlation, named = struct.unpack_from(">hhih", message, 4)
        if key != PRODUCE:
            return message
        begins = 4 + 10 + max(named, 0)  # after the length and the header, which ends in the client's name
        kind = REQUESTS[version]
        request = kind.decode(BytesIO(message[begins:]))
        kept, refused = list[Any](), list[tuple[str, int]]()
        for topic, partitions in request.topics:
            refused += [(topic, number) for number, _ in partitions if number == self._partition]
            if others := [(number, records) for number, records in partitions if number != self._partition]:
                kept.append((topic, others))
                self.passed += len(others)
        if not refused:
            return message
        self.refused += len(refused)
        if not kept:
            talk.answer(_framed(struct.pack(">i", correlation) + self._answer(kind, [], refused, 0)))
            return None
        talk.noted[correlation] = kind, refused
        request.topics = kept
        return _framed(message[4:begins] + request.encode())

    async def answered(self, talk: Talk, message: bytes) -> bytes | None:
        (correlation,) = struct.unpack_from(">i", message, 4)
        if correlation not in talk.noted:
            return message
        kind, refused = talk.noted.pop(correlation)
        answer = kind.RESPONSE_TYPE.decode(BytesIO(message[8:]))
        return _framed(message[4:8] + self._answer(kind, answer.topics, refused, answer.throttle_time_ms))

    def _answer(self, kind: Any, given: list[Any], refused: list[tuple[str, int]], throttled: int) -> bytes:
        topics = {topic: list(partitions) for topic, partitions in given}
        for topic, partition in refused:
            # offset, time and the log's start are not known: as of version 5, which is older than any that is used
            topics.setdefault(topic, []).append((partition, self._error, -1, -1, -1))
        encoded: bytes = kind.RESPONSE_TYPE(topics=list(topics.items()), throttle_time_ms=throttled).encode()
        return encoded


def _framed(message: bytes) -> bytes:
    return struct.pack(">i", len(message)) + message
