"""python -m bench.contenders.fast_stream [undecoded] [plain]: the exact sink under FastStream, in batches.

FastStream decodes each message by its content type, and the sink does so once more, as it must know why one cannot be
understood. `undecoded` hands the bodies on as they are: the least that FastStream can do.
"""

import asyncio
import sys
from typing import Any

from aiokafka import TopicPartition
from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker
from faststream.kafka.annotations import KafkaMessage

from bench import figures
from bench.contenders.running import run
from services.metrics.settings import Settings
from shared import logging
from shared.events.fact import SOURCE_TOPICS
from shared.kafka import topic_name
from shared.mongo import connect
from shared.reading.hand import by_partition


async def main() -> None:
    settings = Settings()
    client = connect(settings.mongo)
    db = client[settings.database]
    await figures.prepare(db)
    sink = figures.sink(settings, client, db)
    broker = KafkaBroker(settings.kafka)

    @broker.subscriber(
        *map(topic_name, SOURCE_TOPICS),
        batch=True,
        group_id=settings.group,
        auto_offset_reset="earliest",
        ack_policy=AckPolicy.ACK,
        max_partition_fetch_bytes=4 * 1024 * 1024,
        decoder=_as_it_is if "undecoded" in sys.argv[1:] else None,
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
    run(main)
