"""Tables in files: which encoding, which headings, and their rows one at a time. Nothing is held but one row."""

import codecs
import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deploy.importing.failures import MappingInvalid, MissingColumns, RowRefused, Unreadable
from deploy.importing.kinds import COLUMNS, Kind
from deploy.importing.mapping import FeedbackReading, Reading

JOINED = " / "
csv.field_size_limit(1024 * 1024)


@dataclass(frozen=True)
class Table:
    """A file that was looked through once: it can be read, and holds the columns that its kind needs."""

    path: Path
    kind: Kind
    reading: Reading
    encoding: str
    headings: tuple[str, ...]
    places: Mapping[str, int]
    """Our column, or the id of a question -> where it stands in a row."""
    rows: int
    ignored: tuple[str, ...] = ()
    """Headings of columns that are not read."""


@dataclass(frozen=True)
class Row:
    """What a row says under our columns; what is empty is not in it."""

    line: int
    values: Mapping[str, str] = field(default_factory=dict)

    def need(self, *columns: str) -> str:
        """The first of these that has a value.

        Raises:
            RowRefused: none has.
        """
        for column in columns:
            if column in self.values:
                return self.values[column]
        raise RowRefused(" or ".join(columns), "it is empty")

    def get(self, column: str) -> str | None:
        return self.values.get(column)


def survey(path: Path, kind: Kind, reading: Reading, *, also: Sequence[str] = ()) -> Table:
    """Look through a file before anything is sent. `also`: columns that it needs beside those of its kind.

    Raises:
        Failure: it cannot be read, is empty, or a column is missing; it names the remedy.
    """
    encoding = reading.encoding or _encoding(path)
    headings: tuple[str, ...] = ()
    count = 0
    for number, (_, cells) in enumerate(_records(path, encoding, reading)):
        if number == 0:
            headings = tuple(cells)
        elif any(cells):
            count += 1
    if not headings:
        raise Unreadable(f"{path} is empty: it has no headings.", "export it again, or leave it out.")
    places = _places(path, kind, reading, headings)
    have = set(places) | set(reading.constants)
    if missing := [*COLUMNS[kind].missing(have), *(column for column in also if column not in have)]:
        together = "  or import the file of convenings with it, which says whose they are" if also else ""
        raise MissingColumns(path, kind, missing, [heading for heading in headings if heading], together)
    read = set(places.values())
    ignored = tuple(heading for place, heading in enumerate(headings) if place not in read)
    return Table(path, kind, reading, encoding, headings, places, count, ignored)


def rows(table: Table) -> Iterator[Row | tuple[int, RowRefused]]:
    """Its rows in their order; a row that is not one comes as the line and what is wrong with it."""
    reading = table.reading
    records = _records(table.path, table.encoding, reading)
    next(records)
    for line, cells in records:
        if not any(cells):
            continue
        if len(cells) > len(table.headings):
            reason = (
                f"the row has {len(cells)} cells, the headings are {len(table.headings)}: is a comma not in quotes?"
            )
            yield line, RowRefused("row", reason)
            continue
        values = dict(reading.constants)
        for column, place in table.places.items():
            text = cells[place] if place < len(cells) else ""
            if text and text not in reading.empty:
                values[column] = reading.values.get(column, {}).get(text, text)
        yield Row(line, values)


def _records(path: Path, encoding: str, reading: Reading) -> Iterator[tuple[int, list[str]]]:
    """The headings, joined from their rows, then every row: the line that it begins on, its cells without margins."""
    begun = 1
    try:
        with path.open(encoding=encoding, newline="") as file:
            reader = csv.reader(file, delimiter=reading.delimiter, strict=True)
            above: list[list[str]] = []
            for record in reader:
                line, begun = begun, reader.line_num + 1
                cells = [cell.strip() for cell in record]
                if len(above) < reading.skip_rows + reading.header_rows:
                    above.append(cells)
                    if len(above) == reading.skip_rows + reading.header_rows:
                        yield line, _join(above[reading.skip_rows :])
                else:
                    yield line, cells
    except OSError as problem:
        raise Unreadable(f"{path} cannot be read: {problem.strerror}.", "check the name.") from None
    except LookupError:
        remedy = "name one that Python knows, as in utf-8 or cp1252."
        raise MappingInvalid(f"There is no encoding '{encoding}'.", remedy) from None
    except UnicodeError as problem:
        remedy = 'say which it is in a mapping file:  [kind]  encoding = "…"'
        raise Unreadable(f"{path} is not text in {encoding}: {problem}.", remedy) from None
    except csv.Error as problem:
        remedy = "open the file there: a quote that is not closed is the usual cause."
        raise Unreadable(f"{path} is not a table from line {begun} on: {problem}.", remedy) from None


def _join(headings: Sequence[Sequence[str]]) -> list[str]:
    """One heading for each column, of all heading rows; one in the first row holds until the next to its right."""
    width = max(map(len, headings))
    padded = [[*cells, *[""] * (width - len(cells))] for cells in headings]
    joined, above = [], ""
    for place in range(width):
        above = padded[0][place] or (above if len(padded) > 1 else "")
        parts = [above, *(cells[place] for cells in padded[1:])]
        joined.append(JOINED.join(part for part in parts if part))
    return joined


def _encoding(path: Path) -> str:
    """UTF-16 by its mark, UTF-8 if all of the file is that, else Windows-1252, as older exports are."""
    try:
        with path.open("rb") as file:
            if file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
                return "utf-16"
            file.seek(0)
            decoder = codecs.getincrementaldecoder("utf-8")()
            while block := file.read(1024 * 1024):
                decoder.decode(block)
            decoder.decode(b"", final=True)
    except OSError as problem:
        raise Unreadable(f"{path} cannot be read: {problem.strerror}.", "check the name.") from None
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8-sig"


def _places(path: Path, kind: Kind, reading: Reading, headings: Sequence[str]) -> dict[str, int]:
    """Where our columns stand: those that the mapping names, then those that are called as ours are.

    Raises:
        MappingInvalid: the mapping names one that is not there, or that may be several.
    """
    known = COLUMNS[kind].known
    if unknown := sorted((set(reading.columns) | set(reading.constants) | set(reading.values)) - known):
        raise MappingInvalid(
            f"The mapping names '{unknown[0]}', but {kind} have no such column.",
            f"they have {', '.join(sorted(known))}.",
        )
    places = {column: _place(path, kind, pattern, headings) for column, pattern in reading.columns.items()}
    for place, heading in enumerate(headings):
        column = re.sub(r"[\s-]+", "_", heading.lower())
        if column in known and column not in places and column not in reading.constants:
            places[column] = place
    if isinstance(reading, FeedbackReading):
        places |= {asked.id: _place(path, kind, asked.column, headings) for asked in reading.questions}
        _leave_nothing_over(path, reading, headings, places)
    return places


def _place(path: Path, kind: Kind, pattern: str, headings: Sequence[str]) -> int:
    found = _matching(pattern, headings)
    if len(found) == 1:
        return found[0]
    how_many = f"{len(found)} columns" if found else "no column"
    raise MappingInvalid(
        f"{path} has {how_many} '{pattern}', which the mapping names. Nothing was sent.",
        f"its headings are: {'; '.join(heading for heading in headings if heading)}",
    )


def _matching(pattern: str, headings: Sequence[str]) -> list[int]:
    expression = re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL)
    return [place for place, heading in enumerate(headings) if expression.fullmatch(heading)]


def _leave_nothing_over(
    path: Path, reading: FeedbackReading, headings: Sequence[str], places: Mapping[str, int]
) -> None:
    """What people answered is neither dropped nor passed on by oversight: every column is accounted for."""
    spoken_for = set(places.values())
    for pattern in reading.ignored:
        spoken_for.update(_matching(pattern, headings))
    over = [heading for place, heading in enumerate(headings) if heading and place not in spoken_for]
    if over:
        raise MappingInvalid(
            f"The mapping does not say what becomes of {len(over)} columns of {path}: {'; '.join(over)}.",
            "make each a question, or list it under ignored.",
        )
