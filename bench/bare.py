"""python -m bench.bare: the metrics fold under a bare aiokafka loop, to compare the worker with."""

import asyncio

from services.metrics.dead_letters import bury
from services.metrics.fold import Fold
from services.metrics.settings import Settings
from shared import logging
from shared.events.fact import SOURCE_TOPICS
from shared.mongo import connect
from shared.reading.follower import Follower
from shared.reading.sink import Sink
from shared.views.builds import FIRST


async def main() -> None:
    settings = Settings()
    client = connect(settings.mongo)
    db, fold = client[settings.database], Fold(FIRST)
    await fold.prepare(db)
    sink = Sink(
        client,
        db,
        SOURCE_TOPICS,
        fold,
        bury,
        heads=FIRST.heads,
        partitions=FIRST.partitions,
        cached=settings.most_cached,
    )
    await Follower(settings.kafka, SOURCE_TOPICS, settings.group, sink).run()


if __name__ == "__main__":
    logging.configure("bare")
    asyncio.run(main())
