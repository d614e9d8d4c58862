"""python -m bench.contenders.bare: the exact sink under a bare aiokafka loop."""

from bench import figures
from bench.contenders.running import run
from services.metrics.settings import Settings
from shared import logging
from shared.events.fact import SOURCE_TOPICS
from shared.mongo import connect
from shared.reading.follower import Follower


async def main() -> None:
    settings = Settings()
    client = connect(settings.mongo)
    db = client[settings.database]
    await figures.prepare(db)
    sink = figures.sink(settings, client, db)
    await Follower(settings.kafka, SOURCE_TOPICS, settings.group, sink).run()


if __name__ == "__main__":
    logging.configure("bare")
    run(main)
