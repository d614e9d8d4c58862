"""Reads the ODS reference list, in the column order of ODS's own `etr.csv`."""

import csv
from pathlib import Path

from services.membership.domain.ods import Listed, OdsList

COLUMNS = 27
SHIPPED = Path(__file__).parent / "ods.csv"


class NotAReferenceList(Exception):
    """A file that cannot be read as a reference list: which line, and what is wrong with it."""


def load(more: Path | None = None) -> OdsList:
    """The list that ships with the project, and the operator's in addition.

    Raises:
        NotAReferenceList: a file is not in the order that ODS writes.
    """
    return OdsList([*read(SHIPPED), *(read(more) if more else ())])


def read(path: Path) -> list[Listed]:
    """All rows of one file.

    Raises:
        NotAReferenceList: it is not there, or not in the order that ODS writes.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return [_row(path, number, row) for number, row in enumerate(csv.reader(file), start=1) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as problem:
        raise NotAReferenceList(f"{path} cannot be read as the ODS reference list: {problem}") from None


def _row(path: Path, number: int, row: list[str]) -> Listed:
    code, name = row[0].strip().upper(), row[1].strip() if len(row) > 1 else ""
    if len(row) != COLUMNS or not code.isalnum() or not name:
        raise NotAReferenceList(
            f"{path}, line {number}: expected {COLUMNS} columns without a header, as in ODS's etr.csv, "
            f"beginning with a code and a name; there are {len(row)}, beginning with {row[:2]}"
        )
    return Listed(code, name)
