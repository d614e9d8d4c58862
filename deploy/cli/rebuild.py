"""`praxis rebuild`: all figures folded anew beside those that are read, compared, and then read in their place."""

import asyncio
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
from deploy.cli.refill import PUBLISHERS
from deploy.local.failures import Failure
from deploy.local.settings import REPOSITORY
from deploy.local.system import System
from shared.events.fact import Stream
from shared.mongo import connect

REFUSED = {
    "differences": "The figures differ",
    "unseen": "The old build has seen facts that the new topics do not hold",
}
SHOWN_RUNS = 5
"""Runs of versions that are named of a stream."""
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
        float,
        typer.Option(help="Seconds until the old build is dropped, for reads that began in it.", min=0, max=86_400),
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
        *(["--new-topics"] if new_topics else []),
        *(["--take-back"] if take_back else []),
        *(["--abandon"] if abandon else []),
    ]
    given = ["--accept-differences"] if accept_differences else []
    with _running([*flags, *given, "--grace", str(grace)]) as (process, log):
        told: list[dict[str, Any]] = [{"stage": "starting"}]
        interrupted = False
        try:
            _follow(process, told, as_json, accept_differences)
        except KeyboardInterrupt:
            interrupted = True
    match told[-1]:
        case {"stage": "done" | "flipped" | "abandoned"}:
            return
        case {"stage": "refused", "build": build, "what": what}:
            anew = " ".join(["praxis rebuild", *flags, *(["--accept-differences"] if not accept_differences else [])])
            raise Failure(
                f"{REFUSED[what]}, so build {build} has not taken over; what is read is as it was.",
                f"`{anew}` lets it take over, `praxis rebuild --abandon` drops it.",
            )
        case {"stage": "failed", "reason": reason}:
            raise Failure(
                f"The rebuild stopped: {reason}. What is read is as it was.",
                "run it again when that is mended, and it goes on; or `praxis rebuild --abandon` drops what it made.",
            )
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
    logs = system.logs()
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


def _follow(process: subprocess.Popen[str], heard: list[dict[str, Any]], as_json: bool, accepts: bool) -> None:
    """Show what it tells as it comes, and answer what it asks.

    Raises:
        Failure: facts that are on record would be taken back.
    """
    assert process.stdout is not None
    with _bars(silent=as_json) as bars:
        bar = bars.add_task("starting", total=None, rate="")
        before: dict[str, Any] = {}
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
                case {"stage": "question", "what": "differences"}:
                    bars.stop()
                    _answer(process, "Let the new build take over all the same?")
                case {"stage": "question"}:
                    bars.stop()
                    _require_recorded_by_nobody(next(one for one in reversed(heard) if one["stage"] == "unseen"))
                    _answer(process, "Do without these facts, which no service has on record?", accepts=accepts)
                case _:
                    pass
            if as_json:
                out.print_json(json.dumps(told), indent=None)
            elif told != before:
                _show(told)
            before = told
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
        case {"stage": "unseen", "count": count, "streams": streams}:
            out.print(f"streams with facts that the old build has seen and the new topics do not hold: {count:,}")
            for one in streams[:SHOWN]:
                out.print(Text(visible(f"  {one['stream']}: {_versions(one['versions'])}")))
            _show_rest(count, len(streams))
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
    out.print(f"streams of which the two builds have not seen the same facts: {told['apart']:,}")
    for one in told["streams_apart"][:SHOWN]:
        out.print(Text(visible(f"  {one['stream']}: {', '.join(_apart(one))}")))
    _show_rest(told["apart"], len(told["streams_apart"]))
    if told["left_out"]:
        out.print(f"things that are not compared for it: {told['left_out']:,}")


def _apart(one: dict[str, Any]) -> Iterator[str]:
    if one["only_before"]:
        yield f"the old one alone has seen {_versions(one['only_before'])}"
    if one["only_after"]:
        yield f"the new one alone has seen {_versions(one['only_after'])}"
    if one["ids"]:
        old, new = one["ids"]
        yield f"the last fact is {old} in the old one, and {new} in the new one"


def _versions(runs: Sequence[tuple[int, int]]) -> str:
    """Versions as `3, 7 to 9`, and how many more runs of them there are."""
    told = [str(first) if first == last else f"{first} to {last}" for first, last in runs[:SHOWN_RUNS]]
    more = f" and {len(runs) - SHOWN_RUNS:,} more" if len(runs) > SHOWN_RUNS else ""
    return ", ".join(told) + more


def _show_rest(count: int, kept: int) -> None:
    if count > SHOWN:
        out.print(f"the first {SHOWN} are shown; --json tells up to {kept:,}")


def _where(one: dict[str, Any]) -> str:
    """The figure and the days on which it differs, or the record and its field."""
    if one["since"] is None:
        return f"{one['what']}, {one['key']}"
    part = f" {one['key']}" if one["key"] else ""
    when = f"{one['since']} to {one['as_at']}" if one["as_at"] else f"since {one['since']}"
    return f"{one['what']}{part} of {one['scope']}, {when}"


def _cell(value: Any) -> str:
    if value is None:
        return "not there"
    return textwrap.shorten(value if isinstance(value, str) else json.dumps(value), 60, placeholder=" …")


def _require_recorded_by_nobody(unseen: dict[str, Any]) -> None:
    """
    Raises:
        Failure: some of it is on record, so the topics do not hold all that they should.
    """
    streams = [(Stream.parse(one["stream"]), one["versions"][0][0]) for one in unseen["streams"]]
    recorded = asyncio.run(_recorded(System.from_environment().mongo, streams))
    if recorded or unseen["count"] > len(streams):
        shown = ", ".join(recorded[:SHOWN])
        raise Failure(
            f"Of what the topics do not hold, some is on record: {shown or 'perhaps'}. It is not taken back.",
            "let `praxis refill --new-topics` come to its end, of all topics, and run this again.",
        )


async def _recorded(mongo: str, streams: Sequence[tuple[Stream, int]]) -> list[str]:
    """Those of these positions that the service whose stream it is has recorded."""
    client = connect(mongo)
    try:
        found = list[str]()
        for stream, version in streams:
            head = await client[PUBLISHERS[stream.topic]].streams.find_one({"_id": str(stream)})
            if head and head["version"] >= version:
                found.append(f"{stream}@{version}")
        return found
    finally:
        await client.close()


def _answer(process: subprocess.Popen[str], question: str, *, accepts: bool = False) -> None:
    accepted = accepts or (sys.stdin.isatty() and typer.confirm(question, default=False))
    assert process.stdin is not None
    process.stdin.write("accept\n" if accepted else "refuse\n")
    process.stdin.flush()
