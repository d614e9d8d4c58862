"""What is in `events` is what was answered, and is passed on to whom it concerns."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from tests.faults.anomaly import Anomaly, Kind, position_of, short, versions_of
from tests.faults.commands import fact
from tests.faults.history import History, Line
from tests.faults.recompute import in_order, named

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


def truly_told(history: History) -> Iterator[Anomaly]:
    """Who is told where facts stand is told of their own: of each that their command makes, and of what goes along."""
    events = {position_of(event): event for event in history.events}
    first: dict[str, str] = {}
    for command in history.acknowledged():
        where = f"{command['call']['method']} {command['call']['path']}"
        own, names = _made(command), _names(command)
        at = {position: events[position] for position in command["positions"] if position in events}
        for made in own if at and len(at) == len(set(command["positions"])) else ():
            if not any(_is_at(event, made) for event in at.values()):
                yield Anomaly(
                    Kind.MISTOLD, where, f"was answered with {short(list(at))}, of which none is {made['type']}"
                )
        for position, event in at.items():
            if own and not any(_is_at(event, made) for made in own) and not _goes_along(event, names):
                yield Anomaly(Kind.MISTOLD, where, f"was answered with {position}, which is another's {event['type']}")
            if position in first:
                yield Anomaly(Kind.MISTOLD, where, f"was answered with {position}, as {first[position]} had been")
            first.setdefault(position, where)


def _made(command: Line) -> list[Line]:
    """With the id that was minted for somebody, where it was."""
    own = list(command["call"]["makes"])
    if "person" in command and command["call"]["path"] == "/v1/people":
        own.append(fact(f"membership/person.{command['person']}", "person-registered"))
    return own


def _is_at(event: Line, made: Line) -> bool:
    return event["stream"] == made["stream"] and _is(event, made)


def _goes_along(event: Line, names: set[str]) -> bool:
    """Whether a command that names these makes this too: what is passed on of a person, or that attendance is known."""
    if named(event) == "attendance-taken":
        return event["data"]["convening_id"] in names
    return "/community." in event["stream"] and named(event) in PASSED_ON and event["data"].get("person_id") in names


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


def in_time(history: History) -> Iterator[Anomaly]:
    """What was acknowledged before something else was sent comes before it in every stream."""
    told: defaultdict[str, list[tuple[Line, list[int]]]] = defaultdict(list)
    for command in history.acknowledged():
        of_stream: defaultdict[str, list[int]] = defaultdict(list)
        for position in command["positions"]:
            stream, _, version = position.rpartition("@")
            of_stream[stream].append(int(version))
        for stream, versions in of_stream.items():
            told[stream].append((command, versions))
    for stream, commands in told.items():
        yield from _in_turn(stream, [one for one in commands if {"began", "ended"} <= one[0].keys()])


def _in_turn(stream: str, commands: list[tuple[Line, list[int]]]) -> Iterator[Anomaly]:
    by_end = sorted(commands, key=lambda one: float(one[0]["ended"]))
    highest, answered = 0, 0
    for command, versions in sorted(commands, key=lambda one: float(one[0]["began"])):
        while by_end[answered][0]["ended"] < command["began"]:
            highest, answered = max(highest, *by_end[answered][1]), answered + 1
        if min(versions) < highest:
            what = f"{min(versions)} was sent after {highest} had been acknowledged"
            yield Anomaly(Kind.REORDERED, stream, what)


def apart(history: History) -> Iterator[Anomaly]:
    """No two facts have the same id, and none of a stream was recorded earlier than the one before it."""
    last: dict[str, Line] = {}
    by_id: dict[str, Line] = {}
    for event in in_order(history.events):
        before, twin = last.get(event["stream"], {}), by_id.setdefault(event["id"], event)
        if event.get("recorded_at", "Z") < before.get("recorded_at", ""):
            what = f"was recorded at {event['recorded_at']}, and the one before it at {before['recorded_at']}"
            yield Anomaly(Kind.REORDERED, position_of(event), what)
        if twin is not event:
            yield Anomaly(Kind.DUPLICATE, position_of(event), f"has the id of {position_of(twin)}: {event['id']}")
        last[event["stream"]] = event


def numbered(history: History) -> Iterator[Anomaly]:
    """The facts of a stream are numbered 1, 2, 3 … in `events`."""
    for stream, versions in versions_of(history.events).items():
        if versions != list(range(1, len(versions) + 1)):
            yield Anomaly(Kind.LOST, stream, f"its versions in events have a gap or repeat: {short(versions)}")


def _names(command: Line) -> set[str]:
    """What a command names, in its address or beside it."""
    return {*command["call"]["path"].split("/"), command["call"].get("body", {}).get("into_id", "")}


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
