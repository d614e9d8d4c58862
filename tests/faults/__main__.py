"""The long version: every fault with many seeds, and a table of what came of it. It fails where something was wrong, or
less was struck than was to be.

python -m tests.faults [--seeds 20] [--first 0] [--histories FOLDER] [NAME …]
"""

import argparse
import asyncio
import sys
import tempfile
import textwrap
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

from rich.table import Table

from deploy.local.failures import Unavailable
from tests.faults.anomaly import Anomaly, Kind
from tests.faults.console import console
from tests.faults.ground import Ground, Layout, laid_out
from tests.faults.load import NotAnswered
from tests.faults.nemesis import FAULTS
from tests.faults.nemesis.fault import Fault
from tests.faults.run import Result, run

INTERRUPTED = 130
"""The exit code of what somebody ended at the terminal: 128 and the number of the signal."""


class Grounds:
    """Started when first asked for, and used until something was wrong in one."""

    def __init__(self) -> None:
        self._open: dict[Layout, tuple[ExitStack, Ground]] = {}

    def get(self, layout: Layout) -> Ground:
        if layout not in self._open:
            self.close()  # one at a time: they share a machine
            stack = ExitStack()
            self._open[layout] = stack, stack.enter_context(laid_out(layout))
        return self._open[layout][1]

    def close(self) -> None:
        while self._open:
            stack, _ = self._open.popitem()[1]
            stack.close()


def _fault(name: str) -> str:
    if name not in FAULTS:
        raise argparse.ArgumentTypeError(f"no fault is called '{name}'; there are {', '.join(FAULTS)}")
    return name


def _some(number: str) -> int:
    if not number.isdecimal() or int(number) < 1:
        raise argparse.ArgumentTypeError(f"'{number}' is no number of seeds: 1 or more")
    return int(number)


class WholeNames(argparse.HelpFormatter):
    """Breaks no line at a hyphen: what is shown can be copied."""

    def _split_lines(self, text: str, width: int) -> list[str]:
        return textwrap.wrap(text, width, break_on_hyphens=False)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults",
        formatter_class=WholeNames,
        description="Write commands by the public door while something is done to the system, and check what came of "
        "them: real processes, real engines, half a minute to some minutes for each run.",
        epilog="docs/reference/faults.md says what each fault does and what is reported. It fails where something was "
        "wrong, or less was struck than was to be.",
    )
    words = f"the faults, all of them if left out: {', '.join(FAULTS)}"
    parser.add_argument("names", nargs="*", type=_fault, metavar="NAME", help=words)
    words = "how many runs of each, with following seeds (default: %(default)s)"
    parser.add_argument("--seeds", type=_some, default=20, metavar="COUNT", help=words)
    words = "the seed of the first of them (default: %(default)s)"
    parser.add_argument("--first", type=int, default=0, metavar="SEED", help=words)
    words = "where the histories are kept (default: a new folder, which is named at the end)"
    parser.add_argument("--histories", type=Path, metavar="FOLDER", help=words)
    given = parser.parse_args(arguments)
    folder = given.histories or Path(tempfile.mkdtemp(prefix="praxis-histories-"))
    kinds = [FAULTS[name] for name in given.names or FAULTS]
    results, is_interrupted = list[Result](), False
    try:
        strike_all(kinds, range(given.first, given.first + given.seeds), folder, results)
    except KeyboardInterrupt:  # what was run until then may have taken hours
        is_interrupted = True
    if results:
        console.print(table(results))
    console.print(f"Histories: {folder}")
    if is_interrupted:
        console.print("Interrupted: the runs after these were not made, and their engines are stopped")
        return INTERRUPTED
    return verdict(results)


def verdict(results: Sequence[Result]) -> int:
    """The exit code; says where less was struck than was to be."""
    if missed := [f"{result.missed} of {result.fault} {result.seed}" for result in results if result.missed]:
        console.print(
            f"Strikes were missed, so these faults were tried only in part: {', '.join(missed)}", markup=False
        )
    return 1 if missed or any(result.anomalies for result in results) else 0


def strike_all(kinds: Iterable[type[Fault]], seeds: Iterable[int], folder: Path, results: list[Result]) -> None:
    """Each fault with each seed, one after the other; what came of each is put to the results at once."""
    grounds = Grounds()
    try:
        for kind in sorted(kinds, key=lambda kind: str(kind.layout)):
            try:
                for seed in seeds:
                    results.append(_strike(grounds, kind(seed), folder))
                    if results[-1].anomalies:
                        grounds.close()
            except Unavailable as failure:
                console.print(f"SKIPPED: {kind.name}: {failure}", markup=False)
    finally:
        grounds.close()


def _strike(grounds: Grounds, fault: Fault, folder: Path) -> Result:
    name = f"r{int(time.time()) % 10_000_000}-{fault.seed}"  # of its own in a system that is used again
    of_its_own = folder / f"{fault.name.replace(', ', '+')}-{fault.seed}"
    try:
        result = asyncio.run(run(grounds.get(fault.layout), fault, name, of_its_own))
    except Unavailable:
        raise
    except Exception as problem:  # hours of other runs are not to be lost for it
        if not isinstance(problem, NotAnswered):  # which says all by itself
            console.print_exception()
        result = broke_off(fault, of_its_own, problem)
    of = f" ({', '.join(fault.of)})" if fault.of else ""
    console.print(
        f"{fault.name} {fault.seed}{of}: {result.acknowledged} acknowledged, {len(result.anomalies)} anomalies, "
        f"at most {result.longest_without_progress:.1f} s without progress, {result.missed} strikes missed, "
        f"caught up after {result.caught_up_after:.1f} s"
    )
    for anomaly in result.anomalies[:10]:
        console.print(f"  {anomaly}", markup=False)
    return result


def broke_off(fault: Fault, folder: Path, problem: Exception) -> Result:
    """A run that came to no end, which counts as one in which something was wrong."""
    anomaly = Anomaly(Kind.STUCK, "the run itself", f"broke off: {problem!r}")
    return Result(fault.name, fault.seed, folder, 0, [anomaly], 0.0, 0, 0.0)


def table(results: Sequence[Result]) -> Table:
    by_fault: defaultdict[str, list[Result]] = defaultdict(list)
    for result in results:
        by_fault[result.fault].append(result)
    shown = Table()
    shown.add_column("Fault", no_wrap=True, min_width=max(map(len, by_fault), default=0))
    for title in ("Runs", "Acknowledged", "Anomalies", "Longest without progress", "Missed", "Longest to catch up"):
        shown.add_column(title, justify="right")
    for fault, runs in by_fault.items():
        shown.add_row(
            fault,
            str(len(runs)),
            f"{sum(run.acknowledged for run in runs):,}",
            str(sum(len(run.anomalies) for run in runs)),
            f"{max(run.longest_without_progress for run in runs):.1f} s",
            str(sum(run.missed for run in runs)),
            f"{max(run.caught_up_after for run in runs):.1f} s",
        )
    return shown


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
