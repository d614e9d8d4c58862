"""Patience with what a command builds on: facts of other services may still be on their way."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from shared.reading.heads import Waiting
from shared.refusals import Unavailable, UnknownReference
from shared.writing.decider import Command, Decider, Key
from shared.writing.writer import Envelope, Writer, Written

C = TypeVar("C", bound=Command)
S = TypeVar("S")

PAUSE_S = 0.03


class PatientWriter:
    """A writer for a service that follows others: waits for what a command says it builds on, and gives what is not
    known a moment, before it is taken for unknown.
    """

    def __init__(
        self,
        writer: Writer,
        waiting: Waiting,
        is_behind: Callable[[], Awaitable[bool]],
        *,
        within: timedelta = timedelta(seconds=3),
        moment: timedelta = timedelta(milliseconds=300),
    ) -> None:
        self._writer, self._waiting, self._is_behind = writer, waiting, is_behind
        self._within, self._moment = within, moment

    async def __call__(self, decider: Decider[C, S], key: Key, command: C, envelope: Envelope) -> Written:
        """As the writer's.

        Raises:
            Unavailable: what it builds on has not arrived yet.
        """
        missing = await self._waiting.until_seen(envelope.after, self._within)
        if missing:
            raise Unavailable(f"Not arrived here yet: {', '.join(map(str, missing))}. Come again", field="Praxis-After")
        deadline = asyncio.get_running_loop().time() + self._moment.total_seconds()
        is_current = False
        while True:
            try:
                return await self._writer(decider, key, command, envelope)
            except UnknownReference as unknown:
                if is_current:
                    raise
                if asyncio.get_running_loop().time() < deadline:
                    await asyncio.sleep(PAUSE_S)
                elif await self._is_behind():
                    raise Unavailable(f"{unknown.detail}; it may still be on its way", field=unknown.field) from None
                else:  # it may have arrived since it was looked for: look once more
                    is_current = True
