"""What manners of doors do with messages of the engines' protocols."""

import asyncio
import struct
from io import BytesIO
from typing import Any

import bson
import pytest
from aiokafka.protocol.produce import ProduceRequest_v7, ProduceResponse_v7

from tests.faults.commits import CommitsCutOff, CommitsCutShort
from tests.faults.doors import Cut, Talk
from tests.faults.refusing import PartitionRefused

NOT_ENOUGH_REPLICAS = 19
CORRELATION = 7


def to_kafka(topics: list[Any]) -> bytes:
    header = struct.pack(">hhih5s", 0, 7, CORRELATION, 5, b"tests")
    body = header + ProduceRequest_v7(transactional_id=None, required_acks=-1, timeout=1, topics=topics).encode()
    return framed(body)


def from_kafka(topics: list[Any]) -> bytes:
    body = struct.pack(">i", CORRELATION) + ProduceResponse_v7(topics=topics, throttle_time_ms=0).encode()
    return framed(body)


def framed(body: bytes) -> bytes:
    return struct.pack(">i", len(body)) + body


def errors(message: bytes) -> dict[int, int]:
    assert struct.unpack_from(">ii", message) == (len(message) - 4, CORRELATION)
    (topic,) = ProduceResponse_v7.decode(BytesIO(message[8:])).topics
    return {partition: error for partition, error, *_ in topic[1]}


def test_records_of_one_partition_are_taken_out_and_answered_with_an_error() -> None:
    manner, talk = PartitionRefused(3, NOT_ENOUGH_REPLICAS), Talk(bytearray().extend)
    passed = asyncio.run(manner.asked(talk, to_kafka([("t", [(2, b"two"), (3, b"three")])])))
    assert passed == to_kafka([("t", [(2, b"two")])])
    answer = asyncio.run(manner.answered(talk, from_kafka([("t", [(2, 0, 5, -1, 0)])])))
    assert answer is not None
    assert errors(answer) == {2: 0, 3: NOT_ENOUGH_REPLICAS}


def test_where_nothing_is_left_kafka_hears_nothing() -> None:
    heard = bytearray()
    manner = PartitionRefused(3, NOT_ENOUGH_REPLICAS)
    assert asyncio.run(manner.asked(Talk(heard.extend), to_kafka([("t", [(3, b"three")])]))) is None
    assert errors(bytes(heard)) == {3: NOT_ENOUGH_REPLICAS}


def to_mongo(session: bytes, **command: Any) -> bytes:
    body = bson.encode({**command, "lsid": {"id": bson.Binary(session)}})
    message = struct.pack("<iiiIB", 1, 0, 2013, 0, 0) + body
    return struct.pack("<i", len(message) + 4) + message


BEGUN = {"insert": "events", "$db": "membership", "startTransaction": True}
COMMIT = {"commitTransaction": 1, "$db": "admin"}


@pytest.mark.parametrize("carried", [True, False])
def test_commits_to_one_collection_are_cut_off_as_often_as_is_said(carried: bool) -> None:
    async def strike() -> None:
        manner, talk = CommitsCutOff("membership.events", carried=carried, times=2), Talk(bytearray().extend)
        await manner.asked(talk, to_mongo(b"mine", **BEGUN))
        await manner.asked(talk, to_mongo(b"other", **{**BEGUN, "$db": "metrics"}))
        assert await manner.asked(talk, to_mongo(b"other", **COMMIT)) == to_mongo(b"other", **COMMIT)
        assert await manner.answered(talk, b"done") == b"done"
        for _ in range(2):
            again = Talk(bytearray().extend)
            if carried:
                assert await manner.asked(again, to_mongo(b"mine", **COMMIT)) == to_mongo(b"mine", **COMMIT)
            assert not manner.over.done(), "the answer to the last is still to be cut off"
            with pytest.raises(Cut):
                await (manner.answered(again, b"done") if carried else manner.asked(again, to_mongo(b"mine", **COMMIT)))
        assert manner.over.done()
        assert await manner.asked(Talk(bytearray().extend), to_mongo(b"mine", **COMMIT))

    asyncio.run(strike())


def test_commits_to_one_collection_are_carried_out_and_said_to_be_cut_short() -> None:
    async def strike() -> None:
        manner, talk = CommitsCutShort("membership.events", times=1), Talk(bytearray().extend)
        done = to_mongo(b"mine", ok=1.0)
        await manner.asked(talk, to_mongo(b"mine", **BEGUN))
        assert await manner.asked(talk, to_mongo(b"other", **COMMIT)) == to_mongo(b"other", **COMMIT)
        assert await manner.answered(talk, done) == done
        assert await manner.asked(talk, to_mongo(b"mine", **COMMIT)) == to_mongo(b"mine", **COMMIT)
        answer = await manner.answered(talk, done)
        assert answer is not None
        assert struct.unpack_from("<iii", answer) == (len(answer), *struct.unpack_from("<ii", done, 4))
        assert bson.decode(answer[21:])["code"] == 290
        assert manner.over.done()
        await manner.asked(talk, to_mongo(b"mine", **COMMIT))
        assert await manner.answered(talk, done) == done

    asyncio.run(strike())
