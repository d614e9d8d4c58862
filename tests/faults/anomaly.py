"""What can be wrong with a history, in Jepsen's words."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tests.faults.history import Line


class Kind(StrEnum):
    LOST = "lost write"
    """Acknowledged, and not there."""
    DUPLICATE = "duplicate"
    UNSEEN = "unseen"
    """On record with its service, and not in the views although all is quiet."""
    REORDERED = "reordered"
    MISPLACED = "misplaced"
    """In another partition than its key belongs in: nothing holds it in order."""
    HELD_UP = "held up"
    """What Kafka would have taken waited for what it refused."""
    STALE = "stale read"
    """A read with `Praxis-After` did not show what it builds on."""
    PHANTOM = "phantom"
    """It is there, and nobody asked for it, or was told that it is."""
    WRONG = "wrong figure"
    """Or a record from which figures are counted."""
    SILENT = "silent loss"
    """Somebody read on in a log that is not the one that was read, or did not say what to do."""
    UNEXPLAINED = "unexplained"
    """Somebody ended or was not ready, and did not say why or what to do."""
    REFUSED = "false refusal"
    """Nothing on record speaks against what was commanded."""
    ACCEPTED = "false acceptance"
    """What speaks against it had been acknowledged before it was commanded."""
    SKEW = "write skew"
    """Two were decided at once, of which neither knew the other, and the one speaks against the other."""
    MISTOLD = "false answer"
    """Acknowledged with facts of others, or without its own."""
    FAILED = "failed"
    """Answered with an unexpected error, as 500 is, where nothing was to fail."""
    KEPT = "not forgotten"
    """Something is left of somebody who was erased."""
    DIED = "died"
    """A process ended by itself that nobody had struck."""
    GROWN = "grown"
    """A process took more memory than it may."""
    STUCK = "stuck"
    """Still on its way, or not answered, although all has run again for long."""


@dataclass(frozen=True)
class Anomaly:
    kind: Kind
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.where}: {self.what}"


def position_of(line: Line) -> str:
    return f"{line['stream']}@{line['version']}"


def versions_of(lines: Sequence[Line]) -> dict[str, list[int]]:
    versions: defaultdict[str, list[int]] = defaultdict(list)
    for line in lines:
        versions[line["stream"]].append(line["version"])
    return {stream: sorted(found) for stream, found in versions.items()}


def short(values: Sequence[Any]) -> str:
    return ", ".join(map(str, values)) if len(values) <= 12 else f"{short(values[:12])} … ({len(values)})"
