"""Loading the demonstration through the gateway, round by round. It may be loaded again: nothing is added twice."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from deploy.client import Command, Done, Gateway, Refused
from deploy.demo import content as contents
from deploy.demo.generated import generate
from deploy.demo.steps import Step, registrations, steps
from deploy.local.failures import Failure

KEY = "praxis demonstration"
Advance = Callable[[int, int], object]
"""Told how many commands are done, of how many."""


@dataclass(frozen=True)
class Loaded:
    commands: int
    created: int
    unchanged: int
    demonstration_on: str
    positions: tuple[str, ...]
    """Where it ends: views that include these include all that is shown of it."""


async def is_empty(gateway: Gateway) -> bool:
    """Whether the network holds nothing yet."""
    for things in ("organisations", "programmes", "communities"):
        if (await gateway.view(f"/v1/{things}"))["items"]:
            return False
    return True


async def load(gateway: Gateway, advance: Advance = lambda done, of: None) -> Loaded:
    """
    Raises:
        Failure: the system is away, or holds something else under an id of the demonstration.
    """
    content = contents.read()
    generated = generate(content)
    loading = _Loading(gateway, advance)
    registering = registrations(content, generated)
    loading.total = len(registering) + sum(map(len, steps(content, generated, {ref: ref for ref in registering})))
    done = await loading.round([Step(command) for command in registering.values()])
    ids = {ref: str(one.answer["person_id"]) for ref, one in zip(registering, done, strict=True)}
    for round_ in steps(content, generated, ids):
        await loading.round(round_)
    positions = tuple(f"{stream}@{version}" for stream, version in loading.heads.items() if "/person." not in stream)
    unchanged = loading.done - loading.created
    return Loaded(loading.total, loading.created, unchanged, content.demonstration_on, positions)


class _Loading:
    def __init__(self, gateway: Gateway, advance: Advance, at_once: int = 64) -> None:
        self._gateway, self._advance = gateway, advance
        self._slots = asyncio.Semaphore(at_once)
        self.total = self.done = self.created = 0
        self.heads: dict[str, int] = {}
        """stream -> the last version that was added"""

    async def round(self, wanted: Sequence[Step]) -> Sequence[Done]:
        heads: Mapping[str, int] = dict(self.heads)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._send(step, heads)) for step in wanted]
        return [task.result() for task in tasks]

    async def _send(self, step: Step, heads: Mapping[str, int]) -> Done:
        streams = [f"membership/{key}" for key in step.builds_on]
        after = [f"{stream}@{heads[stream]}" for stream in streams if stream in heads]
        async with self._slots:
            done = await self._sent(step.command, after)
        for position in done.positions:
            stream, _, version = position.rpartition("@")
            self.heads[stream] = max(self.heads.get(stream, 0), int(version))
        self.done += 1
        self.created += not done.unchanged
        self._advance(self.done, self.total)
        return done

    async def _sent(self, command: Command, after: Sequence[str]) -> Done:
        try:
            return await self._gateway.command(command, key=command.key(KEY), after=after)
        except Refused as refused:
            raise Failure(
                f"The demonstration cannot be loaded: {command.path} was refused: {refused.reason}.",
                "load it into an empty network: `make clean`, then `make up`.",
            ) from None
