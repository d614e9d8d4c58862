"""What the watchdog is told of a worker's progress, and what `/health/ready` is."""

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition

from services.metrics.app import Processor
from services.metrics.settings import Settings
from services.metrics.watching import Watching

STOPPED, GOING = TopicPartition("membership.events", 0), TopicPartition("membership.events", 1)
SETTINGS = Settings(kafka="nowhere:1", mongo="mongodb://nowhere:1")


class Told:
    """What a watchdog hears."""

    silent_s = 0.0

    def __init__(self) -> None:
        self.last: str | None = None

    def all_is_well(self) -> None:
        self.last = None

    def worry(self, about: str) -> None:
        self.last = about


def watching(places: set[TopicPartition], halted: set[int]) -> Watching:
    stream: Any = SimpleNamespace(places=places)
    worker: Any = SimpleNamespace(halted=halted, stopped="too many dead letters" if halted else None)
    nothing: Any = None
    return Watching(SETTINGS, nothing, nothing, stream, worker)


def judged(one: Watching, lag: dict[TopicPartition, int], folded: dict[TopicPartition, int]) -> str | None:
    told: Any = Told()
    one._judge(lag, folded, told)
    return told.last  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("places", "halted", "lag", "worries"),
    [
        pytest.param({STOPPED, GOING}, {0}, {STOPPED: 7}, False, id="what is stopped is somebody else's business"),
        pytest.param({STOPPED, GOING}, {0}, {STOPPED: 7, GOING: 1}, True, id="the others are its own"),
        pytest.param({GOING}, set(), {STOPPED: 7}, False, id="another worker's partitions are not"),
        pytest.param(set(), set(), {STOPPED: 7}, True, id="one without partitions looks at all"),
        pytest.param({STOPPED, GOING}, set(), {}, False, id="nothing waits"),
    ],
)
def test_who_folds_nothing_although_something_waits_is_worried_about(
    places: set[TopicPartition], halted: set[int], lag: dict[TopicPartition, int], worries: bool
) -> None:
    one, folded = watching(places, halted), {STOPPED: 3, GOING: 3}
    judged(one, lag, folded)
    assert bool(judged(one, lag, folded)) == worries
    assert judged(one, lag, {place: offset + 1 for place, offset in folded.items()}) is None


async def test_metrics_is_not_ready_while_a_dead_letter_does_not_come_to_kafka_or_nothing_is_read() -> None:
    processor = Processor(SETTINGS)
    assert await processor.check() == "MongoDB and Kafka"
    processor.waits_for = None
    assert await processor.check() is None
    relay: Any = SimpleNamespace(last_failure="Kafka refused membership.events.dead")
    processor.relay = relay
    assert await processor.check() == "Kafka refused membership.events.dead"
    stream: Any = SimpleNamespace(problem="Kafka does not tell what it holds")
    processor.stream, processor.waits_for = stream, "partitions to be assigned"
    assert await processor.check() == "Kafka does not tell what it holds", "it says more than that it waits"
    await processor.client.close()
