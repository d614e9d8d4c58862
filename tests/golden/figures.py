"""A history as it is kept, and the records and figures that the present code makes of it."""

import gzip
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from shared.events.fact import Recorded
from shared.kafka import Record, decode, encode
from shared.measures.feedback import nps
from shared.measures.participation import in_order, retention
from shared.measures.united import united
from shared.views.records import RECORDS, ConveningRecord, ParticipationRecord
from shared.views.records import Record as Kept
from tests.builders import OnKafka
from tests.golden.known import Figures
from tests.unit.metrics.test_fold_laws import Memory, remembered

DAYS = ("2018-12-31", "2019-02-28", "2019-12-31", "2020-02-03", "2020-02-16", "2020-02-29", "2020-12-31", "2021-12-31")
LAST = DAYS[-1]
BATCHES = (1, 3, 20, 60)
"""Facts in a batch, in turn: the sizes must not matter."""

Line = dict[str, Any]
"""A record on Kafka as it is kept: topic, key, headers, value."""


def write_facts(path: Path, facts: Iterable[Recorded]) -> None:
    with path.open("wb") as raw, gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0) as file:
        for fact in facts:
            message = encode(fact)
            headers = {name: value.decode() for name, value in message.headers}
            line = {"topic": message.topic, "key": message.key.decode(), "headers": headers}
            file.write(json.dumps({**line, "value": message.value.decode()}).encode() + b"\n")


def read_facts(path: Path) -> list[Line]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def replayed(lines: Sequence[Line]) -> Memory:
    """What the present code keeps of them."""
    facts, batches = [decode(_record(line, offset)) for offset, line in enumerate(lines)], list[list[Recorded]]()
    while facts:
        size = BATCHES[len(batches) % len(BATCHES)]
        batches.append(facts[:size])
        facts = facts[size:]
    return remembered(batches)


def records_of(memory: Memory) -> dict[str, Kept]:
    """By id."""
    return {id: held.record for id, held in memory.held.items()}


def figures_of(memory: Memory) -> Figures:
    return {
        "sums": {day: _sums(memory, day) for day in DAYS},
        "retention": _retention(memory),
        "nps": _nps(memory),
        "distinct-participants": len({p.person_id for p in _people(memory) if p.attended}),
        "records": dict(sorted(Counter(held.record.kind for held in memory.held.values()).items())),
    }


def _record(line: Line, offset: int) -> Record:
    headers = tuple((name, value.encode()) for name, value in line["headers"].items())
    return OnKafka(line["topic"], 0, offset, line["key"].encode(), line["value"].encode(), headers)


def _records(memory: Memory, kind: type[Any]) -> list[Any]:
    return [held.record for held in memory.held.values() if isinstance(held.record, kind)]


def _people(memory: Memory) -> list[ParticipationRecord]:
    return united(_records(memory, ParticipationRecord))


def _sums(memory: Memory, day: str) -> Figures:
    told = Counter[tuple[str, str, str]]()
    for place, days in memory.sums.items():
        told[place.scope, place.measure, place.key] += sum(delta for on, delta in days.items() if on <= day)
    found: Figures = {}
    for (scope, measure, key), value in sorted(told.items()):
        if value:
            found.setdefault(scope, {}).setdefault(measure, {})[key] = value
    return found


def _communities(memory: Memory) -> list[str]:
    return sorted({record.community_id for record in _records(memory, RECORDS["community"])})


def _retention(memory: Memory) -> Figures:
    found: Figures = {}
    for id in _communities(memory):
        held = in_order([c for c in _records(memory, ConveningRecord) if c.community_id == id], LAST)
        people = [p for p in _people(memory) if p.community_id == id]
        shares = retention(held, people)
        found[f"community.{id}"] = {convening: [one.share, one.stayed] for convening, one in shares.items()}
    return found


def _nps(memory: Memory) -> Figures:
    found: Figures = {}
    for id in _communities(memory):
        given = [r.answers.get("recommend") for r in _records(memory, RECORDS["response"]) if r.community_id == id]
        answers = Counter(answer for answer in given if answer is not None)
        points, interval, n = nps(answers)
        found[f"community.{id}"] = [points, list(interval or ()), n]
    return found
