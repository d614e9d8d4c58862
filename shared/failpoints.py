"""Named points on the way of a fact at which the fault suite kills, stops or fails; elsewhere they do nothing.

`PRAXIS_FAILPOINTS=relay.acknowledged:kill@3,sink.folded:stop@1` kills this process when it reaches the first point for
the third time, and stops it (until SIGCONT) when it first reaches the second. `writer.deciding:fail@spoilt` raises an
error at that point, each time for what has `spoilt` in its name.

Who is killed or stopped says so first, on standard error.
"""

import os
import signal
from dataclasses import dataclass
from typing import Protocol

POINTS = frozenset(
    {
        "writer.deciding",  # one command, by its key; nothing is decided
        "writer.decided",  # the transaction is written, not committed
        "writer.committed",  # it is committed, nobody is answered
        "relay.sent",  # handed to the producer, not acknowledged
        "relay.acknowledged",  # acknowledged, still in the outbox
        "relay.deleted",
        "worker.polled",  # records of this generation are here, nothing is folded
        "sink.folded",  # the transaction is written, not committed
        "sink.committed",
        "worker.hinting",  # committed to MongoDB, not told to Kafka
        "follower.hinting",
    }
)
SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}
FAIL = "fail"
STANDARD_ERROR = 2


class Planted(Exception):
    """An error that nothing in the code expects."""


@dataclass
class _Armed:
    signal: signal.Signals
    left: int
    """How many times it is still to be reached, this one included."""


class Reach(Protocol):
    def __call__(self, name: str, of: str = "") -> None: ...


def armed(text: str) -> Reach:
    """What to call when a point is reached.

    Raises:
        ValueError: the text names no point of these, or no signal.
    """
    points, failing = dict[str, _Armed](), dict[str, str]()
    for part in filter(None, text.split(",")):
        name, _, how = part.strip().partition(":")
        action, _, times = how.partition("@")
        if name not in POINTS or action not in (*SIGNALS, FAIL):
            raise ValueError(f"'{part}' is no fail point: write one of {', '.join(sorted(POINTS))}, then :kill@3")
        if action == FAIL:
            failing[name] = times
            continue
        points[name] = _Armed(SIGNALS[action], int(times or 1))

    def reach(name: str, of: str = "") -> None:
        if name in failing and failing[name] in of:
            raise Planted(f"{name}: {of}")
        point = points.get(name)
        if point is None:
            return
        point.left -= 1
        if point.left == 0:
            os.write(STANDARD_ERROR, f"{_told(name, point.signal)}\n".encode())
            os.kill(os.getpid(), point.signal)

    return reach


def was_killed(line: str) -> bool:
    """Whether a process says so that is killed at a point."""
    return any(_told(name, signal.SIGKILL) in line for name in POINTS)


def _told(name: str, what: signal.Signals) -> str:
    return f"fail point {name}: {what.name}"


def _pass(name: str, of: str = "") -> None:
    pass


_named = os.environ.get("PRAXIS_FAILPOINTS")
reached: Reach = armed(_named) if _named else _pass
