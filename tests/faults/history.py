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
INTERRUPTED = "interrupted"
"""The same, where somebody at the terminal ended it: nothing is wrong with it."""
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
    "probes",
    "views",
)
ADDED = ("words", "probes", "views")
"""Those that histories of earlier releases lack."""


@dataclass
class History:
    """In memory while it is made or checked.

    commands  key, call, began, ended, outcome (acknowledged, refused, failed, unknown), positions, refusal; given_up,
              where it was sent until the load was given up; else an unknown one was left alone by chance; read_back
    probes    how, of, key, call, status, answer: what was sent besides, to be answered in one way only; given_up
    reads     of, after, shows, status, found: reads with `Praxis-After` while faults happened; given_up, as above
    nemesis   at, what: what was done to the system, and when the load began, paused, went on and ended; missed, where
              that did not come about
    planted   what the suite itself put on the topics: records that are facts, and records that are none
    events    the services' own facts      kafka, dead   records on the topics, with a digest of their bodies; dead ones
              and what was planted with key and headers, too
    records   id, kind, scope, positions, seen, value         sums, heads   as metrics holds them
    outbox    what was left to be relayed
    losses    reader, topic, how, said, went_back, changed: topics that were lost, and what came of it; failed, said:
              commands of the operator that did not come to their end
    words     person, what, holds: what membership keeps of people and is in no fact (names, references, receipts)
    views     path, as_at, status, figures: what the public door showed when all was quiet; is_before, of what earlier
              runs had left there
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
    probes: list[Line] = field(default_factory=list)
    views: list[Line] = field(default_factory=list)
    lacking: frozenset[str] = frozenset()

    def note(self, what: str, **more: Any) -> None:
        self.nemesis.append({"at": time.time(), "what": what, **more})

    def miss(self, what: str, **more: Any) -> None:
        """Note something that was to be done to the system, and did not come about."""
        self.note(what, missed=True, **more)

    def missed(self) -> Sequence[Line]:
        return [line for line in self.nemesis if line.get("missed")]

    @property
    def is_interrupted(self) -> bool:
        """Whether somebody ended the run; earlier releases noted that as if it had broken off."""
        return any(
            line["what"] == INTERRUPTED
            or (line["what"] == BROKE_OFF and line["why"].startswith(("CancelledError", "KeyboardInterrupt")))
            for line in self.nemesis
        )

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


def as_it_is(key: bytes | None, value: bytes | None, headers: Iterable[tuple[str, bytes | None]]) -> Line:
    """What a record is, wherever it stands; what is null there is as good as empty."""
    return {
        "key": (key or b"").decode(errors="replace"),
        "value": hashlib.sha256(value or b"").hexdigest()[:16],
        "bytes": len(value or b""),
        "headers": [[name, held.decode(errors="replace")] for name, held in headers if held is not None],
    }


def how_often(statuses: Iterable[int | None]) -> str:
    """How often something was answered, and how."""
    return ", ".join(f"{count} times {status or 'nothing'}" for status, count in Counter(statuses).items())


def _lines(lines: Iterable[Line]) -> str:
    return "".join(json.dumps(line, default=str) + "\n" for line in lines)
