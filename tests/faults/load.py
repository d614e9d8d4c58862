"""Clients that write through the gateway at the same time, and send again what was not answered, under the same key."""

import asyncio
import contextlib
import math
import random
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import aiohttp

from tests.faults.commands import LAST_DAY, Call, Crossing, Script, World
from tests.faults.history import LOAD_BEGAN, History, Line, how_often

ANSWERS_WITHIN = aiohttp.ClientTimeout(total=15)
PAUSE_S, READ_AGAIN_S = 0.2, 0.5
WITHOUT_WHICH_NOTHING_S = 120.0
"""Within this time that is answered without which a run cannot go on."""
BETWEEN_S = 0.01
"""So that the processes under test get most of the machine."""
ABANDONED = 0.1
"""The share of commands without an answer that are not sent again."""
SPOILT = 0.1
READ = 0.2
"""The share of acknowledged commands that are read back at once."""
READING = 20
"""So many reads are under way at most: where what they build on is not seen, they come again and again."""


class NotAnswered(Exception):
    """The run cannot go on without an answer to these."""

    def __init__(self, lines: Iterable[Line]) -> None:
        told = (f"{line['call']['method']} {line['call']['path']} ({how_often(line['statuses'])})" for line in lines)
        super().__init__(f"not answered in {WITHOUT_WHICH_NOTHING_S:.0f} s: {'; '.join(told)}")


class Load:
    """The clients of one run, and what they were answered."""

    def __init__(self, gateway: str, world: World, history: History, seed: int) -> None:
        self._gateway, self._world, self._history, self._seed = gateway, world, history, seed
        self._http = aiohttp.ClientSession(timeout=ANSWERS_WITHIN)
        self._working: list[asyncio.Task[None]] = []
        self._reading: list[asyncio.Task[None]] = []
        self._unanswered: list[Line] = []
        self._sent = 0
        self._ended = asyncio.Event()
        """No new commands."""
        self._given_up = asyncio.Event()
        """No command is sent again."""
        self._read_enough = asyncio.Event()
        """No read is."""
        self._going_on = asyncio.Event()
        self._busy = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._focus: str | None = None
        self.spoilt: Sequence[str] = ()
        """Words of which each tenth command bears one in its key: it is to fail."""

    async def lay_groundwork(self) -> None:
        """What all commands build on: organisations, people, communities; then forms, innovations."""
        rng, until = random.Random(self._seed), time.monotonic() + WITHOUT_WHICH_NOTHING_S
        laid = [await self._send(call, rng, until=until) for call in self._world.groundwork()]
        after = [position for line in laid for position in line["positions"]]
        for call in self._world.further_groundwork():
            await self._send(call, rng, after=after, until=until)

    async def cross(self, how: Crossing, number: int, people: int) -> None:
        """Register people, and send at once whatever may get into each other's way about who they are."""
        name = f"{how.__name__}-{number}"
        rng, until = random.Random(f"{self._seed}/{name}"), time.monotonic() + WITHOUT_WHICH_NOTHING_S
        calls = [self._world.registered(f"{name}-{one}") for one in range(people)]
        registered = [await self._send(call, rng, until=until) for call in calls]
        after = [position for line in registered for position in line["positions"]]
        first, calls = how(self._world, number, [line["person"] for line in registered if "person" in line])
        for call in first:
            await self._send(call, rng, after=after, until=until)
        rng.shuffle(calls)
        sent = [self._send(call, rng, after=after, until=until) for call in calls]
        for problem in await asyncio.gather(*sent, return_exceptions=True):
            if isinstance(problem, BaseException):
                raise problem

    def start(self) -> None:
        self._history.note(LOAD_BEGAN)
        self._going_on.set()
        scripts = [Script(self._world, number, self._seed) for number in range(self._world.clients)]
        self._working = [asyncio.create_task(self._work(number, script)) for number, script in enumerate(scripts)]

    async def only(self, focus: str) -> None:
        """Commands of this service only, from now on."""
        self._focus = focus
        self._go_on()

    async def all(self) -> None:
        self._focus = None
        self._go_on()

    def _go_on(self) -> None:
        self._history.note("load went on")
        self._going_on.set()

    async def pause(self) -> None:
        """No commands until there is a focus again; returns once those in flight are answered."""
        self._going_on.clear()
        try:
            await asyncio.wait_for(self._idle.wait(), WITHOUT_WHICH_NOTHING_S)
        except TimeoutError:
            raise NotAnswered(self._unanswered) from None
        self._history.note("load paused")

    async def end(self, within: float) -> None:
        """Let the clients finish what they have begun, then their reads: what is not answered within so many seconds
        each is given up.
        """
        self._history.note("load ended")
        self._ended.set()
        self._going_on.set()
        await _finish(self._working, within, self._given_up)
        await _finish(self._reading, within, self._read_enough)

    async def close(self) -> None:
        tasks = [*self._working, *self._reading]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._http.close()

    async def _work(self, number: int, script: Script) -> None:
        rng = random.Random(f"{self._seed}/{number}/client")
        counts: dict[tuple[str, str], int] = {}
        while not self._ended.is_set():
            await self._going_on.wait()
            if self._ended.is_set():
                return
            self._busy += 1
            self._idle.clear()
            try:
                await self._step(script, rng, counts)
            finally:
                self._busy -= 1
                if not self._busy:
                    self._idle.set()
            await asyncio.sleep(BETWEEN_S)

    async def _step(self, script: Script, rng: random.Random, counts: dict[tuple[str, str], int]) -> None:
        """`counts`: how many of its own this client knows to be in a figure, by community and measure."""
        call = script.next(self._focus)
        line = await self._send(call, rng, abandoning=True)
        if line["outcome"] in ("unknown", "failed"):
            script.forget(call)
        if line["outcome"] != "acknowledged" or not call.shows:
            return
        shows, counted = call.shows, (call.shows["community"], call.shows.get("counts", ""))
        if "counts" in shows:
            counts[counted] = counts.get(counted, 0) + 1
            shows = {**shows, "at_least": counts[counted]}
        if rng.random() < READ and sum(not task.done() for task in self._reading) < READING:
            self._reading.append(asyncio.create_task(self._read(shows, line["positions"])))

    async def _send(
        self,
        call: Call,
        rng: random.Random,
        *,
        after: Iterable[str] = (),
        abandoning: bool = False,
        until: float = math.inf,
    ) -> Line:
        """Send it until it is answered, by default for as long as the load lasts.

        Raises:
            NotAnswered: not even until then (by the monotonic clock).
        """
        self._sent += 1
        word = rng.choice(self.spoilt) if self.spoilt and rng.random() < SPOILT else ""
        key = f"{self._world.name}-{self._sent}{word}"
        line: Line = {
            "key": key,
            "spoilt": word,
            "call": asdict(call),
            "began": time.time(),
            "tries": 0,
            "statuses": [],
        }
        headers = {"Idempotency-Key": f'"{key}"', "Praxis-After": ", ".join(after)}
        outcome: str | None = None
        answer: dict[str, Any] = {}
        self._unanswered.append(line)
        while outcome is None:
            line["tries"] += 1
            status, answer = await self._once(call, headers)
            line["statuses"].append(status)
            if status == 202:
                outcome = "acknowledged"
            elif status is not None and 400 <= status < 500:
                outcome = "refused"
            elif status == 500:
                outcome = "failed"
            elif time.monotonic() > until:
                raise NotAnswered([line])
            elif self._given_up.is_set():
                outcome = "unknown"
                line["given_up"] = True
            elif abandoning and status is None and rng.random() < ABANDONED:
                outcome = "unknown"
            else:
                await asyncio.sleep(PAUSE_S)
        self._unanswered = [one for one in self._unanswered if one is not line]
        line |= {"ended": time.time(), "outcome": outcome, "positions": answer.get("positions", [])}
        if outcome == "refused":
            line["refusal"] = answer
        if "person_id" in answer:
            line["person"] = answer["person_id"]
            self._world.people.append(answer["person_id"])
        self._history.commands.append(line)
        return line

    async def _once(self, call: Call, headers: dict[str, str]) -> tuple[int | None, dict[str, Any]]:
        """Status and body of one attempt; no status where no answer came."""
        url = self._gateway + call.path
        with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
            async with self._http.request(call.method, url, json=call.body, headers=headers) as answer:
                body = await answer.json(content_type=None)
                return answer.status, body if isinstance(body, dict) else {}
        return None, {}

    async def _read(self, shows: dict[str, Any], positions: list[str]) -> None:
        """Read until what was written is shown or refused: not being answered, or being told to come again, is neither.

        Nobody waits for it, so that no less is written where it takes long.
        """
        path = f"/v1/communities/{shows['community']}"
        headers = {"Praxis-After": ", ".join(positions)}
        line: Line = {"path": path, "after": positions, "shows": shows, "began": time.time(), "tries": 0}
        while True:
            line |= {"status": None, "found": None, "tries": line["tries"] + 1}
            with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
                async with self._http.get(self._gateway + path, params={"as_at": LAST_DAY}, headers=headers) as answer:
                    if answer.status == 200:
                        line["found"], line["fresh"] = shown(await answer.json(), line["shows"])
                    line["status"] = answer.status
            if line["status"] not in (None, 503):
                break
            if self._read_enough.is_set():
                line["given_up"] = True
                break
            await asyncio.sleep(READ_AGAIN_S)
        line["ended"] = time.time()
        self._history.reads.append(line)


async def _finish(tasks: Sequence[asyncio.Task[None]], within: float, given_up: asyncio.Event) -> None:
    """Wait for these, which end by themselves once they are to give up."""
    _, pending = await asyncio.wait(tasks, timeout=within) if tasks else (set(), set())
    given_up.set()
    if pending:
        await asyncio.wait(pending)
    for task in tasks:
        task.result()


def shown(view: dict[str, Any], shows: dict[str, Any]) -> tuple[Any, bool]:
    """What a view shows of something, and whether that is as much as it must."""
    if "counts" in shows:
        (figure,) = [one["value"] for one in view["figures"] if one["measure"] == shows["counts"]]
        return figure, figure >= shows["at_least"]
    found = [one["state"] for one in view["convenings"] if one["convening_id"] == shows["convening"]]
    states = (
        ("scheduled", "held", "cancelled") if shows["state"] == "scheduled" else (shows["state"],)
    )  # it goes on meanwhile
    return found, len(found) == 1 and found[0] in states
