"""python -m bench.contenders.fast_stream: the exact sink under FastStream, in batches.

The bodies are handed on as they are, for the sink decodes them; by default FastStream would parse each once more.
"""

import asyncio
from typing import Any

import uvloop
from aiokafka import TopicPartition
from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker
from faststream.kafka.annotations import KafkaMessage

from bench import figures
from services.metrics.settings import Settings
from shared import logging
from shared.events.fact import SOURCE_TOPICS
from shared.kafka import topic_name
from shared.mongo import connect
from shared.reading.follower import by_partition
from shared.running import collect_seldom


async def main() -> None:
    settings = Settings()
    client = connect(settings.mongo)
    sink = await figures.sink(settings, client, client[settings.database])
    broker = KafkaBroker(settings.kafka)

    @broker.subscriber(
        *map(topic_name, SOURCE_TOPICS),
        batch=True,
        group_id=settings.group,
        auto_offset_reset="earliest",
        ack_policy=AckPolicy.ACK,
        max_partition_fetch_bytes=4 * 1024 * 1024,
        decoder=_as_it_is,
    )
    async def fold(message: KafkaMessage) -> None:
        records: dict[TopicPartition, list[Any]] = {}
        for record in message.raw_message:
            records.setdefault(TopicPartition(record.topic, record.partition), []).append(record)
        await asyncio.gather(*(sink.put(number, batch) for number, batch in by_partition(records).items()))

    await FastStream(broker).run()


async def _as_it_is(message: Any) -> Any:
    return message.body


if __name__ == "__main__":
    logging.configure("faststream")
    collect_seldom()
    uvloop.run(main())
