"""`praxis import`: records that somebody else kept, from files, through the gateway's commands."""

import asyncio
import json
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table as Sheet
from rich.text import Text

from deploy.cli.printing import err, out
from deploy.client import Gateway
from deploy.importing.dates import DateOrder
from deploy.importing.failures import Unreadable
from deploy.importing.files import Table, survey
from deploy.importing.importer import Importer
from deploy.importing.kinds import Kind
from deploy.importing.mapping import Mapping, read_mapping
from deploy.importing.report import FileReport, write_refusals
from deploy.local.failures import Failure
from deploy.local.settings import Ports

SHOWN = 20  # refusals in the table; all are in --json and --refused


def _usual_gateway() -> str:
    return f"http://127.0.0.1:{Ports.from_environment().gateway}"


GatewayUrl = Annotated[
    str,
    typer.Option(
        "--gateway",
        envvar="PRAXIS_GATEWAY",
        metavar="URL",
        help="Where the gateway listens; where `praxis up` starts it if left out.",
        default_factory=_usual_gateway,
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]


def import_(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="KIND=FILE",
            help=f"Files and what they hold: {', '.join(Kind)}. A file that is called as its kind needs no KIND=.",
        ),
    ],
    source: Annotated[
        str, typer.Option(help="What the source is called: its keys are kept under this name.", metavar="NAME")
    ] = "",
    mapping: Annotated[
        Path | None, typer.Option(help="Which columns and words mean what (TOML).", metavar="FILE.toml")
    ] = None,
    dates: Annotated[DateOrder | None, typer.Option(help="How to read 03/04/2019.")] = None,
    refused: Annotated[
        Path | None, typer.Option(help="Write the rows that were refused there (CSV).", metavar="FILE.csv")
    ] = None,
    at_once: Annotated[int, typer.Option(help="How many commands are in flight.", min=1, max=512)] = 64,
    patience: Annotated[int, typer.Option(help="Seconds to go on trying while the system is away.", min=0)] = 120,
    *,
    gateway: GatewayUrl,
    as_json: AsJson = False,
) -> None:
    """Import communities, people, memberships, convenings, attendances, adoption and feedback from CSV files.

    All files are looked through before anything is sent. It may be run again at any time: what is on record already
    is left unchanged. Exits with 1 if a row was refused.

    praxis import --source kubernetes communities=communities.csv memberships=memberships.csv
    """
    read = read_mapping(mapping) if mapping else Mapping()
    name = source or read.source
    if not name:
        raise typer.BadParameter(
            "say what the source is called: its keys are kept under this name", param_hint="--source"
        )
    tables = surveyed(files, read, dates)
    reports = [FileReport.of(table) for table in tables]
    failure: Failure | None = None
    positions: list[str] = []
    try:
        positions = asyncio.run(_load(tables, reports, name, gateway, timedelta(seconds=patience), at_once))
    except Failure as away:
        failure = away
    except KeyboardInterrupt:
        failure = Failure("Interrupted.", "run the same command again: nothing is recorded twice.")
    if refused is not None:
        write_refusals(refused, reports)
    if as_json:
        told = {"source": name, "complete": failure is None, "files": [one.as_json() for one in reports]}
        out.print_json(json.dumps({**told, "positions": positions}))
    else:
        _show(reports, refused)
    if failure is not None:
        raise failure
    raise typer.Exit(1 if any(report.refused for report in reports) else 0)


def surveyed(files: Sequence[str], mapping: Mapping, dates: DateOrder | None = None) -> list[Table]:
    """The files looked through, in the order in which they build on each other.

    Raises:
        Failure: one of them cannot be read, or lacks a column.
    """
    named = sorted((_named(file) for file in files), key=lambda one: list(Kind).index(one[0]))
    kinds = {kind for kind, _ in named}
    tables = []
    for kind, path in named:
        reading = mapping.reading(kind)
        if dates is not None:
            reading = reading.model_copy(update={"dates": dates})
        needs_community = kind is Kind.ATTENDANCES and Kind.CONVENINGS not in kinds
        tables.append(survey(path, kind, reading, also=("community_ref",) if needs_community else ()))
    return tables


def _named(text: str) -> tuple[Kind, Path]:
    kind, equals, path = text.partition("=")
    if not equals:
        kind, path = Path(text).stem, text
    try:
        return Kind(kind), Path(path)
    except ValueError:
        raise Unreadable(
            f"It is not said what {path} holds.", f"write KIND={path}, where KIND is one of {', '.join(Kind)}."
        ) from None


async def _load(
    tables: Sequence[Table],
    reports: Sequence[FileReport],
    source: str,
    url: str,
    patience: timedelta,
    at_once: int,
) -> list[str]:
    async with Gateway(url, patience=patience, at_once=at_once) as gateway:
        importer = Importer(gateway, source, at_once=at_once)
        with _bars() as bars:
            for table, report in zip(tables, reports, strict=True):
                bar = bars.add_task(f"{table.kind} {table.path.name}", total=table.rows)
                await importer.load(table, report, partial(bars.advance, bar))
        return importer.positions


@contextmanager
def _bars() -> Iterator[Progress]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TaskProgressColumn("{task.speed:,.0f} rows/s", show_speed=True),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, disable=not err.is_terminal) as bars:
        yield bars


def _show(reports: Sequence[FileReport], refused_file: Path | None) -> None:
    sheet = Sheet(box=None, pad_edge=False)
    sheet.add_column("file", overflow="fold")
    sheet.add_column("encoding")
    for column in ("rows", "created", "unchanged", "(repeated)", "refused", "rows/s"):
        sheet.add_column(column, justify="right")
    for report in reports:
        numbers = (report.rows, report.created, report.unchanged, report.repeated, report.refused)
        told = [f"{number:,}" for number in numbers]
        sheet.add_row(Text(Path(report.file).name), report.encoding, *told, f"{report.rows_per_second:,.0f}")
    out.print(sheet)
    for report in reports:
        if report.ignored:
            unread = ", ".join(textwrap.shorten(heading, 60, placeholder=" …") for heading in report.ignored)
            out.print(Text(f"{Path(report.file).name}: columns not read: {unread}"))
    _show_refusals(reports, refused_file)


def _show_refusals(reports: Sequence[FileReport], refused_file: Path | None) -> None:
    refusals = [one for report in reports for one in sorted(report.refusals, key=lambda one: one.line)]
    if not refusals:
        return
    sheet = Sheet(title="Refused rows", title_justify="left", box=None, pad_edge=False)
    for column in ("file", "line", "field", "reason"):
        sheet.add_column(column, overflow="fold", justify="right" if column == "line" else "left")
    for one in refusals[:SHOWN]:
        sheet.add_row(Text(Path(one.file).name), str(one.line), Text(one.field), Text(one.reason))
    out.print(sheet)
    if len(refusals) > SHOWN:
        where = f"all are in {refused_file}" if refused_file else "--refused FILE.csv writes all of them"
        out.print(Text(f"… and {len(refusals) - SHOWN:,} more: {where}"))
