"""python -m bench.contenders.bare: the exact sink under a bare aiokafka loop."""

import uvloop

from bench import figures
from services.metrics.settings import Settings
from shared import logging
from shared.events.fact import SOURCE_TOPICS
from shared.mongo import connect
from shared.reading.follower import Follower
from shared.running import collect_seldom


async def main() -> None:
    settings = Settings()
    client = connect(settings.mongo)
    sink = await figures.sink(settings, client, client[settings.database])
    await Follower(settings.kafka, SOURCE_TOPICS, settings.group, sink).run()


if __name__ == "__main__":
    logging.configure("bare")
    collect_seldom()
    uvloop.run(main())
