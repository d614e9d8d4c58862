"""Topics on real Kafka: made where they are not there, and never with another number of partitions unnoticed."""

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from ulid import ULID

from deploy.local.system import System
from shared.kafka import WrongPartitions, ensure_topics


async def test_a_topic_that_is_there_must_have_the_partitions_that_are_wanted_unless_any_number_will_do(
    own_kafka: System,
) -> None:
    name, other = (f"topic-{ULID()}".lower() for _ in range(2))
    await ensure_topics(own_kafka.kafka, [name], partitions=2, replication=1)
    with pytest.raises(WrongPartitions, match="has 2 partitions, and is wanted with 3: set PRAXIS_PARTITIONS=2"):
        await ensure_topics(own_kafka.kafka, [name], partitions=3, replication=1)
    await ensure_topics(own_kafka.kafka, [name, other], partitions=3, replication=1, exactly=False)
    assert await partitions(own_kafka.kafka, name, other) == [2, 3]


async def partitions(kafka: str, *names: str) -> list[int]:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        counts = {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics(list(names))}
    finally:
        await admin.close()
    return [counts[name] for name in names]
