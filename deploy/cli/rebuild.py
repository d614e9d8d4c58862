"""`praxis rebuild`: all figures folded anew beside those that are read, compared, and then read in their place."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from deploy.cli.importing import AsJson
from deploy.cli.printing import out
from deploy.cli.rebuild_shown import SHOWN, show
from deploy.cli.refill import PUBLISHERS
from deploy.local.failures import Failure
from deploy.local.settings import REPOSITORY
from deploy.local.system import System
from shared.events.fact import Stream
from shared.mongo import connect

AT_ONCE = 1_000
"""Streams that are looked up in one request."""
REFUSED = {
    "differences": "The figures differ, or facts are gone",
    "unseen": "The old build has seen facts that the new topics do not hold",
}


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
    if any(one["stage"] == "flipped" for one in told):
        _require_dropped(told[-1], interrupted)
        return
    match told[-1]:
        case {"stage": "abandoned"}:
            return
        case {"stage": "refused", "build": build, "what": what}:
            anew = " ".join(["praxis rebuild", *flags, *(["--accept-differences"] if not accept_differences else [])])
            raise Failure(
                f"{REFUSED[what]}, so build {build} has not taken over; what is read is as it was.",
                f"`{anew}` lets it take over, `praxis rebuild --abandon` drops it.",
            )
        case {"stage": "overtaken", "reason": reason}:
            raise Failure(f"The rebuild stopped: {reason}.", "nothing: what is read is what that one has left.")
        case {"stage": "given up", "reason": reason}:
            raise Failure(f"The rebuild stopped: {reason}.", "run it again if it is still wanted: it begins anew.")
        case {"stage": "held elsewhere", "reason": reason}:
            raise Failure(f"The rebuild stopped: {reason}.", "run it again after that, if it is still wanted.")
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


def _require_dropped(last: Mapping[str, Any], interrupted: bool) -> None:
    """
    Raises:
        Failure: it has taken over, and the old build may be there still.
    """
    if last["stage"] != "done" and not interrupted:
        why = f": {reason}" if (reason := last.get("reason")) else ", and the rebuild did not say why"
        raise Failure(
            f"The new build has taken over, and is read. Whether the old one is dropped is not known{why}.",
            "nothing: the next rebuild drops it, if it is still there.",
        )


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
                show(told)
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


def _require_recorded_by_nobody(unseen: dict[str, Any]) -> None:
    """
    Raises:
        Failure: some of it is on record, so the topics do not hold all that they should.
    """
    streams = {Stream.parse(one["stream"]): one["versions"][0][0] for one in unseen["streams"]}
    recorded = asyncio.run(_recorded(System.from_environment().mongo, streams))
    if recorded:
        shown, more = ", ".join(recorded[:SHOWN]), len(recorded) - SHOWN
        raise Failure(
            f"Of what the topics do not hold, some is on record: {shown}{f' and {more:,} more' if more > 0 else ''}. "
            f"It is not taken back.",
            "let `praxis refill --new-topics` come to its end, of all topics, and run this again.",
        )


async def _recorded(mongo: str, streams: Mapping[Stream, int]) -> list[str]:
    """Those of these positions that the service whose stream it is has recorded."""
    client = connect(mongo)
    try:
        found, ids = list[str](), sorted(streams, key=str)
        for begin in range(0, len(ids), AT_ONCE):
            these = ids[begin : begin + AT_ONCE]
            for topic in {stream.topic for stream in these}:
                of_topic = {str(stream): stream for stream in these if stream.topic == topic}
                async for head in client[PUBLISHERS[topic]].streams.find({"_id": {"$in": list(of_topic)}}):
                    wanted = streams[of_topic[head["_id"]]]
                    found += [f"{head['_id']}@{wanted}"] if head["version"] >= wanted else []
        return found
    finally:
        await client.close()


def _answer(process: subprocess.Popen[str], question: str, *, accepts: bool = False) -> None:
    accepted = accepts or (sys.stdin.isatty() and typer.confirm(question, default=False))
    assert process.stdin is not None
    process.stdin.write("accept\n" if accepted else "refuse\n")
    process.stdin.flush()
