"""The figures of a history once more, by plain counting that knows nothing of records, contributions and batches."""

import calendar
import json
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from tests.faults import recompute
from tests.golden.figures import DAYS, Line
from tests.golden.known import Figures

Fact = dict[str, Any]
FOR_EVER = "9999-12-31"


def recounted(lines: Sequence[Line]) -> Figures:
    facts = {(fact["stream"], fact["version"]): fact for fact in map(_plain, lines)}
    by_scope = defaultdict[str, list[Fact]](list)
    for fact in facts.values():
        by_scope[fact["stream"].partition("/")[2]].append(fact)
    communities = {scope: about for scope, about in sorted(by_scope.items()) if scope.startswith("community.")}
    into = _merged(facts.values())
    came = {
        recompute.going_on(fact["data"]["person_id"], into)
        for fact in facts.values()
        if recompute.named(fact) == "person-attended"
    }
    return {
        "sums": {day: _sums(by_scope, day) for day in DAYS},
        "retention": {scope: _retention(about) for scope, about in communities.items()},
        "nps": {scope: _nps(about) for scope, about in communities.items()},
        "distinct-participants": len(came),
    }


def _resolved(facts: Sequence[Fact]) -> list[Fact]:
    """The facts as if each had been told of the id that goes on."""
    into = _merged(facts)
    told = list[Fact]()
    for fact in facts:
        if person := fact["data"].get("person_id"):
            fact = {**fact, "data": {**fact["data"], "person_id": recompute.going_on(person, into), "was": person}}
        told.append(fact)
    return told


def _plain(line: Line) -> Fact:
    stated = json.loads(line["value"])
    data = {name: _last_day(name, value) for name, value in stated.items()}
    data["is_coarse"] = len(str(stated.get("joined_on", "2019-01-31"))) < len("2019-01-31")
    headers = line["headers"]
    place = {"stream": headers["ce_subject"], "version": int(headers["ce_sequence"]), "type": headers["ce_type"]}
    return {**place, "data": data}


def _last_day(name: str, value: Any) -> Any:
    """A date that is coarse counts from its last day on."""
    if not (name.endswith(("_on", "_from")) and isinstance(value, str) and re.fullmatch(r"[\d-]{4,10}", value)):
        return value
    year, month, day = (*(int(part) for part in value.split("-")), None, None)[:3]
    month = month or 12
    return f"{year:04d}-{month:02d}-{day or calendar.monthrange(year or 0, month)[1]:02d}"


def _sums(by_scope: Mapping[str, Sequence[Fact]], day: str) -> Figures:
    found: Figures = {}
    for scope, about in sorted(by_scope.items()):
        counted: Mapping[tuple[str, str], int] = {}
        if scope.startswith("community."):
            coarse = {("members", "joined=month-or-year"): _coarsely_joined(_resolved(about), day)}
            counted = {**recompute.community_figures(about, day), **coarse}
        elif scope.startswith("innovation."):
            counted = recompute.innovation_figures(about, day)
        for (measure, key), value in counted.items():
            if value:
                found.setdefault(scope, {}).setdefault(measure, {})[key] = value
    return found


def _merged(facts: Iterable[Fact]) -> dict[str, str]:
    """Into whom each was merged."""
    data = [fact["data"] for fact in facts if recompute.named(fact) == "person-merged"]
    return {one["person_id"]: one["into_id"] for one in data}


def _retention(facts: Sequence[Fact]) -> Figures:
    """Convening -> the share that came to the next one too, and of how many."""
    facts = _resolved(facts)
    held = {
        fact["data"]["convening_id"]: fact["data"]["held_on"]
        for fact in recompute.in_order(facts)
        if recompute.named(fact) == "convening-held"
    }
    taken = {fact["data"]["convening_id"] for fact in facts if recompute.named(fact) == "attendance-taken"}
    came = defaultdict[str, set[str]](set)
    for fact in facts:
        if recompute.named(fact) == "person-attended":
            came[fact["data"]["convening_id"]].add(fact["data"]["person_id"])
    names = sorted(held, key=lambda name: (held[name], name))
    shares: Figures = {names[-1]: [None, 0]} if names else {}
    for convening, following in pairwise(names):
        if convening in taken and following in taken:
            stayed = {person for person in came[convening] if not _has_left(facts, person, held[following])}
            again = len(stayed & came[following])
            shares[convening] = [again / len(stayed) if stayed else None, len(stayed)]
        else:
            shares[convening] = [None, 0]
    return shares


def _has_left(facts: Sequence[Fact], person: str, day: str) -> bool:
    """Whether somebody was a member by a day and is none on it."""
    begun = [span for span in _spans(facts, person) if span.since <= day]
    return bool(begun) and all(span.until <= day for span in begun)


def _coarsely_joined(facts: Sequence[Fact], day: str) -> int:
    """Members of whom only the month or the year is known in which they joined."""
    people = {fact["data"]["person_id"] for fact in facts if recompute.named(fact) == "member-joined"}
    held = {person: [one for one in _spans(facts, person) if one.since <= day < one.until] for person in people}
    return sum(any(one.is_coarse for one in spans) for spans in held.values())


class Span(NamedTuple):
    role: str
    since: str
    is_coarse: bool
    was: str
    """The id it was told of."""
    until: str = FOR_EVER


def _spans(facts: Sequence[Fact], person: str) -> list[Span]:
    """Somebody's memberships."""
    spans: list[Span] = []
    for fact in recompute.in_order(facts):
        data = fact["data"]
        if data.get("person_id") != person:
            continue
        if recompute.named(fact) == "member-joined":
            spans.append(Span(data["role"], data["joined_on"], data["is_coarse"], data["was"]))
        elif recompute.named(fact) == "member-left":
            ended = (data["role"], data["joined_on"], data["was"], FOR_EVER)
            spans = [
                one._replace(until=data["left_on"]) if (one.role, one.since, one.was, one.until) == ended else one
                for one in spans
            ]
    return spans


def _nps(facts: Sequence[Fact]) -> list[Any]:
    """Points, interval and n."""
    scores = [
        int(given["answer"])
        for fact in facts
        if recompute.named(fact) == "response-received"
        for given in fact["data"]["answers"]
        if given["question_id"] == "recommend"
    ]
    if not scores:
        return [None, [], 0]
    n, up, down = len(scores), sum(score >= 9 for score in scores), sum(score <= 6 for score in scores)
    p, q = (up + 0.75) / (n + 3), (down + 0.75) / (n + 3)
    half = 1.96 * math.sqrt((p + q - (p - q) ** 2) / (n + 3))
    interval = [round(100 * max(p - q - half, -1), 1), round(100 * min(p - q + half, 1), 1)]
    return [round(100 * (up - down) / n, 1), interval, n]
