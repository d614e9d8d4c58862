"""What is in `events` is what was answered, and is passed on to whom it concerns."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from tests.faults.anomaly import Anomaly, Kind, position_of, short, versions_of
from tests.faults.history import History, Line
from tests.faults.recompute import named

PASSED_ON = ("affiliation-began", "affiliation-ended", "person-merged", "person-erased")


def recorded(history: History) -> Iterator[Anomaly]:
    """Every acknowledged command's facts are in `events` once; a refused one's never; another's at most once."""
    by_kind: defaultdict[tuple[str, str], list[Line]] = defaultdict(list)
    for event in history.events:
        by_kind[event["stream"], event["type"]].append(event)
    positions = {position_of(event) for event in history.events}
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


def _is(event: Line, made: Line) -> bool:
    said = made["data"].items()
    return event["type"] == made["type"] and all(event["data"].get(name) == value for name, value in said)


def accounted_for(history: History) -> Iterator[Anomaly]:
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
        if position_of(event) in told:
            continue
        if "/community." in event["stream"] and (event["type"], _whose(event)) in passed_on:
            continue  # passed on to a community that knows the person
        if named(event) == "person-registered" and people_unheard:
            people_unheard -= 1
        elif not any(_is(event, made) for made in unheard[event["stream"], event["type"]]):
            yield Anomaly(
                Kind.PHANTOM, position_of(event), f"{event['type']} follows from no command that was answered"
            )


def numbered(history: History) -> Iterator[Anomaly]:
    """The facts of a stream are numbered 1, 2, 3 … in `events`."""
    for stream, versions in versions_of(history.events).items():
        if versions != list(range(1, len(versions) + 1)):
            yield Anomaly(Kind.LOST, stream, f"its versions in events have a gap or repeat: {short(versions)}")


def _whose(line: Line) -> str:
    """What tells one that is passed on from others of its type."""
    return str(line["data"].get("affiliation_id") or line["data"].get("person_id"))


def passed_on(history: History) -> Iterator[Anomaly]:
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
                yield Anomaly(kind, stream, f"{position_of(event)} was passed on {times} times")
