"""Facts a second through the Faust worker against a bare aiokafka loop with the same sink, on the same facts."""

import asyncio
import os
import statistics
import sys
import time

from aiokafka.admin import AIOKafkaAdminClient

from bench.history import PER_PERSON, history, publish
from bench.table import Row, ratio
from shared.events.fact import SOURCE_TOPICS
from shared.kafka import ensure_topics, topic_name
from shared.mongo import Client, connect
from shared.views.builds import FIRST

COMMUNITIES, FACTS, ROUNDS, PARTITIONS = 40, 120_000, 3, 12


async def run(kafka: str, mongo: str) -> list[Row]:
    """The two in turn, each in a process of its own, with an empty database each time."""
    topics = [topic_name(topic) for topic in SOURCE_TOPICS]
    await ensure_topics(kafka, topics, partitions=PARTITIONS, replication=1)
    facts = history(COMMUNITIES, FACTS // PER_PERSON // COMMUNITIES)
    total = sum((await publish(kafka, facts)).values())
    client = connect(mongo)
    rates: dict[str, list[float]] = {"services.metrics": [], "bench.bare": []}
    try:
        for number in range(ROUNDS):
            for module, found in rates.items():
                found.append(
                    await _rate(client, module, f"bench-{module.replace('.', '-')}-{number}", kafka, mongo, total)
                )
    finally:
        await client.close()
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
        await admin.start()
        await admin.delete_topics(topics)
        await admin.close()
    ours, bare = rates.values()
    ratios = [one / other for one, other in zip(ours, bare, strict=True)]
    return [
        Row("bare aiokafka loop, same sink", f"{statistics.median(bare):,.0f} facts/s"),
        Row(
            "worker (Faust)",
            f"{statistics.median(ours):,.0f} facts/s",
            ratio(statistics.median(ratios), 1, "x the bare loop", aim=0.9),
        ),
    ]


async def _rate(client: Client, module: str, name: str, kafka: str, mongo: str, total: int) -> float:
    """Facts a second from the first commit that is seen to the last."""
    await client.drop_database(name)
    own = {"PRAXIS_DATABASE": name, "PRAXIS_GROUP": name, "PRAXIS_PORT": "0", "PRAXIS_PARTITIONS": str(PARTITIONS)}
    environment = {**os.environ, "PRAXIS_KAFKA": kafka, "PRAXIS_MONGO": mongo, **own}
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, env=environment, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        began, first = 0.0, 0
        while True:
            await asyncio.sleep(0.02)
            partitions = client[name][FIRST.partitions].find({}, {"next": 1})
            folded = sum([sum(partition["next"].values()) async for partition in partitions])
            if folded and not began:
                began, first = time.perf_counter(), folded
            if folded >= total:
                return (total - first) / (time.perf_counter() - began)
            if worker.returncode is not None:
                raise RuntimeError(f"{module} ended with {worker.returncode} after {folded} of {total} facts")
    finally:
        if worker.returncode is None:
            worker.kill()
            await worker.wait()
        await client.drop_database(name)
