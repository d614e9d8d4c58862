"""`praxis up`, `down` and `status`: the system on this machine."""

import json
import time
from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table

from deploy.cli import demo as demonstration
from deploy.cli import figures
from deploy.cli.printing import err, out, progress
from deploy.local.system import Started, Status, System

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]


def up(
    demo: Annotated[bool, typer.Option(help="Load the demonstration into an empty network.")] = False,
    as_json: AsJson = False,
) -> None:
    """Start Kafka, MongoDB and the four services, and wait until all are ready. Run it again at any time."""
    begun = time.monotonic()
    with progress("starting") as say:
        system = System.from_environment(say)
        try:
            started = system.up()
        except KeyboardInterrupt:
            err.print("interrupted; `praxis down` stops what was started")
            raise typer.Exit(130) from None
    seconds = time.monotonic() - begun
    if as_json:
        out.print_json(json.dumps({**_addresses(system), "started": started.started, "seconds": round(seconds, 1)}))
    else:
        _announce(system, started, seconds)
    if demo:
        _demonstrate(system, silent=as_json)


def down(as_json: AsJson = False) -> None:
    """Stop what `praxis up` started. Data are kept."""
    with progress("stopping") as say:
        stopped = System.from_environment(say).down()
    if as_json:
        out.print_json(json.dumps({"stopped": stopped}))
    else:
        out.print(f"stopped {', '.join(stopped)}; data are kept" if stopped else "nothing was running")


def status(as_json: AsJson = False) -> None:
    """Say what runs, where, and what it waits for. Exits with 1 unless all of it is ready."""
    parts = System.from_environment().status()
    ready = all(part.ready for part in parts)
    if as_json:
        out.print_json(json.dumps({"ready": ready, "parts": [asdict(part) for part in parts]}))
    else:
        out.print(_table(parts))
        if any(part.state == "killed" for part in parts):
            out.print(
                "What was killed, or ended by itself, is started again by `praxis up`; data are kept. What ends once "
                "more says why in its log."
            )
    raise typer.Exit(0 if ready else 1)


def _demonstrate(system: System, *, silent: bool) -> None:
    """Load the demonstration unless the network holds something already, and show its figures."""
    with progress("loading the demonstration") as say:
        loaded = demonstration.load(system.gateway, only_where_empty=True, say=say)
    if silent:
        return
    if loaded is None:
        figures.show(system.gateway)
    else:
        figures.show(system.gateway, as_at=loaded.demonstration_on, after=loaded.positions)


def _addresses(system: System) -> dict[str, str]:
    return {
        "console": f"{system.gateway}/",
        "api": f"{system.gateway}/docs",
        "gateway": system.gateway,
        "kafka": system.kafka,
        "mongo": system.mongo,
        "logs": str(system.home / "logs"),
    }


def _announce(system: System, started: Started, seconds: float) -> None:
    for name, address in _addresses(system).items():
        out.print(f"  {name:<8} {address}")
    if started.started:
        again = f" ({', '.join(started.already_running)} ran already)" if started.already_running else ""
        out.print(f"ready in {seconds:.1f} s{again}")
    else:
        out.print(f"running already, all ready ({seconds:.1f} s)")


def _table(parts: list[Status]) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("part", "state", "pid", "address", ""):
        table.add_column(column, overflow="fold")
    for part in parts:
        state = "ready" if part.ready else part.state
        colour = "green" if part.ready else "yellow" if part.state in ("running", "yours") else "red"
        pid = str(part.pid) if part.pid else ""
        table.add_row(part.name, f"[{colour}]{state}[/]", pid, part.address, part.waiting_for or "")
    return table
