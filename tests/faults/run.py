"""One run: groundwork, load and fault at once, healing, quiet; then everything is read and checked."""

import asyncio
import math
import random
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from shared.mongo import connect
from tests.faults import observed
from tests.faults.anomaly import Anomaly
from tests.faults.arena import Arena
from tests.faults.check import check
from tests.faults.commands import World
from tests.faults.ground import PARTITIONS, Ground
from tests.faults.history import BROKE_OFF, INTERRUPTED, History
from tests.faults.load import Load
from tests.faults.nemesis.fault import Fault
from tests.faults.planting import discard

CLIENTS = 6
BEFORE_S, AFTER_S = 1.0, 3.0
"""Load before the fault and after the healing."""
ANSWERED_WITHIN_S, SEEN_WITHIN_S = 60.0, 90.0


@dataclass(frozen=True)
class Result:
    fault: str
    seed: int
    folder: Path
    acknowledged: int
    anomalies: Sequence[Anomaly]
    longest_without_progress: float
    """Seconds in which commands were wanted and none was acknowledged."""
    missed: int
    """How much that was to be done to the system did not come about."""
    caught_up_after: float
    """Seconds from the end of the fault, of which healing is the first part, until all is in the views."""


async def run(ground: Ground, fault: Fault, name: str, folder: Path) -> Result:
    """Strike the system once. It may be used again, if nothing was wrong: a run looks only at what is its own."""
    system = ground.system
    about = {"run": name, "fault": fault.name, "seed": fault.seed, "partitions": PARTITIONS, "began": time.time()}
    history = History(about=about)
    client = connect(system.mongo)
    load = Load(system.gateway, World(name, CLIENTS), history, fault.seed)
    arena = Arena(ground, client, load, history, random.Random(f"{fault.name}/{fault.seed}"))
    supervising = asyncio.create_task(arena.supervise())
    try:
        await arena.shape(fault.services)
        since = arena.since = await observed.mark(system.kafka)
        await observed.network(system.gateway, history)
        await load.lay_groundwork()
        await arena.settled()
        load.start()
        await asyncio.sleep(BEFORE_S)
        await fault.strike(arena)
        healed_from = time.time()
        await arena.heal(fault.services)
        await asyncio.sleep(AFTER_S)
        await load.end(ANSWERED_WITHIN_S)
        await discard(arena)
        still = await observed.settle(client, SEEN_WITHIN_S)
        caught_up = time.time() - healed_from
        if still:
            history.note("never quiet", still=still)
        await observed.observe(client, system, since, name, history)
    except BaseException as problem:  # also if somebody interrupts it
        is_interrupted = isinstance(problem, asyncio.CancelledError | KeyboardInterrupt)
        history.note(INTERRUPTED if is_interrupted else BROKE_OFF, why=repr(problem))
        _keep_logs(ground, folder)
        raise
    finally:
        supervising.cancel()
        await asyncio.gather(supervising, return_exceptions=True)
        await load.close()
        await client.close()
        history.save(folder)
    anomalies = check(history)
    if anomalies:
        _keep_logs(ground, folder)
    gap = longest_without_progress(history)
    return Result(
        fault.name, fault.seed, folder, len(history.acknowledged()), anomalies, gap, len(history.missed()), caught_up
    )


def _keep_logs(ground: Ground, folder: Path) -> None:
    """Of all runs in this system so far."""
    shutil.copytree(ground.system.home / "logs", folder / "logs", dirs_exist_ok=True)


def longest_without_progress(history: History) -> float:
    """While the load was paused nothing was to be acknowledged; what was begun before its end was, after it too."""
    moments = [(line["at"], line["what"]) for line in history.nemesis if line["what"].startswith("load ")]
    moments += [(line["ended"], "acknowledged") for line in history.acknowledged()]
    moments += [(line["ended"], "given up") for line in history.commands if line.get("given_up")]
    longest, since = 0.0, math.inf
    for at, what in sorted(moments):
        longest = max(longest, at - since)
        is_wanted = since < math.inf
        if what == "load paused":
            since = math.inf
        elif (what == "acknowledged") if is_wanted else what in ("load began", "load went on"):
            since = at
    return longest
