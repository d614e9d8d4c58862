"""Ends the process when it has been silent for too long: a thread, since the event loop may be what has stopped."""

import faulthandler
import os
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from types import TracebackType
from typing import Self

import structlog

log = structlog.get_logger(__name__)

LOOK_EVERY_S = 1.0
EXIT_CODE = 70  # EX_SOFTWARE: its supervisor starts it again
FLUSHED_WITHIN_S = 5.0
SILENCE = "the event loop does not turn"


def end_process(reason: str) -> None:
    """End it for certain, even where the log can no longer be written."""
    certain = threading.Timer(FLUSHED_WITHIN_S, os._exit, [EXIT_CODE])
    certain.daemon = True
    certain.start()
    log.critical("worker.stuck", reason=reason, remedy="it ends, to be started again; the stacks are on stderr")
    faulthandler.dump_traceback(file=sys.stderr, all_threads=True)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(EXIT_CODE)


class Watchdog:
    """Waits to be told that all is well, and ends the process where that is not said for `patience`.

    It counts its own looks and not the clock, so that a process that was stopped and goes on is not ended for it.
    """

    def __init__(self, patience: timedelta, end: Callable[[str], None] = end_process) -> None:
        self._most_looks = max(patience.total_seconds() / LOOK_EVERY_S, 1)
        self._end = end
        self._looks = 0
        self._worry = SILENCE
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def all_is_well(self) -> None:
        """There is nothing to do, or something was done."""
        self._looks, self._worry = 0, SILENCE

    def worry(self, about: str) -> None:
        """It turns, and yet something is wrong: what to say if that lasts."""
        self._worry = about

    @property
    def silent_s(self) -> float:
        return self._looks * LOOK_EVERY_S

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()

    def _watch(self) -> None:
        while not self._over.wait(LOOK_EVERY_S):
            self._looks += 1
            if self._looks >= self._most_looks:
                self._end(self._worry)
                return
