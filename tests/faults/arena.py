"""The system under test in a run, as faults see it: real processes and engines that can be killed, stopped, started."""

import asyncio
import random
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import psutil
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from deploy.local.failures import Died, DiskFull, Failure, NotReady, PortInUse
from deploy.local.processes import Child
from deploy.local.system import System
from shared import failpoints
from shared.mongo import Client
from tests.faults import observed
from tests.faults.doors import Manner
from tests.faults.ground import Ground
from tests.faults.history import History, Line
from tests.faults.load import Load

POLL_S = 0.05


class Arena:
    """Notes in the history whatever it does. One process is in one hand at a time."""

    def __init__(self, ground: Ground, client: Client, load: Load, history: History, rng: random.Random) -> None:
        self.system, self.client, self.load, self.history, self.rng = ground.system, client, load, history, rng
        self.doors, self.disk = ground.doors, ground.disk
        self.dead_letters_borne = ground.layout.dead_letters_borne
        self.since: observed.Mark
        """Where the run begins."""
        self.to_discard: list[Line] = []
        """What was planted and metrics is still to discard: until then its versions are missing."""
        self._hands: dict[str, asyncio.Lock] = {}
        self._meant_to_run: set[str] = set()

    def runs(self, name: str) -> bool:
        return self.system.pid(name) is not None

    async def kill(self, name: str) -> None:
        async with self._hand(name):
            self.history.note("killed", name=name)
            self._meant_to_run.discard(name)
            await asyncio.to_thread(self.system.kill, name)

    async def stop(self, name: str) -> None:
        async with self._hand(name):
            self.history.note("told to stop", name=name)
            self._meant_to_run.discard(name)
            await asyncio.to_thread(self.system.stop, name)

    async def start(self, name: str, *, fail: str | None = None, wait: bool = True) -> None:
        """Start it, with a fail point armed where one is named."""
        async with self._hand(name):
            self.history.note("started", name=name, **({"fail": fail} if fail else {}))
            child = self.system.child(name)
            if name not in engines(self.system):
                child.environment = _with_fail_points(child, fail)
            self._meant_to_run.add(name)
            try:
                await asyncio.to_thread(self.system.start, name, wait=wait)
            except (Died, DiskFull) as died:  # by another fault, or loudly by itself: then it is started again
                self.history.note("died before it was ready", **_told(name, died))
            except NotReady as problem:  # what it needs is away, by another fault; it goes on waiting
                self.history.miss("was not ready in time", **_told(name, problem))

    async def freeze(self, name: str) -> None:
        self.history.note("frozen", name=name)
        self.system.child(name).signal(signal.SIGSTOP)

    async def thaw(self, name: str) -> None:
        self.history.note("thawed", name=name)
        self.system.child(name).signal(signal.SIGCONT)

    async def until_dead(self, name: str, within: float) -> None:
        """Until it is killed at its fail point, or by another fault; who ends otherwise was not struck."""
        if not await self._until(name, within, lambda: not self.runs(name)):
            return
        if self._ended_by_itself(name):
            self.history.miss("did not reach its fail point", name=name)
            self._note_end(name)

    async def until_frozen(self, name: str, within: float) -> bool:
        """Until it has stopped itself at a fail point."""
        return await self._until(name, within, lambda: is_frozen(self.system, name))

    async def settled(self, within: float = 30.0) -> None:
        """Until every fact is in the views, or that time is over."""
        await observed.settle(self.client, within)

    async def supervise(self) -> None:
        """For ever: start again what has ended by itself, as a supervisor does."""
        while True:
            await asyncio.sleep(0.5)
            for name in sorted(self._meant_to_run):
                if not self.runs(name) and self._ended_by_itself(name):
                    self._note_end(name)
                    await self.start(name, wait=False)

    async def look(self) -> None:
        """Note what `praxis status` says of all that was started."""
        parts = [vars(part) for part in await asyncio.to_thread(self.system.status) if part.state != "stopped"]
        told = ("name", "ready", "waiting_for")
        self.history.note("looked", parts=[{name: part[name] for name in told} for part in parts])

    async def heal(self, services: Mapping[str, int]) -> None:
        """Everything runs again, undisturbed."""
        self.open_doors("kafka", "mongo", manner=Manner())
        if self.disk:
            self.disk.empty()
        for name in self.system.names:
            if is_frozen(self.system, name):
                await self.thaw(name)
        for name in engines(self.system):
            if not self.runs(name):
                await self.start(name)
        await self.shape(services)

    async def shape(self, services: Mapping[str, int]) -> None:
        """So many of each service run, no more, and without fail points."""
        for name in self.system.names:
            if name in engines(self.system):
                continue
            service, _, number = name.partition("-")
            wanted = int(number or 1) <= services.get(service, 1)
            if self.runs(name) and (not wanted or self._is_armed(name)):
                await self.stop(name)
            if wanted and not self.runs(name):
                await self.start(name)
            elif wanted:
                self._meant_to_run.add(name)

    def open_doors(self, *engines: str, manner: Manner) -> None:
        """The doors to all nodes of these engines treat what passes in this manner, from now on."""
        for name, door in self.doors.items():
            if name.partition("-")[0] in engines:
                door.manner = manner

    def primary(self) -> str:
        """The name of the replica set's primary."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with suppress(PyMongoError), MongoClient[dict[str, Any]](self.system.mongo) as client:
                address = client.admin.command("hello")["primary"]
                return self.system.node(int(address.rpartition(":")[2]))
        raise TimeoutError("the replica set has no primary")

    def _ended_by_itself(self, name: str) -> bool:
        """Whether one that does not run is in nobody's hands, and was not killed at a fail point either."""
        if name not in self._meant_to_run or self._hand(name).locked():
            return False
        return not any(map(failpoints.was_killed, self.system.child(name).last_lines()))

    def _note_end(self, name: str) -> None:
        self.history.note("ended by itself", **_told(name, _end_of(self.system.child(name))))

    def _is_armed(self, name: str) -> bool:
        return "PRAXIS_FAILPOINTS" in self.system.child(name).environment

    def _hand(self, name: str) -> asyncio.Lock:
        return self._hands.setdefault(name, asyncio.Lock())

    async def _until(self, name: str, within: float, reached: Any) -> bool:
        deadline = time.monotonic() + within
        while not reached():
            if time.monotonic() > deadline:
                self.history.miss("did not reach its fail point", name=name)
                return False
            await asyncio.sleep(POLL_S)
        return True


def engines(system: System) -> list[str]:
    return [name for name in system.names if name.partition("-")[0] in ("kafka", "mongo")]


def is_frozen(system: System, name: str) -> bool:
    pid = system.pid(name)
    with suppress(psutil.NoSuchProcess):
        return pid is not None and psutil.Process(pid).status() == psutil.STATUS_STOPPED
    return False


def _end_of(child: Child) -> Failure:
    try:
        return child.failed()
    except PortInUse as problem:
        return problem


def _told(name: str, failure: Failure) -> Mapping[str, Any]:
    """What is kept of how it ended: of its log the line that says that it was killed, or else the last one."""
    telling = [line for line in failure.log if failpoints.was_killed(line)] or list(failure.log)
    return {"name": name, "why": failure.what, "remedy": failure.remedy, "log": telling[-1:]}


def _with_fail_points(child: Child, fail: str | None) -> Mapping[str, str]:
    others = {name: value for name, value in child.environment.items() if name != "PRAXIS_FAILPOINTS"}
    return {**others, "PRAXIS_FAILPOINTS": fail} if fail else others
