"""Clients that write through the gateway at the same time, and send again what was not answered, under the same key."""

import asyncio
import contextlib
import math
import random
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import aiohttp

from tests.faults.commands import LAST_DAY, Call, Crossing, Script, World, otherwise
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
REMEMBERED = 3
"""So many commands before one that is read back, that is to be shown, too, at most."""
CONDITIONAL = 0.5
"""The share of commands that bear the ETag of what they edit, where it is known."""
STALE, AGAIN, OTHERWISE = 0.2, 0.05, 0.05
"""The shares of commands that are sent with a stale ETag before; again, or with another body under their key, after."""
READING = 20
"""So many reads are under way at most: where what they build on is not seen, they come again and again."""


class NotAnswered(Exception):
    """The run cannot go on without an answer to these."""

    def __init__(self, lines: Iterable[Line]) -> None:
        told = (f"{line['call']['method']} {line['call']['path']} ({how_often(line['statuses'])})" for line in lines)
        super().__init__(f"not answered in {WITHOUT_WHICH_NOTHING_S:.0f} s: {'; '.join(told)}")


@dataclass
class Client:
    """One client, and what it knows of what it has written."""

    script: Script
    rng: random.Random
    counts: dict[tuple[str, str], int] = field(default_factory=dict)
    """How many of its own are in a figure, by community and measure."""
    versions: dict[str, int] = field(default_factory=dict)
    """By the address of what it alone edits: its ETag."""
    written: deque[list[str]] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    """The positions of its last commands."""


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
        clients = [
            Client(Script(self._world, number, self._seed), random.Random(f"{self._seed}/{number}/client"))
            for number in range(self._world.clients)
        ]
        self._working = [asyncio.create_task(self._work(client)) for client in clients]

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

    async def _work(self, client: Client) -> None:
        while not self._ended.is_set():
            await self._going_on.wait()
            if self._ended.is_set():
                return
            self._busy += 1
            self._idle.clear()
            try:
                await self._step(client)
            finally:
                self._busy -= 1
                if not self._busy:
                    self._idle.set()
            await asyncio.sleep(BETWEEN_S)

    async def _step(self, client: Client) -> None:
        call, rng = client.script.next(self._focus), client.rng
        version = client.versions.get(call.edits)
        if version is not None and rng.random() < STALE:
            await self._probe("a stale ETag", call, self._key("-stale"), {"If-Match": f'"{version - 1}"'})
        is_conditional = version is not None and rng.random() < CONDITIONAL
        line = await self._send(call, rng, abandoning=True, version=version if is_conditional else None)
        if line["outcome"] in ("unknown", "failed"):
            client.script.forget(call)
        if line["outcome"] != "acknowledged":
            return
        if call.edits and "version" in line:
            client.versions[call.edits] = line["version"]
        if call.shows:
            self._read_back(client, call, line)
        client.written.append(line["positions"])
        if rng.random() < AGAIN:
            await self._probe("again", call, line["key"], of=line["key"])
        if rng.random() < OTHERWISE and (body := otherwise(call.body)) is not None:
            await self._probe("another body", replace(call, body=body), line["key"], of=line["key"])

    def _read_back(self, client: Client, call: Call, line: Line) -> None:
        """Some of them: what the client wrote before is to be there, too."""
        shows, counted = call.shows, (call.shows["community"], call.shows.get("counts", ""))
        if "counts" in shows:
            client.counts[counted] = client.counts.get(counted, 0) + 1
            shows = {**shows, "at_least": client.counts[counted]}
        if client.rng.random() < READ and sum(not task.done() for task in self._reading) < READING:
            line["read_back"] = True
            after = [position for written in (*client.written, line["positions"]) for position in written]
            client.rng.shuffle(after)
            self._reading.append(asyncio.create_task(self._read(line["key"], shows, after)))

    async def _send(
        self,
        call: Call,
        rng: random.Random,
        *,
        after: Iterable[str] = (),
        version: int | None = None,
        abandoning: bool = False,
        until: float = math.inf,
    ) -> Line:
        """Send it until it is answered, by default for as long as the load lasts; on the condition that what it edits
        has this version, where one is said.

        Raises:
            NotAnswered: not even until then (by the monotonic clock).
        """
        word = rng.choice(self.spoilt) if self.spoilt and rng.random() < SPOILT else ""
        line: Line = {"key": self._key(word), "spoilt": word, "call": asdict(call)}
        headers = {"Praxis-After": ", ".join(after)} | ({} if version is None else {"If-Match": f'"{version}"'})
        answer = await self._until_answered(line, headers, rng if abandoning else None, until)
        status = line["statuses"][-1]
        outcome = _outcome(status) or "unknown"
        line |= {"outcome": outcome, "positions": answer.get("positions", [])}
        if outcome == "refused":
            line["refusal"] = answer
        if "person_id" in answer:
            line["person"] = answer["person_id"]
            self._world.people.append(answer["person_id"])
        self._history.commands.append(line)
        return line

    def _key(self, word: str) -> str:
        self._sent += 1
        return f"{self._world.name}-{self._sent}{word}"

    async def _probe(
        self, how: str, call: Call, key: str, headers: Mapping[str, str] | None = None, **more: Any
    ) -> None:
        """Send something to which there is one right answer, whatever happens meanwhile."""
        line: Line = {"how": how, "key": key, "call": asdict(call), **more}
        answer = await self._until_answered(line, headers or {})
        self._history.probes.append(line | {"status": line["statuses"][-1], "answer": answer})

    async def _until_answered(
        self,
        line: Line,
        headers: Mapping[str, str],
        abandoning: random.Random | None = None,
        until: float = math.inf,
    ) -> dict[str, Any]:
        """Send it until it is answered or given up, or by chance left alone; the body of the last answer."""
        line |= {"began": time.time(), "tries": 0, "statuses": []}
        self._unanswered.append(line)
        while True:
            line["tries"] += 1
            status, answer = await self._once(line, headers)
            line["statuses"].append(status)
            if _outcome(status):
                break
            if time.monotonic() > until:
                raise NotAnswered([line])
            if self._given_up.is_set():
                line["given_up"] = True
                break
            if status is None and abandoning and abandoning.random() < ABANDONED:
                break
            await asyncio.sleep(PAUSE_S)
        self._unanswered = [one for one in self._unanswered if one is not line]
        line["ended"] = time.time()
        return answer

    async def _once(self, line: Line, headers: Mapping[str, str]) -> tuple[int | None, dict[str, Any]]:
        """Status and body of one attempt; no status where no answer came. Notes the version that it tells."""
        call = line["call"]
        sent = {**headers, "Idempotency-Key": f'"{line["key"]}"'}
        with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
            async with self._http.request(
                call["method"], self._gateway + call["path"], json=call["body"], headers=sent
            ) as answer:
                body = await answer.json(content_type=None)
                if "ETag" in answer.headers:
                    line["version"] = int(answer.headers["ETag"].strip('"'))
                return answer.status, body if isinstance(body, dict) else {}
        return None, {}

    async def _read(self, of: str, shows: dict[str, Any], positions: list[str]) -> None:
        """Read until what was written is shown or refused: not being answered, or being told to come again, is neither.

        Nobody waits for it, so that no less is written where it takes long.
        """
        path = f"/v1/communities/{shows['community']}"
        headers = {"Praxis-After": ", ".join(positions)}
        line: Line = {"of": of, "path": path, "after": positions, "shows": shows, "began": time.time(), "tries": 0}
        while True:
            line |= {"status": None, "found": None, "tries": line["tries"] + 1}
            with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
                async with self._http.get(self._gateway + path, params={"as_at": LAST_DAY}, headers=headers) as answer:
                    if answer.status == 200:
                        line["found"] = found(await answer.json(), shows)
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


def _outcome(status: int | None) -> str | None:
    """What an answer means; nothing where the command is to be sent again."""
    if status == 202:
        return "acknowledged"
    if status is not None and 400 <= status < 500:
        return "refused"
    return "failed" if status == 500 else None


def found(view: dict[str, Any], shows: dict[str, Any]) -> Any:
    """What a view shows of something: a figure, or the states of a convening, of which there is to be one."""
    if "counts" in shows:
        (figure,) = [one["value"] for one in view["figures"] if one["measure"] == shows["counts"]]
        return figure
    return [one["state"] for one in view["convenings"] if one["convening_id"] == shows["convening"]]
