"""What became of an import: per file what was created, unchanged, refused, and why."""

import csv
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from deploy.importing.files import Table


@dataclass(frozen=True)
class Refusal:
    file: str
    line: int
    field: str
    reason: str


@dataclass
class FileReport:
    """One file. Every row is created, unchanged or refused; a repeated row is an unchanged one."""

    file: str
    kind: str
    encoding: str
    rows: int
    ignored: tuple[str, ...] = ()
    """Columns that were not read."""
    created: int = 0
    unchanged: int = 0
    repeated: int = 0
    """Rows that say what an earlier row of the file said."""
    refusals: list[Refusal] = field(default_factory=list)
    seconds: float = 0.0

    @classmethod
    def of(cls, table: Table) -> "FileReport":
        return cls(str(table.path), table.kind, table.encoding.removesuffix("-sig"), table.rows, table.ignored)

    @property
    def refused(self) -> int:
        return len(self.refusals)

    @property
    def rows_per_second(self) -> float:
        return self.rows / self.seconds if self.seconds else 0.0

    def refuse(self, line: int, field: str, reason: str) -> None:
        self.refusals.append(Refusal(self.file, line, field, reason))

    def as_json(self) -> dict[str, Any]:
        told = {**asdict(self), "refused": self.refused, "rows_per_second": round(self.rows_per_second, 1)}
        return {**told, "seconds": round(self.seconds, 2)}


def write_refusals(path: Path, reports: Iterable[FileReport]) -> int:
    """Write them as CSV (UTF-8 with a mark, as spreadsheets want it); how many there were."""
    count = 0
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("file", "line", "field", "reason"))
        for report in reports:
            for refusal in sorted(report.refusals, key=lambda one: one.line):
                writer.writerow((refusal.file, refusal.line, refusal.field, refusal.reason))
                count += 1
    return count
