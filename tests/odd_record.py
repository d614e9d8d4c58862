"""python -m tests.odd_record KAFKA TOPIC KEY: sends a record whose header has a name that is no UTF-8, and says where.

A process of its own: only aiokafka's pure Python can be brought to send one.
"""

import asyncio
import json
import os
import sys
from typing import Any

from aiokafka import AIOKafkaProducer


class OddName(str):
    """A name that is sent as other bytes."""

    __slots__ = ()

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        return b"\xff\xfe" + super().encode(encoding, errors)


async def send(kafka: str, topic: str, key: str) -> dict[str, Any]:
    producer = AIOKafkaProducer(bootstrap_servers=kafka, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        headers = [("ce_id", b"planted-odd"), (OddName("odd"), b"1")]
        sent = await producer.send_and_wait(topic, b"{}", key=key.encode(), headers=headers)
        return {"partition": sent.partition, "offset": sent.offset}
    finally:
        await producer.stop()


async def sent(kafka: str, topic: str, key: str) -> dict[str, Any]:
    """Where it stands; waits for the process that sends it."""
    environment = {**os.environ, "AIOKAFKA_NO_EXTENSIONS": "1"}
    command = [sys.executable, "-m", "tests.odd_record", kafka, topic, key]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, env=environment)
    told, _ = await process.communicate()
    place: dict[str, Any] = json.loads(told)
    return place


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(send(*sys.argv[1:]))) + "\n")
