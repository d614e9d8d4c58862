"""What processes take, and what they say when they end."""

from collections.abc import Iterator

from tests.faults.anomaly import Anomaly, Kind, short
from tests.faults.history import History, Line


def kept_small(history: History) -> Iterator[Anomaly]:
    """Where memory was watched, it stayed below what was allowed."""
    largest: dict[str, Line] = {}
    for line in history.nemesis:
        if line["what"] == "memory" and line["mb"] > max(line["most"], largest.get(line["name"], {"mb": 0})["mb"]):
            largest[line["name"]] = line
    for name, line in largest.items():
        yield Anomaly(Kind.GROWN, name, f"took {line['mb']} MB, and should take no more than {line['most']} MB")


def stopped(history: History) -> Iterator[Anomaly]:
    """Who reads a topic that is lost ends, names the remedy, and leaves everything as it was; the remedy then helps."""
    for loss in history.losses:
        if "failed" in loss:
            yield Anomaly(Kind.STUCK, f"praxis {loss['failed']}", loss["said"][-1])
            continue
        where = f"{loss['reader']}, {loss['topic']}"
        if not loss["said"]:
            yield Anomaly(Kind.SILENT, where, f"it went on although this was {loss['how']}")
        for said in loss["said"]:
            if not all(words in said for words in (loss["topic"], "praxis refill", "praxis rebuild")):
                yield Anomaly(Kind.SILENT, where, f"it ended without a remedy: {said[-300:]}")
        if loss["went_back"]:
            yield Anomaly(Kind.SILENT, where, f"offsets were set back: {short(loss['went_back'])}")
        if loss["changed"]:
            yield Anomaly(Kind.WRONG, where, f"{short(loss['changed'])} changed although nothing was written")
