"""A run's history: what was done, answered and found, as lines of JSON in a folder that can be checked again."""

import hashlib
import json
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Line = dict[str, Any]

ABOUT = "about.json"
BROKE_OFF = "broke off"
"""Noted of a run that came to no end: nothing was read then of what it wrote."""
COULD_NOT_PLANT = "could not plant"
LOAD_BEGAN = "load began"
PARTS = (
    "commands",
    "reads",
    "nemesis",
    "planted",
    "events",
    "kafka",
    "dead",
    "records",
    "sums",
    "heads",
    "outbox",
    "losses",
    "words",
)
ADDED = ("words",)
"""Those that histories of earlier releases lack."""


@dataclass
class History:
    """In memory while it is made or checked.

    commands  key, call, began, ended, outcome (acknowledged, refused, failed, unknown), positions, refusal; given_up,
              where it was sent until the load was given up; else an unknown one was left alone by chance
    reads     after, shows, status, found: reads with `Praxis-After` while faults happened; given_up, as above
    nemesis   at, what: what was done to the system, and when the load began, paused, went on and ended; missed, where
              that did not come about
    planted   what the suite itself put on the topics: records that are facts, and records that are none
    events    the services' own facts      kafka, dead   records on the topics, with a digest of their bodies
    records   id, kind, scope, positions, seen, value         sums, heads   as metrics holds them
    outbox    what was left to be relayed
    losses    reader, topic, how, said, went_back, changed: topics that were lost, and what came of it
    words     person, what, holds: what membership keeps of people and is in no fact (names, references, receipts)
    lacking   the parts that a history of an earlier release has no file of; one that is empty is none of them
    """

    about: Line = field(default_factory=dict)
    commands: list[Line] = field(default_factory=list)
    reads: list[Line] = field(default_factory=list)
    nemesis: list[Line] = field(default_factory=list)
    planted: list[Line] = field(default_factory=list)
    events: list[Line] = field(default_factory=list)
    kafka: list[Line] = field(default_factory=list)
    dead: list[Line] = field(default_factory=list)
    records: list[Line] = field(default_factory=list)
    sums: list[Line] = field(default_factory=list)
    heads: list[Line] = field(default_factory=list)
    outbox: list[Line] = field(default_factory=list)
    losses: list[Line] = field(default_factory=list)
    words: list[Line] = field(default_factory=list)
    lacking: frozenset[str] = frozenset()

    def note(self, what: str, **more: Any) -> None:
        self.nemesis.append({"at": time.time(), "what": what, **more})

    def miss(self, what: str, **more: Any) -> None:
        """Note something that was to be done to the system, and did not come about."""
        self.note(what, missed=True, **more)

    def missed(self) -> Sequence[Line]:
        return [line for line in self.nemesis if line.get("missed")]

    def acknowledged(self) -> Sequence[Line]:
        return [command for command in self.commands if command["outcome"] == "acknowledged"]

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ABOUT).write_text(json.dumps(self.about, indent=1))
        for part in (part for part in PARTS if part not in self.lacking):
            (folder / f"{part}.jsonl").write_text(_lines(getattr(self, part)))

    @classmethod
    def load(cls, folder: Path) -> "History":
        lacking = frozenset(part for part in ADDED if not (folder / f"{part}.jsonl").exists())
        parts: dict[str, list[Line]] = {
            part: [json.loads(line) for line in (folder / f"{part}.jsonl").read_text().splitlines()]
            for part in PARTS
            if part not in lacking
        }
        return cls(json.loads((folder / ABOUT).read_text()), **parts, lacking=lacking)


def digest(body: Any) -> str:
    """The same for the same JSON, in whatever order its names come."""
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:16]


def how_often(statuses: Iterable[int | None]) -> str:
    """How often something was answered, and how."""
    return ", ".join(f"{count} times {status or 'nothing'}" for status, count in Counter(statuses).items())


def _lines(lines: Iterable[Line]) -> str:
    return "".join(json.dumps(line, default=str) + "\n" for line in lines)
