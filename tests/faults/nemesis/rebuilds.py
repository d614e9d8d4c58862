"""Faults of a rebuild: builds take over from each other while commands are written, and what does that is disturbed."""

import asyncio
import json
import os
import signal
import subprocess
from contextlib import suppress

from tests.command import begun
from tests.faults.arena import Arena
from tests.faults.nemesis.fault import Fault

WITHIN_S = 90.0
"""For a command: it goes on while facts keep coming, and comes to an end all the same."""
STAGES = ("begun", "reading", "comparing", "flipped")


class Rebuild(Fault):
    """Three builds take over: after one was killed half way, while a worker is killed, and beside a refill."""

    name = "rebuild"
    services = {"metrics": 2}

    async def strike(self, arena: Arena) -> None:
        await self._killed(arena, STAGES[self.seed % len(STAGES)])
        await self._rebuilt(arena)
        rebuilding = asyncio.create_task(self._rebuilt(arena))
        await asyncio.sleep(arena.rng.uniform(1, 6))
        victim = arena.rng.choice(["metrics", "metrics-2"])
        await arena.kill(victim)
        await rebuilding
        await arena.start(victim)
        await asyncio.gather(self._rebuilt(arena), self._done(arena, "refill"))

    async def _killed(self, arena: Arena, stage: str) -> None:
        """Kill the command, and the process that it began, when it tells that it is there."""
        process = begun(arena.system, "rebuild", "--grace", "30", "--json")
        is_there = await asyncio.to_thread(_tells, process, stage)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        arena.history.note("rebuild killed", stage=stage)
        if not is_there:
            arena.history.miss("the rebuild did not get there", stage=stage)

    async def _rebuilt(self, arena: Arena) -> None:
        await self._done(arena, "rebuild", "--grace", "2")

    async def _done(self, arena: Arena, *arguments: str) -> None:
        """Have a command carried out, which must come to its end."""
        process = begun(arena.system, *arguments)
        try:
            said = "".join(await asyncio.to_thread(process.communicate, timeout=WITHIN_S))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            said = "".join(process.communicate()) + f"It had not come to an end after {WITHIN_S:.0f} seconds"
        arena.history.note(f"praxis {' '.join(arguments)}", code=process.returncode)
        if process.returncode:
            arena.history.losses.append({"failed": " ".join(arguments), "said": [said[-2_000:]]})


def _tells(process: subprocess.Popen[str], stage: str) -> bool:
    """Whether it tells that it is at this stage, before it ends."""
    assert process.stdout is not None
    return any(json.loads(line)["stage"] == stage for line in process.stdout)
