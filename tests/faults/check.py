"""The checker: compares a history with itself, and says in Jepsen's words what is wrong with it.

python -m tests.faults.check FOLDER
"""

import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from tests.faults.history import History, Line
from tests.faults.recompute import Figures, community_figures, days_of, innovation_figures, kept, named


class Kind(StrEnum):
    LOST = "lost write"
    """Acknowledged, and not there."""
    DUPLICATE = "duplicate"
    UNSEEN = "unseen"
    """On record with its service, and not in the views although all is quiet."""
    REORDERED = "reordered"
    STALE = "stale read"
    """A read with `Praxis-After` did not show what it builds on."""
    PHANTOM = "phantom"
    """It is there, and nobody asked for it, or was told that it is."""
    WRONG = "wrong figure"
    """Or a record from which figures are counted."""
    SILENT = "silent loss"
    """Somebody read on in a log that is not the one that was read, or did not say what to do."""
    FAILED = "failed"
    """Answered with an unexpected error (500) where nothing was to fail."""
    GROWN = "grown"
    """A process took more memory than it may."""
    STUCK = "stuck"
    """Still on its way although all is quiet."""


@dataclass(frozen=True)
class Anomaly:
    kind: Kind
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.where}: {self.what}"


def check(history: History) -> list[Anomaly]:
    """Everything that is wrong, in the order in which a fact goes its way; an empty list as a rule."""
    parts = (
        _recorded,
        _kept_small,
        _accounted_for,
        _numbered,
        _passed_on,
        _carried,
        _left,
        _folded,
        _seen,
        _kept,
        _counted,
        _read,
        _buried,
        _stopped,
    )
    return [anomaly for part in parts for anomaly in part(history)]


def _position(line: Line) -> str:
    return f"{line['stream']}@{line['version']}"


def _is(event: Line, made: Line) -> bool:
    said = made["data"].items()
    return event["type"] == made["type"] and all(event["data"].get(name) == value for name, value in said)


def _recorded(history: History) -> Iterator[Anomaly]:
    """Every acknowledged command's facts are in `events` once; a refused one's never; another's at most once."""
    by_kind: defaultdict[tuple[str, str], list[Line]] = defaultdict(list)
    for event in history.events:
        by_kind[event["stream"], event["type"]].append(event)
    positions = {_position(event) for event in history.events}
    for command in history.commands:
        where = f"{command['call']['method']} {command['call']['path']}"
        outcome = command["outcome"]
        for position in set(command["positions"]) - positions:
            yield Anomaly(Kind.LOST, where, f"was answered with {position}, which is not in events")
        for made in command["call"]["makes"]:
            times = sum(_is(event, made) for event in by_kind[made["stream"], made["type"]])
            if times > 1:
                yield Anomaly(Kind.DUPLICATE, where, f"{made['type']} is in events {times} times")
            elif outcome == "acknowledged" and not times:
                yield Anomaly(Kind.LOST, where, f"{made['type']} is not in events")
            elif outcome in ("refused", "failed") and times:
                yield Anomaly(Kind.PHANTOM, where, f"{made['type']} is in events although it was {outcome}")
        if outcome == "failed" and not command.get("spoilt"):
            yield Anomaly(Kind.FAILED, where, "was answered as an unexpected error, and it was not the one to fail")
        elif outcome == "acknowledged" and command.get("spoilt"):
            yield Anomaly(Kind.PHANTOM, where, "was acknowledged although it could not be carried out")


def _kept_small(history: History) -> Iterator[Anomaly]:
    """Where memory was watched, it stayed below what was allowed."""
    largest: dict[str, Line] = {}
    for line in history.nemesis:
        if line["what"] == "memory" and line["mb"] > max(line["most"], largest.get(line["name"], {"mb": 0})["mb"]):
            largest[line["name"]] = line
    for name, line in largest.items():
        yield Anomaly(Kind.GROWN, name, f"took {line['mb']} MB, and should take no more than {line['most']} MB")


def _accounted_for(history: History) -> Iterator[Anomaly]:
    """Every fact follows from a command that was acknowledged or whose answer was never heard."""
    told = {position for command in history.acknowledged() for position in command["positions"]}
    unheard: defaultdict[tuple[str, str], list[Line]] = defaultdict(list)
    passed_on = set()
    people_unheard = 0
    for command in history.commands:
        for made in command["call"]["makes"]:
            if command["outcome"] == "unknown":
                unheard[made["stream"], made["type"]].append(made)
            if command["outcome"] not in ("refused", "failed") and named(made) in PASSED_ON:
                passed_on.add((made["type"], _whose(made)))
        people_unheard += command["call"]["path"] == "/v1/people" and command["outcome"] == "unknown"
    for event in history.events:
        if _position(event) in told:
            continue
        if "/community." in event["stream"] and (event["type"], _whose(event)) in passed_on:
            continue  # passed on to a community that knows the person
        if named(event) == "person-registered" and people_unheard:
            people_unheard -= 1
        elif not any(_is(event, made) for made in unheard[event["stream"], event["type"]]):
            yield Anomaly(Kind.PHANTOM, _position(event), f"{event['type']} follows from no command that was answered")


def _numbered(history: History) -> Iterator[Anomaly]:
    """The facts of a stream are numbered 1, 2, 3 … in `events`."""
    for stream, versions in _versions(history.events).items():
        if versions != list(range(1, len(versions) + 1)):
            yield Anomaly(Kind.LOST, stream, f"its versions in events have a gap or repeat: {_short(versions)}")


PASSED_ON = ("affiliation-began", "affiliation-ended", "person-merged", "person-erased")


def _whose(line: Line) -> str:
    """What tells one that is passed on from others of its type."""
    return str(line["data"].get("affiliation_id") or line["data"].get("person_id"))


def _passed_on(history: History) -> Iterator[Anomaly]:
    """What concerns a person is in the streams of the communities that know them, of either service, each once. Who
    goes on after a merge is known wherever the other was.
    """
    of_person: defaultdict[str, list[Line]] = defaultdict(list)
    there: Counter[tuple[str, str, str]] = Counter()
    known: set[tuple[str, str]] = set()
    for event in history.events:
        person = event["data"].get("person_id")
        if person is None:
            continue
        if event["stream"] == f"membership/person.{person}":
            if named(event) in PASSED_ON:
                of_person[person].append(event)
        elif "/community." in event["stream"]:
            if named(event) in PASSED_ON:
                there[event["stream"], event["type"], _whose(event)] += 1
            if not named(event).startswith("affiliation"):
                known |= {(event["stream"], id) for id in (person, event["data"].get("into_id")) if id}
    for stream, person in sorted(known):
        for event in of_person[person]:
            times = there[stream, event["type"], _whose(event)]
            if times != 1:
                kind = Kind.DUPLICATE if times else Kind.LOST
                yield Anomaly(kind, stream, f"{_position(event)} was passed on {times} times")


def _carried(history: History) -> Iterator[Anomaly]:
    """All facts are on Kafka at least once, the same ones, their first occurrences in version order."""
    on_record = {_position(event): event["id"] for event in history.events}
    first: defaultdict[str, list[int]] = defaultdict(list)
    carried: set[str] = set()
    planted = {(line["topic"], line["partition"], line["offset"]) for line in history.planted}
    # a log that was lost comes before the one that was made in its place
    in_order = sorted(
        history.kafka, key=lambda line: (line.get("log", 0), line["topic"], line["partition"], line["offset"])
    )
    for line in in_order:
        if (line["topic"], line["partition"], line["offset"]) in planted:
            continue
        position = _position(line)
        if position not in on_record:
            yield Anomaly(Kind.PHANTOM, position, "is on Kafka, and not in events")
        elif line["id"] != on_record[position]:
            yield Anomaly(Kind.PHANTOM, position, "is another fact on Kafka than in events")
        if position not in carried:
            carried.add(position)
            first[line["stream"]].append(line["version"])
    for stream, versions in first.items():
        if versions != sorted(versions):
            yield Anomaly(Kind.REORDERED, stream, f"its facts came to Kafka as {_short(versions)}")
    for position in sorted(on_record.keys() - carried):
        yield Anomaly(Kind.LOST, position, "is in events, and never came to Kafka")


def _left(history: History) -> Iterator[Anomaly]:
    for line in history.outbox:
        yield Anomaly(Kind.STUCK, line["service"], f"{line['place']} is still in its outbox")


def _facts(history: History) -> list[Line]:
    """What metrics must have folded: the services' facts, and those that the suite planted."""
    planted = {_position(line): line for line in history.planted if line["is_fact"]}
    on_record = {_position(event) for event in history.events}
    return [*history.events, *(line for position, line in planted.items() if position not in on_record)]


def _folded(history: History) -> Iterator[Anomaly]:
    """Every fact is in exactly one record, once, a merge in those of both; and nothing else is."""
    times = Counter(position for record in history.records for position in record["positions"])
    expected = {_position(fact): _is_of_both(fact) + 1 for fact in _facts(history)}
    for position, count in sorted(expected.items()):
        if times[position] < count:
            yield Anomaly(Kind.UNSEEN, position, f"is in {times[position] or 'no'} record")
    for position, count in sorted(times.items()):
        if position not in expected:
            yield Anomaly(Kind.PHANTOM, position, "is in a record, and not in events")
        elif count > expected[position]:
            yield Anomaly(Kind.DUPLICATE, position, f"is in records {count} times")


def _is_of_both(fact: Line) -> bool:
    return named(fact) == "person-merged" and "/community." in fact["stream"]


def _seen(history: History) -> Iterator[Anomaly]:
    heads = {line["stream"]: line for line in history.heads}
    for stream, versions in _versions(_facts(history)).items():
        head = heads.get(stream, {"head": 0, "missing": []})
        gaps = sorted(set(range(1, versions[-1])) - set(versions))
        if (head["head"], head["missing"]) != (versions[-1], gaps):
            what = f"head {head['head']}, missing {_short(head['missing'])}"
            yield Anomaly(Kind.UNSEEN, stream, f"metrics has {what}; it should be {versions[-1]}, {_short(gaps)}")


def _kept(history: History) -> Iterator[Anomaly]:
    """The records of people and convenings say what their facts say."""
    of_community: defaultdict[str, list[Line]] = defaultdict(list)
    for line in _facts(history):
        if "/community." in line["stream"]:
            of_community[line["stream"].partition("/")[2]].append(line)
    for record in history.records:
        if "seen" in record and record["seen"] != (last := _last(record["positions"])):
            yield Anomaly(Kind.WRONG, record["id"], f"it has seen {record['seen']}, and its facts are up to {last}")
    held = {record["id"]: _said(record) for record in history.records if "value" in record}
    for facts in of_community.values():
        for id, said in kept(facts).items():
            if id in held and held[id] != said:
                yield Anomaly(Kind.WRONG, id, f"it says {_unlike(held[id], said)}")


def _last(positions: Sequence[str]) -> dict[str, int]:
    """Topic -> the last version: what comes below it is late, and has its record folded again."""
    last: dict[str, int] = {}
    for position in positions:
        stream, _, version = position.rpartition("@")
        topic = stream.partition("/")[0]
        last[topic] = max(int(version), last.get(topic, 0))
    return last


def _said(record: Line) -> Any:
    """The part of a record's value that is counted once more."""
    value = record["value"]
    match record["kind"]:
        case "participation":
            return {
                "memberships": [
                    [one["role"], one["how"], one["joined_on"], one.get("left_on")]
                    for one in value.get("memberships", ())
                ],
                "completed_on": value.get("completed_on"),
                "affiliations": sorted(
                    [one["affiliation_id"], *(one.get(name) for name in ("began_on", "ended_on", "organisation_id"))]
                    for one in value.get("affiliations", ())
                ),
                "registered": {
                    convening: [[one["registered_on"], one.get("withdrawn_on")] for one in registrations]
                    for convening, registrations in value.get("registered", {}).items()
                },
                "attended": value.get("attended", {}),
                "merged": [value.get("merged_into"), sorted(value.get("merged_from", ()))],
                "erased_on": value.get("erased_on"),
            }
        case "convening":
            return [value.get("held_on"), value.get("cancelled_on"), value.get("attendance_known", False)]
        case _:
            return None


def _unlike(held: Any, said: Any) -> str:
    if isinstance(held, dict) and isinstance(said, dict):
        return "; ".join(f"{name} {held[name]}, not {said[name]}" for name in said if held[name] != said[name])[:400]
    return f"{held}, not {said}"


def _counted(history: History) -> Iterator[Anomaly]:
    """The figures at each day are those that the facts give, counted once more."""
    facts: defaultdict[str, list[Line]] = defaultdict(list)
    for line in _facts(history):
        facts[line["stream"].partition("/")[2]].append(line)
    sums: defaultdict[str, list[Line]] = defaultdict(list)
    for line in history.sums:
        sums[line["scope"]].append(line)
    for scope in sorted(facts.keys() | sums.keys()):
        kind = scope.partition(".")[0]
        count = COUNTED.get(kind, _nothing)
        for day in days_of(facts[scope]):
            wrong = _differences(count(facts[scope], day), _held(sums[scope], day))
            if wrong:
                yield Anomaly(Kind.WRONG, f"{scope} at {day}", "; ".join(wrong[:3]))
                break  # the days after it are as wrong


def _nothing(facts: Sequence[Line], day: str) -> Figures:
    return {}


COUNTED = {"community": community_figures, "innovation": innovation_figures}


def _held(sums: Sequence[Line], day: str) -> Figures:
    held: Counter[tuple[str, str]] = Counter()
    for line in sums:
        held[line["measure"], line["key"]] += sum(delta for on, delta in line["days"].items() if on <= day)
    return dict(held)


def _differences(expected: Figures, held: Figures) -> list[str]:
    return [
        f"{' '.join(place)} is {held.get(place, 0)}, not {expected.get(place, 0)}"
        for place in sorted(expected.keys() | held.keys())
        if expected.get(place, 0) != held.get(place, 0)
    ]


def _read(history: History) -> Iterator[Anomaly]:
    for read in history.reads:
        if read["status"] == 200 and not read["fresh"]:
            what = f"after {', '.join(read['after'])} it should show {read['shows']}, it shows {read['found']}"
            yield Anomaly(Kind.STALE, read["path"], what)


def _buried(history: History) -> Iterator[Anomaly]:
    """What is no fact is a dead letter."""
    dead = {(line["topic"], line["partition"], line["offset"]) for line in history.dead}
    for line in history.planted:
        if not line["is_fact"] and (place := (line["topic"], line["partition"], line["offset"])) not in dead:
            yield Anomaly(Kind.LOST, f"{place}", f"{line['what']} did not become a dead letter")


def _stopped(history: History) -> Iterator[Anomaly]:
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
            yield Anomaly(Kind.SILENT, where, f"offsets were set back: {_short(loss['went_back'])}")
        if loss["changed"]:
            yield Anomaly(Kind.WRONG, where, f"{_short(loss['changed'])} changed although nothing was written")


def _versions(lines: Sequence[Line]) -> dict[str, list[int]]:
    versions: defaultdict[str, list[int]] = defaultdict(list)
    for line in lines:
        versions[line["stream"]].append(line["version"])
    return {stream: sorted(found) for stream, found in versions.items()}


def _short(values: Sequence[Any]) -> str:
    return ", ".join(map(str, values)) if len(values) <= 12 else f"{_short(values[:12])} … ({len(values)})"


def main(folder: Path) -> int:
    history = History.load(folder)
    anomalies = check(history)
    print(f"{folder}: {len(history.acknowledged())} commands acknowledged, {len(history.events)} facts")  # noqa: T201
    for anomaly in anomalies:
        print(f"  {anomaly}")  # noqa: T201
    print("  no anomalies" if not anomalies else f"  {len(anomalies)} anomalies")  # noqa: T201
    return 1 if anomalies else 0


if __name__ == "__main__":
    sys.exit(max(main(Path(folder)) for folder in sys.argv[1:]))
