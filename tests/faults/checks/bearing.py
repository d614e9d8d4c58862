"""What processes take, and what they say when they end."""

from collections.abc import Iterator

from tests.faults.anomaly import Anomaly, Kind, short
from tests.faults.history import LOAD_BEGAN, History, Line

LOSING = ("topic made anew", "log cut")
"""What is noted when a log is lost that was read."""
DELETED = "topic deleted"
"""What is noted before: who reads it may end before the topic is made anew and that is noted."""


def told(history: History) -> Iterator[Anomaly]:
    """What was done to the system is noted, and what came of each log that was lost: of nothing, nothing is found."""
    is_to_be_noted = "words" not in history.lacking  # earlier releases did not
    if is_to_be_noted and all(line["what"] != LOAD_BEGAN for line in history.nemesis):
        yield Anomaly(Kind.STUCK, "the load", "it is not noted that it began")
    seen = {loss.get("topic") for loss in history.losses}
    for topic in sorted({line["name"] for line in history.nemesis if line["what"] in LOSING} - seen):
        yield Anomaly(Kind.SILENT, topic, "was lost, and what those who read it said of that is not noted")


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


NEEDING = {
    "kafka": ("membership", "convenings", "metrics"),
    "mongo": ("membership", "convenings", "metrics", "gateway"),
}
"""Engine -> the services that are not ready without it."""
TO_DO = "see whether it runs and, where it ended by itself, what its log says"


def explained(history: History) -> Iterator[Anomaly]:
    """An engine whose disk is full ends with the cause and the remedy, and who needs it names it and where to look."""
    for engine, lines in _while_full(history):
        ends = [line for line in lines if line.get("name") == engine and line["what"].startswith(("ended", "died"))]
        for end in ends:
            if "Too little room" not in end["why"] or "make room" not in end["remedy"]:
                yield Anomaly(Kind.UNEXPLAINED, engine, f"it ended, and this was told: {end['why']} {end['remedy']}")
        parts = [part for line in lines for part in line.get("parts", ())]
        told = [(part["name"], part["waiting_for"] or "") for part in parts]
        # when somebody looked: it may be back soon
        was_away = any(part["name"] == engine and not part["ready"] for part in parts)
        for service in NEEDING[engine]:
            words = {why for name, why in told if name == service and why}
            for why in sorted(words):
                if engine not in why.lower():
                    yield Anomaly(Kind.UNEXPLAINED, service, f"it was not ready without {engine}, and said: {why}")
            if ends and was_away and not any(TO_DO in why for why in words):
                yield Anomaly(Kind.UNEXPLAINED, service, f"it never said what to do without {engine}: {sorted(words)}")


def _while_full(history: History) -> Iterator[tuple[str, list[Line]]]:
    """The engines whose disk was full, and what was noted meanwhile."""
    engine, lines = "", list[Line]()
    for line in history.nemesis:
        if line["what"] == "disk filled":
            engine, lines = line["engine"], []
        elif line["what"] == "disk emptied":
            yield engine, lines
        lines.append(line)
