"""`praxis rebuild`: all figures folded anew beside those that are read, compared, and then read in their place."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.text import Text

from deploy.cli.importing import AsJson
from deploy.cli.printing import out, visible
from deploy.local.failures import Failure
from deploy.local.settings import REPOSITORY
from deploy.local.system import System

SHOWN = 40
"""Differences, and streams, that are shown; all that were kept are in --json."""


def rebuild(
    accept_differences: Annotated[
        bool, typer.Option("--accept-differences", help="Let the new figures take over although some differ.")
    ] = False,
    new_topics: Annotated[
        bool, typer.Option("--new-topics", help="The topics were made anew and refilled: read all that they hold.")
    ] = False,
    take_back: Annotated[
        bool, typer.Option("--take-back", help="Do without facts that were seen and that the new topics do not hold.")
    ] = False,
    grace: Annotated[
        float, typer.Option(help="Seconds until the old build is dropped, for reads that began in it.", min=0)
    ] = 60,
    abandon: Annotated[
        bool, typer.Option("--abandon", help="Leave no trace of a rebuild that was ended half way.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Fold all facts anew while everything goes on, and let the new figures take over if they are the same.

    Where some differ they are shown, and taking over must be accepted. Ended half way, it goes on where it was when it
    is run again.
    """
    if abandon and (accept_differences or new_topics or take_back):
        raise typer.BadParameter("it abandons a rebuild: nothing takes over then", param_hint="--abandon")
    if take_back and not new_topics:
        reason = "it goes with --new-topics only: else all that was seen is still on the topics"
        raise typer.BadParameter(reason, param_hint="--take-back")
    flags = [
        *(["--accept-differences"] if accept_differences else []),
        *(["--new-topics"] if new_topics else []),
        *(["--take-back"] if take_back else []),
        *(["--abandon"] if abandon else []),
    ]
    with _running([*flags, "--grace", str(grace)]) as (process, log):
        told: list[dict[str, Any]] = [{"stage": "starting"}]
        interrupted = False
        try:
            _follow(process, told, as_json)
        except KeyboardInterrupt:
            interrupted = True
    match told[-1]:
        case {"stage": "done" | "flipped" | "abandoned"}:
            return
        case {"stage": "refused", "build": build}:
            raise Failure(
                f"The figures differ, so build {build} has not taken over; what is read is as it was.",
                "`praxis rebuild --accept-differences` lets it take over, `praxis rebuild --abandon` drops it.",
            )
        case {"stage": "failed", "reason": reason}:
            raise Failure(f"The rebuild stopped: {reason}.", "what is read is as it was.")
        case _ if interrupted:
            raise Failure("Interrupted.", "run it again, and it goes on; or `praxis rebuild --abandon`.")
        case _:
            how, lines = _end(process), log.lines()
            remedy = f"read {log.file}; run it again, and it goes on." if lines else "run it again, and it goes on."
            raise Failure(f"The rebuild {how}, without saying why.", remedy, lines)


class _Log(NamedTuple):
    """What the process writes beside what it tells: in a file, after what is there from earlier ones."""

    file: Path
    begin: int

    def lines(self) -> list[str]:
        """The last few of this process."""
        return self.file.read_bytes()[self.begin :].decode(errors="replace").splitlines()[-12:]


def _end(process: subprocess.Popen[str]) -> str:
    code = process.wait()
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"


@contextmanager
def _running(arguments: Sequence[str]) -> Iterator[tuple[subprocess.Popen[str], _Log]]:
    """The process that rebuilds, which ends with the command, and its log."""
    system = System.from_environment()
    logs = system.home / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    with (logs / "rebuild.log").open("ab") as log:
        begin = log.tell()
        process = subprocess.Popen(
            [sys.executable, "-m", "services.metrics.rebuild", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            cwd=REPOSITORY,
            env={**os.environ, "PRAXIS_KAFKA": system.kafka, "PRAXIS_MONGO": system.mongo},
        )
        try:
            yield process, _Log(logs / "rebuild.log", begin)
        finally:
            process.terminate()
            process.wait(timeout=20)


def _follow(process: subprocess.Popen[str], heard: list[dict[str, Any]], as_json: bool) -> None:
    """Show what it tells as it comes, and answer what it asks."""
    assert process.stdout is not None
    with _bars(silent=as_json) as bars:
        bar = bars.add_task("starting", total=None, rate="")
        for line in process.stdout:
            told = json.loads(line)
            heard.append(told)
            match told:
                case {"stage": "reading" | "comparing" as stage, "done": done, "total": total}:
                    bars.update(bar, description=stage, completed=done, total=total, rate=_rate(told))
                case {"stage": "waiting"}:
                    bars.update(bar, description="taking over", rate="")
                case {"stage": "away"}:
                    bars.update(bar, description="waiting", rate="")
                case {"stage": "question"}:
                    bars.stop()
                    _answer(process)
                case _:
                    pass
            if as_json:
                out.print_json(json.dumps(told), indent=None)
            else:
                _show(told)
    process.wait(timeout=20)  # what it has told is all there is: else it is ended, and did not end


@contextmanager
def _bars(*, silent: bool) -> Iterator[Progress]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rate]}"),
    )
    with Progress(*columns, console=out, disable=silent or not out.is_terminal) as bars:
        yield bars


def _rate(told: dict[str, Any]) -> str:
    """How fast it goes, and how long that takes."""
    if "facts_per_second" not in told:
        return f"{told['done']} of {told['total']} partitions"
    left = told["seconds_left"]
    until = "" if left is None else f", {timedelta(seconds=round(left))} left"
    return f"{told['done']:,} of {told['total']:,} facts, {told['facts_per_second']:,} a second{until}"


def _show(told: dict[str, Any]) -> None:
    match told:
        case {"stage": "begun", "build": build, "beside": beside}:
            out.print(f"build {build} is written beside build {beside}, which is read meanwhile")
        case {"stage": "away", "reason": reason}:
            out.print(Text(f"MongoDB or Kafka is away, so it waits: {reason}"))
        case {"stage": "compared"}:
            _show_comparison(told)
        case {"stage": "flipped", "build": build, "grace_s": grace}:
            out.print(f"build {build} has taken over; the old one is dropped in {grace:.0f} s (Ctrl-C leaves it there)")
        case {"stage": "done", "dropped": dropped}:
            out.print(f"dropped {', '.join(f'build {number}' for number in dropped) or 'nothing'}")
        case {"stage": "abandoned", "build": None}:
            out.print("there is no rebuild to abandon")
        case {"stage": "abandoned", "build": build}:
            out.print(f"build {build} is dropped; nothing is left of it")
        case _:
            pass


def _show_comparison(told: dict[str, Any]) -> None:
    """What came of the comparison: a line for each figure that differs, as far as there is room."""
    _show_apart(told)
    compared = f"{told['figures']:,} sums and {told['records']:,} records of {told['scopes']:,} things"
    if not told["counts"]:
        out.print(f"{compared} compared: all are equal")
        return
    out.print(f"{compared} compared: {sum(told['counts'].values()):,} are not equal")
    for one in told["differences"][:SHOWN]:
        changed = f"was {_cell(one['before'])}, becomes {_cell(one['after'])}"
        out.print(Text(visible(f"  {_where(one)}: {changed}")))
    for what, count in told["counts"].items():
        out.print(Text(f"{what}: {count:,}"))
    _show_rest(sum(told["counts"].values()), len(told["differences"]))


def _show_apart(told: dict[str, Any]) -> None:
    """The streams of which the two builds have not seen the same."""
    if not told["apart"]:
        return
    out.print(f"the two builds have not seen the same facts of {told['apart']:,} streams:")
    for stream, before, after in (one.values() for one in told["streams_apart"][:SHOWN]):
        only = [f"the {which} one alone has seen {what}" for which, what in (("old", before), ("new", after)) if what]
        out.print(Text(visible(f"  {stream}: {', '.join(only)}")))
    _show_rest(told["apart"], len(told["streams_apart"]))
    if told["left_out"]:
        out.print(f"so {told['left_out']:,} things are not compared")


def _show_rest(count: int, kept: int) -> None:
    if count > SHOWN:
        out.print(f"the first {SHOWN} are shown; --json tells up to {kept:,}")


def _where(one: dict[str, Any]) -> str:
    """The figure and the days on which it differs, or the record and its field."""
    if one["since"] is None:
        return f"{one['what']}, {one['key']}"
    part = f" {one['key']}" if one["key"] else ""
    return f"{one['what']}{part} of {one['scope']}, {one['since']} to {one['as_at']}"


def _cell(value: Any) -> str:
    if value is None:
        return "not there"
    return textwrap.shorten(value if isinstance(value, str) else json.dumps(value), 60, placeholder=" …")


def _answer(process: subprocess.Popen[str]) -> None:
    accepted = sys.stdin.isatty() and typer.confirm("Let the new build take over all the same?", default=False)
    assert process.stdin is not None
    process.stdin.write("accept\n" if accepted else "refuse\n")
    process.stdin.flush()
