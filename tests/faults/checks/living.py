"""Who ends was ended, or has cause to end."""

from collections.abc import Iterator

from tests.faults.anomaly import Anomaly, Kind
from tests.faults.checks.bearing import LOSING
from tests.faults.history import History


def lived(history: History) -> Iterator[Anomaly]:
    """Nobody ends by itself but an engine whose disk was filled, and who reads a log that was lost and says so."""
    armed, filled, is_lost = set[str](), set[str](), False
    for line in history.nemesis:
        match line["what"]:
            case "started":
                (armed.add if "fail" in line else armed.discard)(line["name"])
            case "disk filled":
                filled.add(line["engine"])
            case what if what in LOSING:
                is_lost = True
            case "ended by itself" | "died before it was ready" if line["name"] not in armed | filled:
                last = str((line["log"] or [line["why"]])[-1])
                if not (is_lost and "praxis refill" in last):
                    yield Anomaly(Kind.DIED, line["name"], f"it ended, and nobody had struck it: {last[-300:]}")
