"""python -m bench [writer|worker|latency …]: on engines of its own, in a temporary folder; all if none is named."""

import asyncio
import sys
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from rich.console import Console

from bench import latency, worker, writer
from bench.table import Row, show
from deploy.local.settings import Ports
from deploy.local.system import System

Bench = Callable[[System], Coroutine[Any, Any, list[Row]]]

BENCHES: dict[str, tuple[str, Bench]] = {
    "writer": ("Commands through the writer, rules and receipts included", lambda system: writer.run(system.mongo)),
    "worker": ("Facts through the worker", lambda system: worker.run(system.kafka, system.mongo)),
    "latency": ("From command to view, when it is quiet", latency.run),
}


def main() -> None:
    names = sys.argv[1:] or list(BENCHES)
    if unknown := [name for name in names if name not in BENCHES]:
        sys.exit(f"no bench is called {unknown[0]}: there are {', '.join(BENCHES)}")
    console = Console()
    for name in names:
        title, bench = BENCHES[name]
        with tempfile.TemporaryDirectory(prefix="praxis-bench-") as home:
            system = System(Path(home), Ports.free(), quick_start=False)
            try:
                with console.status(f"{name}: starting"):
                    system.up(engines_only=name != "latency")
                with console.status(f"{name}: measuring"):
                    rows = asyncio.run(bench(system))
            finally:
                system.down()
        show(title, rows)


if __name__ == "__main__":
    main()
