"""Who ends was ended, or has cause to end."""

from collections.abc import Iterator

from shared import failpoints
from tests.faults.anomaly import Anomaly, Kind
from tests.faults.checks.bearing import DELETED, LOSING
from tests.faults.history import History


def lived(history: History) -> Iterator[Anomaly]:
    """Nobody ends by itself but who says that it is killed at a fail point, an engine whose disk is full, or was when
    it was last started, and who reads a log that was lost and says so.
    """
    full, was_full, is_lost = set[str](), set[str](), False
    for line in history.nemesis:
        match line["what"]:
            case "disk filled":
                full.add(line["engine"])
            case "disk emptied":
                was_full |= full
                full.clear()
            case "started":
                was_full.discard(line["name"])
            case what if what in (DELETED, *LOSING):
                is_lost = True
            case "ended by itself" | "died before it was ready" if line["name"] not in full | was_full:
                last = str((line["log"] or [line["why"]])[-1])
                if not failpoints.was_killed(last) and not (is_lost and "praxis refill" in last):
                    yield Anomaly(Kind.DIED, line["name"], f"it ended, and nobody had struck it: {last[-300:]}")
