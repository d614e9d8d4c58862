"""What is on Kafka is what is in `events`, in order and in time."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import dropwhile

from tests.faults.anomaly import Anomaly, Kind, position_of, short
from tests.faults.history import LOAD_BEGAN, History, Line, digest
from tests.faults.spread import partition_of

MOST_COPIES = 3
"""A failure that nothing tells of may repeat a fact once."""
TRIED_AGAIN = ("not enough replicas", "leader not available")
"""Errors after which a producer sends again by itself, and Kafka takes it once."""
UNDISTURBED = ("load ", "discarded", "copied", "gave up a transaction", "looked")
"""How notes begin of what gives a relay no cause to repeat anything."""


def carried(history: History) -> Iterator[Anomaly]:
    """All facts are on Kafka at least once, the same ones, their first occurrences in version order."""
    on_record = {position_of(event): event for event in history.events}
    first: defaultdict[str, list[int]] = defaultdict(list)
    carried: set[str] = set()
    planted = _planted(history)
    # a log that was lost comes before the one that was made in its place
    in_order = sorted(history.kafka, key=lambda line: (line.get("log", 0), *_place(line)))
    for line in in_order:
        if _place(line) in planted:
            continue
        position = position_of(line)
        if position not in on_record:
            yield Anomaly(Kind.PHANTOM, position, "is on Kafka, and not in events")
        elif unlike := _unlike(line, on_record[position]):
            yield Anomaly(Kind.PHANTOM, position, f"is another fact on Kafka than in events: {', '.join(unlike)}")
        if position not in carried:
            carried.add(position)
            first[line["stream"]].append(line["version"])
    for stream, versions in first.items():
        if versions != sorted(versions):
            yield Anomaly(Kind.REORDERED, stream, f"its facts came to Kafka as {short(versions)}")
    for position in sorted(on_record.keys() - carried):
        yield Anomaly(Kind.LOST, position, "is in events, and never came to Kafka")


def together(history: History) -> Iterator[Anomaly]:
    """All facts of one key stand in the partition where it belongs, whatever their topics: one worker reads them all.
    Earlier releases did not say how many there are: there it belongs where most are.
    """
    of = history.about.get("partitions")
    planted = _planted(history)
    partitions: defaultdict[str, Counter[int]] = defaultdict(Counter)
    for line in history.kafka:
        if _place(line) not in planted:
            partitions[line["stream"].partition("/")[2]][line["partition"]] += 1
    for key, counts in sorted(partitions.items()):
        right = partition_of(key.encode(), of) if of else counts.most_common(1)[0][0]
        if elsewhere := sorted(counts.keys() - {right}):
            what = f"{counts.total() - counts[right]} of {counts.total()} facts are in {short(elsewhere)}"
            yield Anomaly(Kind.MISPLACED, key, f"{what}, and belong in {right}")


def _planted(history: History) -> set[tuple[str, int, int]]:
    return {_place(line) for line in history.planted}


def _place(line: Line) -> tuple[str, int, int]:
    return line["topic"], line["partition"], line["offset"]


def _unlike(line: Line, event: Line) -> list[str]:
    """What is another on Kafka. Earlier releases kept no digest of the body."""
    expected = {"id": event["id"], "type": event["type"], "digest": digest(event["data"])}
    return [name for name, value in expected.items() if line.get(name, value) != value]


def once(history: History) -> Iterator[Anomaly]:
    """Nothing is sent again and again while nothing has failed but what a producer tries again by itself. What the
    suite itself copied was not sent by a relay.
    """
    since_it_began = dropwhile(lambda line: line["what"] != LOAD_BEGAN, history.nemesis)
    if not all(map(_is_undisturbed, since_it_began)):
        return
    planted = _planted(history)
    copies = Counter(position_of(line) for line in history.kafka if _place(line) not in planted)
    copied = Counter(
        position for line in history.nemesis if line["what"] == "copied" for position in line.get("of", ())
    )
    for position, count in sorted(copies.items()):
        if count > MOST_COPIES + copied[position]:
            yield Anomaly(Kind.DUPLICATE, position, f"came to Kafka {count} times, and nothing had failed")


def _is_undisturbed(line: Line) -> bool:
    if line["what"] == "partition refused":
        return line["error"] in TRIED_AGAIN and line["others_within"] is not None
    return str(line["what"]).startswith(UNDISTURBED)


def left(history: History) -> Iterator[Anomaly]:
    for line in history.outbox:
        yield Anomaly(Kind.STUCK, line["service"], f"{line['place']} is still in its outbox")


def settled(history: History) -> Iterator[Anomaly]:
    """In time every fact is in the views and with convenings, and every outbox empty."""
    for line in history.nemesis:
        if line["what"] == "never quiet":
            yield Anomaly(Kind.STUCK, "when all had run again for long", line["still"])


def went_on(history: History) -> Iterator[Anomaly]:
    """While Kafka refused one partition, what was acknowledged about things on others came to Kafka all the same."""
    first = _first_places(history)
    for refusal in history.nemesis:
        if refusal["what"] != "partition refused" or refusal["others_within"] is None:
            continue
        ends = {(topic, partition): end for topic, partition, end in refusal["ends"]}
        in_time = refusal["until"] - refusal["others_within"]
        waited, counted = list[str](), 0
        for command in history.acknowledged():
            for position in command["positions"] if refusal["since"] < command["ended"] < in_time else ():
                topic, partition, offset = first.get(position, ("", refusal["partition"], 0))
                if partition != refusal["partition"]:
                    counted += 1
                    waited += [position] if offset >= ends[topic, partition] else []
        if waited:
            what = f"{len(waited)} of {counted} facts waited for partition {refusal['partition']}: {short(waited)}"
            yield Anomaly(Kind.HELD_UP, f"{refusal['error']}", what)


def _first_places(history: History) -> dict[str, tuple[str, int, int]]:
    """Where each fact came to Kafka first: topic, partition and offset. No log is lost where this is asked."""
    first: dict[str, tuple[str, int, int]] = {}
    for line in history.kafka:
        position, place = position_of(line), _place(line)
        first[position] = min(place, first.get(position, place))
    return first
