"""python -m bench [writer|streams …] [--facts N …]: on own engines, in a temporary folder; all if none is named."""

import asyncio
import logging
import tempfile
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench import flatness, latency, rebuild, streams, writer
from bench.options import Options
from bench.table import Sheet, show
from deploy.local.settings import Ports
from deploy.local.system import System
from shared.running import collect_seldom

Bench = Callable[[System, Options, Progress], Coroutine[Any, Any, Sequence[Sheet]]]

BENCHES: dict[str, Bench] = {
    "writer": writer.run,
    "streams": streams.run,
    "flatness": flatness.run,
    "rebuild": rebuild.run,
    "latency": latency.run,
}
WITH_SERVICES = ("latency",)


def main() -> None:
    options = Options.parsed(tuple(BENCHES), tuple(streams.CONTENDERS))
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it tells of each retry, as of a topic that is new
    collect_seldom()  # as the services do
    console = Console()
    for name in options.benches:
        with tempfile.TemporaryDirectory(prefix="praxis-bench-") as home:
            system = System(Path(home), Ports.free(), quick_start=False)
            try:
                with console.status(f"{name}: starting"):
                    system.up(engines_only=name not in WITH_SERVICES)
                with _bars(console) as progress:
                    task = progress.add_task(name, total=None)
                    sheets = asyncio.run(BENCHES[name](system, options, progress))
                    progress.remove_task(task)
            finally:
                system.down()
        for sheet in sheets:
            show(sheet, console)


def _bars(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True)


if __name__ == "__main__":
    main()
