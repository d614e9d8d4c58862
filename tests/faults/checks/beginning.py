"""Nothing begins under the id of somebody who was merged or erased: whoever asks for it is refused."""

import math
from collections import defaultdict
from collections.abc import Iterator

from tests.faults.anomaly import Anomaly, Kind, position_of
from tests.faults.history import History, Line
from tests.faults.recompute import in_order, named

BECAME = ("person-merged", "person-erased")
OF_PERSON = "membership/person."


def refused(history: History) -> Iterator[Anomaly]:
    """What needs somebody whose merge or erasure was acknowledged before it was sent makes no fact."""
    became = {what: _acknowledged(history, what) for what in BECAME}
    for command in history.acknowledged():
        for made in command["call"]["makes"] if command["positions"] else ():
            if not made["stream"].startswith("membership/"):  # others hear of it later
                continue
            # who was erased may be said to be so again
            against = BECAME[:1] if named(made) == "person-erased" else BECAME
            for person, what in ((person, what) for person in sorted(_needed(made)) for what in against):
                if person in became[what] and became[what][person] < command["began"]:
                    where = f"{command['call']['method']} {command['call']['path']}"
                    said = f"needs {person}, whose {what} had been acknowledged before it was sent"
                    yield Anomaly(Kind.ACCEPTED, where, said)


def in_turn(history: History) -> Iterator[Anomaly]:
    """In no stream, and at no later time with membership, stands what began after what became of the person."""
    became: defaultdict[str, list[Line]] = defaultdict(list)
    events = in_order(history.events)
    for event in events:
        if named(event) in BECAME:
            became[event["data"]["person_id"]].append(event)
    for event in events:
        for person in sorted(_needed(event)):
            for other in became[person]:
                if _is_after(event, other):
                    what = f"{event['type']} of {person} comes after {position_of(other)}, {other['type']}"
                    yield Anomaly(Kind.SKEW, position_of(event), what)


def _needed(line: Line) -> set[str]:
    """Who must neither have been merged nor erased for this to be made: of a fact, or of what tells it from others."""
    data, (_, is_of_person, person) = line["data"], line["stream"].partition(OF_PERSON)
    match named(line):
        case "member-joined" | "registration-made" | "person-attended":
            return {data["person_id"]}
        case "design-group-met":
            return set(data.get("person_ids", ()))
        case "person-merged" if is_of_person:
            return {person, data["into_id"]}
        case "affiliation-began" | "person-erased" if is_of_person:
            return {person}
        case _:
            return set()  # what had begun may end, and what is passed on began elsewhere


def _acknowledged(history: History, what: str) -> dict[str, float]:
    """Since when it was known of whom."""
    since: dict[str, float] = {}
    for command in history.acknowledged():
        for made in command["call"]["makes"]:
            if named(made) == what and made["stream"].startswith(OF_PERSON):
                person = made["stream"].removeprefix(OF_PERSON)
                since[person] = min(command["ended"], since.get(person, math.inf))
    return since


def _is_after(event: Line, other: Line) -> bool:
    """By the versions of one stream; by the time with membership, which decides no two about one person at once."""
    if event["stream"] == other["stream"]:
        return bool(event["version"] > other["version"])
    if not (event["stream"].startswith("membership/") and other["stream"].startswith(OF_PERSON)):
        return False
    return bool(event.get("recorded_at", "") > other.get("recorded_at", "Z"))
