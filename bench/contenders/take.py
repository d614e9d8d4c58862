"""python -m bench.contenders.take [plain]: the exact sink under Faust as it comes, an agent with `take`."""

import asyncio
from collections.abc import Callable
from typing import Any

import faust
from aiokafka import TopicPartition

from bench import figures
from bench.contenders.running import run
from services.metrics.settings import Settings
from shared import logging
from shared.events.fact import SOURCE_TOPICS
from shared.kafka import Record, topic_name
from shared.mongo import connect
from shared.reading.hand import by_partition
from shared.reading.sink import Sink

MOST, WITHIN_S = 10_000, 0.1


async def main() -> None:
    settings = Settings()
    client = connect(settings.mongo)
    db = client[settings.database]
    await figures.prepare(db)
    sink = figures.sink(settings, client, db)
    app = faust.App(
        settings.group,
        broker=f"kafka://{settings.kafka}",
        store="memory://",
        datadir=settings.data_dir,
        autodiscover=False,
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        topic_partitions=settings.partitions,
        stream_buffer_maxsize=MOST,
        consumer_max_fetch_size=4 * 1024 * 1024,
        consumer_auto_offset_reset="earliest",
    )
    topics = app.topic(*map(topic_name, SOURCE_TOPICS), key_serializer="raw", value_serializer="raw")
    app.agent(topics)(_folding(sink))
    await app.start()
    await app.wait_until_stopped()


def _folding(sink: Sink) -> Callable[[Any], Any]:
    async def fold(stream: Any) -> None:
        async for events in stream.take_events(MOST, within=WITHIN_S):
            records: dict[TopicPartition, list[Record]] = {}
            for event in events:
                record = event.message  # it has all that the sink reads, the time in seconds
                records.setdefault(TopicPartition(record.topic, record.partition), []).append(record)
            await asyncio.gather(*(sink.put(number, batch) for number, batch in by_partition(records).items()))

    return fold


if __name__ == "__main__":
    logging.configure("take")
    run(main)
