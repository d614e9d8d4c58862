"""python -m services.metrics.rebuild: the command of a rebuild.

It tells what it does in JSON lines on standard output, and asks there: whether differences are accepted, and whether
facts that new topics do not hold are taken back.
"""

import argparse
import asyncio
import json
import os
import sys
import threading
from typing import Any

from pymongo.errors import OperationFailure

from services.metrics.flip import GivenUp, NotReady, Overtaken
from services.metrics.rebuilding import Rebuild
from services.metrics.settings import Settings
from shared import logging
from shared.lease import HeldElsewhere
from shared.reading.log import LostLog
from shared.reading.sink import Halt
from shared.running import collect_seldom
from shared.settings import configured

IF_ACCEPTED = {
    "differences": "let the new build take over in spite of the differences",
    "unseen": "do without the facts that the new topics do not hold",
}


async def _asked(what: str) -> bool:
    """Whether the next line on standard input accepts; at its end nobody is there to do so."""
    _say({"stage": "question", "what": what, "accept": f"write 'accept' to {IF_ACCEPTED[what]}"})
    loop = asyncio.get_running_loop()
    line: asyncio.Future[str] = loop.create_future()

    def read() -> None:  # in a thread, because it may be a file or a terminal; that of a process that ends, ends
        loop.call_soon_threadsafe(line.set_result, sys.stdin.readline())

    threading.Thread(target=read, daemon=True).start()
    return (await line).strip() == "accept"


async def _asked_but_for_differences(what: str) -> bool:
    return what == "differences" or await _asked(what)


class Unheard(Exception):
    """Whoever began it is gone."""


def _say(told: dict[str, Any]) -> None:
    """
    Raises:
        Unheard: nobody reads it. What was made stays, for the next one to go on with or to drop.
    """
    try:
        sys.stdout.write(json.dumps(told, default=str) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python fails on it once more at the end
        raise Unheard from None


async def main(arguments: argparse.Namespace) -> int:
    rebuild = Rebuild(
        configured(Settings),
        _say,
        _asked_but_for_differences if arguments.accept_differences else _asked,
        new_topics=arguments.new_topics,
        take_back=arguments.take_back,
        grace_s=arguments.grace,
    )
    try:
        return await _run(rebuild, abandon=arguments.abandon)
    except Unheard:
        return 1


async def _run(rebuild: Rebuild, *, abandon: bool) -> int:
    """
    Raises:
        Unheard: see `_say`.
    """
    try:
        if abandon:
            await rebuild.abandon()
            return 0
        return 0 if await rebuild.run() else 1
    except Overtaken as problem:
        _say({"stage": "overtaken", "reason": str(problem)})
    except GivenUp as problem:
        _say({"stage": "given up", "reason": str(problem)})
    except HeldElsewhere as problem:
        _say({"stage": "held elsewhere", "reason": str(problem)})
    except (LostLog, Halt, NotReady, OperationFailure) as problem:
        _say({"stage": "failed", "reason": str(problem)})
    return 1


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m services.metrics.rebuild")
    parser.add_argument("--accept-differences", action="store_true")
    parser.add_argument("--new-topics", action="store_true")
    parser.add_argument("--take-back", action="store_true")
    parser.add_argument("--grace", type=float, default=60.0, metavar="SECONDS")
    parser.add_argument("--abandon", action="store_true")
    arguments = parser.parse_args()
    if arguments.take_back and not arguments.new_topics:
        parser.error("--take-back goes with --new-topics only: else what was seen is still on the topics")
    return arguments


if __name__ == "__main__":
    options = parsed()
    logging.configure("rebuild", level="WARNING", to=sys.stderr)
    collect_seldom()
    sys.exit(asyncio.run(main(options)))
