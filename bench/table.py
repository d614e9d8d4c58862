"""How measurements are shown: what was measured beside what, the ratio, and the aim."""

import statistics
from collections.abc import Sequence
from typing import NamedTuple

from rich.console import Console
from rich.table import Table


class Row(NamedTuple):
    what: str
    measured: str
    ratio: str = ""


class Sheet(NamedTuple):
    """A table; the first column says what a row is of."""

    title: str
    rows: Sequence[Sequence[str]]
    headings: Sequence[str] = ("", "measured", "ratio")


def ratio(value: float, beside: float, unit: str, *, aim: float, at_most: bool = False) -> str:
    """A ratio with its aim, and whether it was reached in this run."""
    found = value / beside
    reached = found <= aim if at_most else found >= aim
    return (
        f"{found:.2f} {unit} (aim {'at most' if at_most else 'at least'} {aim:g}: {'reached' if reached else 'missed'})"
    )


def quantiles(seconds: Sequence[float]) -> str:
    cuts = statistics.quantiles(seconds, n=100)
    return f"p50 {cuts[49] * 1000:.1f} ms, p99 {cuts[98] * 1000:.1f} ms"


def show(sheet: Sheet, console: Console) -> None:
    table = Table(title=sheet.title, title_justify="left")
    for number, heading in enumerate(sheet.headings):
        figures = number and len(sheet.headings) > 3
        table.add_column(heading, justify="right" if figures else "left")
    for row in sheet.rows:
        table.add_row(*row)
    console.print(table)
