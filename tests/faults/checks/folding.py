"""What metrics holds is what the facts give."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from shared.events.fact import MAX_FACT_BYTES
from tests.faults.anomaly import Anomaly, Kind, position_of, short, versions_of
from tests.faults.history import COULD_NOT_PLANT, History, Line
from tests.faults.recompute import Figures, community_figures, days_of, innovation_figures, named
from tests.faults.records import filled, kept

IN_A_LETTER = ("key", "value", "headers")


def folded(history: History) -> Iterator[Anomaly]:
    """Every fact is in exactly one record, once, a merge in those of both; and nothing else is."""
    times = Counter(position for record in history.records for position in record["positions"])
    expected = {position_of(fact): _is_of_both(fact) + 1 for fact in facts_of(history)}
    for position, count in sorted(expected.items()):
        if times[position] < count:
            yield Anomaly(Kind.UNSEEN, position, f"is in {times[position] or 'no'} record")
    for position, count in sorted(times.items()):
        if position not in expected:
            yield Anomaly(Kind.PHANTOM, position, "is in a record, and not in events")
        elif count > expected[position]:
            yield Anomaly(Kind.DUPLICATE, position, f"is in records {count} times")


def seen(history: History) -> Iterator[Anomaly]:
    heads = {line["stream"]: line for line in history.heads}
    for stream, versions in versions_of(facts_of(history)).items():
        head = heads.get(stream, {"head": 0, "missing": []})
        gaps = sorted(set(range(1, versions[-1])) - set(versions))
        if (head["head"], head["missing"]) != (versions[-1], gaps):
            what = f"head {head['head']}, missing {short(head['missing'])}"
            yield Anomaly(Kind.UNSEEN, stream, f"metrics has {what}; it should be {versions[-1]}, {short(gaps)}")


def kept_as_said(history: History) -> Iterator[Anomaly]:
    """The records say what their facts say."""
    of_scope: defaultdict[str, list[Line]] = defaultdict(list)
    for line in facts_of(history):
        of_scope[line["stream"].partition("/")[2]].append(line)
    for record in history.records:
        if "seen" in record and record["seen"] != (last := _last(record["positions"])):
            yield Anomaly(Kind.WRONG, record["id"], f"it has seen {record['seen']}, and its facts are up to {last}")
    values = {record["id"]: record["value"] for record in history.records if "value" in record}
    for scope, facts in of_scope.items():
        for id, expected in kept(scope, facts).items():
            held = filled(values.get(id, expected))
            unlike = [name for name in sorted(held.keys() | expected.keys()) if held.get(name) != expected.get(name)]
            if unlike:
                what = "; ".join(f"{name} {held.get(name)}, not {expected.get(name)}" for name in unlike)
                yield Anomaly(Kind.WRONG, id, f"it says {what}"[:400])


def counted(history: History) -> Iterator[Anomaly]:
    """The figures at each day are those that the facts give, counted once more."""
    facts: defaultdict[str, list[Line]] = defaultdict(list)
    for line in facts_of(history):
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


def buried(history: History) -> Iterator[Anomaly]:
    """What is no fact is a dead letter, as it was but for what is said to be left out, and nothing else is."""
    dead = {_where(line): line for line in history.dead}
    no_facts = {_where(line): line for line in history.planted if not line["is_fact"]}
    for place, line in no_facts.items():
        if place not in dead:
            yield Anomaly(Kind.LOST, f"{place}", f"{line['what']} did not become a dead letter")
        elif unlike := [name for name in IN_A_LETTER if _is_unlike(name, line, dead[place])]:
            what = f"the dead letter of {line['what']} is not as it was: {', '.join(unlike)}"
            yield Anomaly(Kind.LOST, f"{place}", what)
    if any(line["what"] == COULD_NOT_PLANT for line in history.nemesis):
        return  # what was sent may be there, and where is not known
    for place, line in dead.items():
        if place not in no_facts:
            yield Anomaly(Kind.PHANTOM, f"{place}", f"became a dead letter: {line['reason']}")


def _is_unlike(name: str, planted: Line, dead: Line) -> bool:
    """Earlier releases noted the places only. A value that is longer than any fact may be left out."""
    is_noted = name in planted and name in dead
    if is_noted and name == "value" and planted.get("bytes", 0) > MAX_FACT_BYTES:
        return bool(dead["left_out"] != "value")
    return is_noted and bool(planted[name] != dead[name])


def _where(line: Line) -> tuple[str, int, int]:
    return line["topic"], line["partition"], line["offset"]


def facts_of(history: History) -> list[Line]:
    """What metrics must have folded: the services' facts, and those that the suite planted."""
    planted = {position_of(line): line for line in history.planted if line["is_fact"]}
    on_record = {position_of(event) for event in history.events}
    return [*history.events, *(line for position, line in planted.items() if position not in on_record)]


def _is_of_both(fact: Line) -> bool:
    return named(fact) == "person-merged" and "/community." in fact["stream"]


def _last(positions: Sequence[str]) -> dict[str, int]:
    """Topic -> the last version: what comes below it is late, and has its record folded again."""
    last: dict[str, int] = {}
    for position in positions:
        stream, _, version = position.rpartition("@")
        topic = stream.partition("/")[0]
        last[topic] = max(int(version), last.get(topic, 0))
    return last


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
