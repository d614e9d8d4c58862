"""What processes cost: CPU time and memory of a program and of all that it started."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import psutil


@dataclass(frozen=True)
class Cost:
    """CPU seconds by part, and the most memory that the contender's processes held together, as it was sampled."""

    cpu: Mapping[str, float]
    peak_memory: int


class Meter:
    """Samples parts, each a name with its processes; `since` gives what they used from a mark on."""

    def __init__(self, parts: Mapping[str, Sequence[int]], watched: str) -> None:
        """`watched` is the part whose memory is sampled."""
        self._parts = {name: [psutil.Process(pid) for pid in pids] for name, pids in parts.items()}
        self._watched = watched
        self._peak = 0

    def mark(self) -> dict[str, float]:
        return {name: sum(map(_cpu, processes)) for name, processes in self._parts.items()}

    def sample(self) -> None:
        held = sum(_memory(process) for process in self._parts[self._watched])
        self._peak = max(self._peak, held)

    def since(self, mark: Mapping[str, float]) -> Cost:
        self.sample()
        return Cost({name: now - mark[name] for name, now in self.mark().items()}, self._peak)

    def hold(self) -> None:
        """Stop what is watched where it is."""
        for process in self._parts[self._watched]:
            process.suspend()

    def let_go(self) -> None:
        for process in self._parts[self._watched]:
            process.resume()


def _cpu(process: psutil.Process) -> float:
    """User and system time, of children that have ended too."""
    seconds = 0.0
    with suppress(psutil.NoSuchProcess):
        used = process.cpu_times()
        seconds += used.user + used.system + used.children_user + used.children_system
        for child in process.children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                used = child.cpu_times()
                seconds += used.user + used.system
    return seconds


def _memory(process: psutil.Process) -> int:
    held = 0
    with suppress(psutil.NoSuchProcess):
        for one in (process, *process.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                held += one.memory_info().rss
    return held
