"""A run's history: what was done, answered and found, as lines of JSON in a folder that can be checked again."""

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Line = dict[str, Any]

ABOUT = "about.json"
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
)


@dataclass
class History:
    """In memory while it is made or checked.

    commands  key, call, began, ended, outcome (acknowledged, refused, failed, unknown), positions
    reads     after, shows, status, found: reads with `Praxis-After` while faults happened
    nemesis   at, what: what was done to the system; missed, where that did not come about
    planted   what the suite itself put on the topics: records that are facts, and records that are none
    events    the services' own facts      kafka, dead   records on the topics
    records   id, kind, scope, positions, seen, value         sums, heads   as metrics holds them
    outbox    what was left to be relayed
    losses    reader, topic, how, said, went_back, changed: topics that were lost, and what came of it
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
        for part in PARTS:
            (folder / f"{part}.jsonl").write_text(_lines(getattr(self, part)))

    @classmethod
    def load(cls, folder: Path) -> "History":
        parts = {
            part: [json.loads(line) for line in (folder / f"{part}.jsonl").read_text().splitlines()] for part in PARTS
        }
        return cls(json.loads((folder / ABOUT).read_text()), **parts)


def _lines(lines: Iterable[Line]) -> str:
    return "".join(json.dumps(line, default=str) + "\n" for line in lines)
