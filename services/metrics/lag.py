"""How far reading is behind what is on Kafka: in facts, in seconds, and how fast that grows. Pure."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from aiokafka import TopicPartition

Offsets = Mapping[TopicPartition, int]

OVER_S = 30.0
"""The trend is that of so many seconds."""


def behind(following: Offsets, ends: Offsets) -> dict[TopicPartition, int]:
    """How many records of each partition are not folded yet; those that are up to date are left out."""
    return {place: end - following.get(place, 0) for place, end in ends.items() if end > following.get(place, 0)}


@dataclass
class Trend:
    """The lag of one partition, as it was seen of late."""

    _seen: deque[tuple[float, float]] = field(default_factory=deque)

    def add(self, at: float, seconds: float) -> float:
        """Add what is seen at a moment; how many seconds of lag have been gained per second since the first."""
        self._seen.append((at, seconds))
        while at - self._seen[0][0] > OVER_S:
            self._seen.popleft()
        begin, first = self._seen[0]
        return (seconds - first) / (at - begin) if at > begin else 0.0
