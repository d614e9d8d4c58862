"""`praxis figures`: the achievements, each statement with the figures that it is made of."""

import asyncio
import json
from collections.abc import Sequence
from datetime import timedelta
from itertools import groupby
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from deploy.cli.importing import AsJson, GatewayUrl
from deploy.cli.printing import out
from deploy.client import Gateway, Refused
from deploy.local.failures import Failure

PATIENCE = timedelta(seconds=10)


def figures(
    as_at: Annotated[
        str | None, typer.Option("--as-at", help="The day at whose end they hold; today if left out.", metavar="DAY")
    ] = None,
    *,
    gateway: GatewayUrl,
    as_json: AsJson = False,
) -> None:
    """Print the achievements: every statement with its figures, and what these rest on."""
    show(gateway, as_at=as_at, as_json=as_json)


def show(gateway_url: str, *, as_at: str | None = None, after: Sequence[str] = (), as_json: bool = False) -> None:
    """Print the achievements as at a day, not before they include some positions.

    Raises:
        Failure: the system is away, or the day is none.
    """
    try:
        told = asyncio.run(_achievements(gateway_url, as_at, after))
    except Refused as refused:
        raise Failure(f"There are no figures: {refused.reason}.", "write the day as 2020-12-31.") from None
    if as_json:
        out.print_json(json.dumps(told))
        return
    if not told["achievements"]:
        out.print(f"No achievements as at {told['as_at']}: there are no facts yet that they would be made of.")
    for achievement in told["achievements"]:
        _print(achievement)


async def _achievements(gateway_url: str, as_at: str | None, after: Sequence[str]) -> Any:
    async with Gateway(gateway_url, patience=PATIENCE) as gateway:
        return await gateway.view("/v1/achievements", as_at=as_at, after=after)


def _print(achievement: dict[str, Any]) -> None:
    out.print()
    out.print(Text(achievement["about"]["title"], style="bold"))
    out.print(Text(achievement["text"]))
    if achievement.get("demonstration_on"):
        out.print(Text(f"Demonstration as at {achievement['demonstration_on']}", style="yellow"))
    sheet = Table(box=None, pad_edge=False)
    for column in ("figure", "value", "unit", "n", "unknown", "as at", ""):
        sheet.add_column(column, justify="right" if column in ("value", "n", "unknown") else "left", overflow="fold")
    for figure in achievement["figures"]:
        remarks = ["demonstration"] if figure.get("demonstration_on") else []
        remarks += ["incomplete: facts are missing"] if figure.get("incomplete") else []
        sheet.add_row(
            figure["title"],
            _number(figure["value"]),
            figure["unit"],
            "" if figure.get("n") is None else _number(figure["n"]),
            _number(figure.get("unknown") or 0),
            figure["as_at"],
            "; ".join([*remarks, *figure.get("notes", [])]),
        )
    out.print(sheet)
    _print_parts(achievement.get("parts", []))
    for source in achievement.get("sources", []):
        out.print(Text(f"Source: {source}", style="dim"))


def _print_parts(parts: Sequence[dict[str, Any]]) -> None:
    for heading, of_one in groupby(parts, key=lambda part: part["heading"]):
        sheet = Table(box=None, pad_edge=False)
        sheet.add_column(Text(heading), overflow="fold")
        sheet.add_column("", justify="right")
        sheet.add_column("of", justify="right")
        for part in of_one:
            sheet.add_row(Text(part["label"]), _number(part["value"]), _number(part["of"]))
        out.print(sheet)


def _number(value: float | None) -> str:
    if value is None:
        return "unknown"
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}"
