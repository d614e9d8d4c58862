"""Manners of doors to MongoDB: commits are late, or lost, or their answers are."""

import asyncio
import struct
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

import bson

from tests.faults.doors import Cut, Manner, Talk

OP_MSG = 2013
BODY = 21
"""Where the command begins: after the header, the flags and the section's kind."""


class _Commits(Manner):
    """Of transactions that store into one collection."""

    def __init__(self, place: str | None) -> None:
        """`place` is `database.collection`; None where it may be any."""
        self._place = place
        self._storing: set[bytes] = set()
        """The sessions whose transaction does."""

    def _committing(self, message: bytes) -> bytes | None:
        """The session of which this is such a commit."""
        command = _command(message)
        if "lsid" not in command:
            return None
        session = bytes(command["lsid"]["id"])
        if command.get("startTransaction"):
            self._storing.discard(session)
        if self._place in (None, *(f"{command['$db']}.{command.get(how)}" for how in ("insert", "update"))):
            self._storing.add(session)
        return session if "commitTransaction" in command and session in self._storing else None


class CommitsLate(_Commits):
    """Each of these commits comes to the server so many seconds later."""

    def __init__(self, seconds: float, place: str | None = None) -> None:
        super().__init__(place)
        self._seconds = seconds

    async def asked(self, talk: Talk, message: bytes) -> bytes | None:
        if self._committing(message):
            await asyncio.sleep(self._seconds)
        return message


class CommitsCutOff(_Commits):
    """The next commit of a transaction that stores into one collection, and its repetitions, as often as is said.

    Whoever commits is answered nothing: its connection is cut after `held` seconds. If `carried`, the server was given
    the commit before that.
    """

    def __init__(self, place: str, *, carried: bool, times: int, held: float = 0.0) -> None:
        super().__init__(place)
        self._carried, self._left, self._held = carried, times, held
        self._session: bytes | None = None
        self.met: Future[None] = Future()
        """Done when the first has been met, before its connection is cut."""
        self.over: Future[None] = Future()
        """Done when the last has been cut off: who lets all pass before that, answers it."""

    async def asked(self, talk: Talk, message: bytes) -> bytes | None:
        session = self._committing(message)
        if session is None or self._left == 0 or session != (self._session or session):
            return message
        self._session = session
        self._left -= 1
        if not self.met.done():
            self.met.set_result(None)
        if self._carried:
            talk.noted[self] = True
            return message
        await self._cut()
        return None

    async def answered(self, talk: Talk, message: bytes) -> bytes | None:
        if self in talk.noted:
            await self._cut()
        return message

    async def _cut(self) -> None:
        held, self._held = self._held, 0.0
        await asyncio.sleep(held)
        if self._left == 0 and not self.over.done():
            self.over.set_result(None)
        raise Cut


class CommitsCutShort(_Commits):
    """The next commits of transactions that store into one collection, as often as is said, are carried out, and
    answered as by MongoDB that was frozen until their time was over: it gives that no label.
    """

    ANSWER: Mapping[str, Any] = {
        "ok": 0.0,
        "code": 290,
        "codeName": "TransactionExceededLifetimeLimitSeconds",
        "errmsg": "operation was interrupted",
    }

    def __init__(self, place: str, *, times: int) -> None:
        super().__init__(place)
        self._left = times
        self.over: Future[None] = Future()
        """Done when the last has been answered so."""

    async def asked(self, talk: Talk, message: bytes) -> bytes | None:
        if self._left and self._committing(message):
            self._left -= 1
            talk.noted[self] = True
        return message

    async def answered(self, talk: Talk, message: bytes) -> bytes | None:
        if not talk.noted.pop(self, False):
            return message
        if self._left == 0 and not self.over.done():
            self.over.set_result(None)
        body = bson.encode({**_command(message), **self.ANSWER})
        return struct.pack("<i", BODY + len(body)) + message[4 : BODY - 5] + bytes(5) + body  # no flags, no checksum


def _command(message: bytes) -> dict[str, Any]:
    (code,) = struct.unpack_from("<i", message, 12)
    if code != OP_MSG or message[BODY - 1] != 0:
        return {}
    (length,) = struct.unpack_from("<i", message, BODY)
    return bson.decode(message[BODY : BODY + length])
