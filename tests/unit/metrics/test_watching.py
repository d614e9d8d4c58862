"""What the watchdog is told of a worker's progress, and what `/health/ready` is."""

from collections.abc import AsyncIterator
from collections.abc import Set as AbstractSet
from types import SimpleNamespace
from typing import Any, Self

import pytest
from aiokafka import TopicPartition

from services.metrics.app import Processor
from services.metrics.settings import Settings
from services.metrics.watching import HALTED_FOR_S, Watching
from shared.views.builds import FIRST

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


class Partitions:
    """The partition documents, as workers leave them."""

    def __init__(self) -> None:
        self.halted: dict[int, str | None] = {}

    def __getitem__(self, _: str) -> Self:
        return self

    async def find(self) -> AsyncIterator[dict[str, Any]]:
        for number, halted in self.halted.items():
            yield {"_id": number, "halted": halted}


def watching(places: set[TopicPartition], db: Any = None) -> Watching:
    stream: Any = SimpleNamespace(places=places)
    worker: Any = SimpleNamespace(stopped=None)
    nothing: Any = None
    return Watching(SETTINGS, db, nothing, stream, worker)


def judged(
    one: Watching, lag: dict[TopicPartition, int], folded: dict[TopicPartition, int], halted: AbstractSet[int]
) -> str | None:
    told: Any = Told()
    one._judge(lag, folded, halted, told)
    return told.last  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("places", "halted", "lag", "worries"),
    [
        pytest.param({STOPPED, GOING}, {0}, {STOPPED: 7}, False, id="what is stopped is somebody else's business"),
        pytest.param({STOPPED, GOING}, {0}, {STOPPED: 7, GOING: 1}, True, id="the others are its own"),
        pytest.param({GOING}, set(), {STOPPED: 7}, False, id="another worker's partitions are not"),
        pytest.param(set(), set(), {STOPPED: 7}, True, id="one without partitions looks at all"),
        pytest.param(set(), {0}, {STOPPED: 7}, False, id="but for what another says that it stands still"),
        pytest.param(set(), {0}, {STOPPED: 7, GOING: 1}, True, id="and for nothing else"),
        pytest.param({STOPPED, GOING}, set(), {}, False, id="nothing waits"),
    ],
)
def test_who_folds_nothing_although_something_waits_is_worried_about(
    places: set[TopicPartition], halted: set[int], lag: dict[TopicPartition, int], worries: bool
) -> None:
    one, folded = watching(places), {STOPPED: 3, GOING: 3}
    judged(one, lag, folded, halted)
    assert bool(judged(one, lag, folded, halted)) == worries
    assert judged(one, lag, {place: offset + 1 for place, offset in folded.items()}, halted) is None


async def test_one_without_partitions_hears_of_those_that_stand_still_for_as_long_as_that_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    partitions, now = Partitions(), 0.0
    monkeypatch.setattr("services.metrics.watching.time.monotonic", lambda: now)
    one = watching(set(), partitions)

    async def halted(**said: str | None) -> AbstractSet[int]:
        partitions.halted = {int(number.removeprefix("of_")): what for number, what in said.items()}
        return await one._halted_elsewhere(FIRST)

    assert await halted(of_0="at 1", of_1=None) == {0}
    now = HALTED_FOR_S - 1
    assert await halted(of_0="at 2", of_1="at 1") == {0, 1}
    now = 2 * HALTED_FOR_S - 2
    assert await halted(of_0="at 2", of_1=None) == {0}
    now = 2 * HALTED_FOR_S
    assert await halted(of_0="at 2", of_1="at 2") == {1}, "who said so of the other has died, or sleeps"


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
