"""How measurements are shown: what was measured beside what, the ratio, and the aim."""

from collections.abc import Sequence
from typing import NamedTuple

from rich.console import Console
from rich.table import Table


class Row(NamedTuple):
    what: str
    measured: str
    ratio: str = ""


def ratio(value: float, beside: float, unit: str, *, aim: float, at_most: bool = False) -> str:
    """A ratio with its aim, and whether it was reached in this run."""
    found = value / beside
    reached = found <= aim if at_most else found >= aim
    return (
        f"{found:.2f} {unit} (aim {'at most' if at_most else 'at least'} {aim:g}: {'reached' if reached else 'missed'})"
    )


def show(title: str, rows: Sequence[Row]) -> None:
    table = Table(title=title, title_justify="left")
    for heading in ("", "measured", "ratio"):
        table.add_column(heading)
    for row in rows:
        table.add_row(*row)
    Console().print(table)
