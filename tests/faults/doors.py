"""Doors: TCP proxies of the suite's own, by which services, clients and nodes come to the engines.

What a door does with what passes is its manner, which a fault may change at any time. Both protocols are sequences of
messages that begin with their length, so a manner is given whole messages.
"""

import asyncio
import random
import struct
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

LONGEST = 100_000_000  # bytes; a message that says it is longer is none


class Cut(Exception):
    """The connection is to be cut."""


@dataclass(eq=False)
class Talk:
    """One connection through a door. A manner may answer in the engine's place."""

    answer: Callable[[bytes], None]
    noted: dict[Any, Any] = field(default_factory=dict)
    """What a manner wants to remember of it."""


class Manner:
    """Lets everything pass."""

    async def asked(self, talk: Talk, message: bytes) -> bytes | None:
        """What the engine is given of it; nothing if it is not to hear of it."""
        return message

    async def answered(self, talk: Talk, message: bytes) -> bytes | None:
        """What the client is given of it."""
        return message


class Slow(Manner):
    """Every message takes its time; now and then one takes seconds, or its connection is cut.

    A connection carries one message at a time in each direction, as a narrow wire does.
    """

    def __init__(self, seed: int, least: float, most: float, *, stalls: float = 0.0, cuts: float = 0.0) -> None:
        """Seconds; `stalls` and `cuts` are shares of the messages."""
        self._rng = random.Random(seed)
        self._least, self._most, self._stalls, self._cuts = least, most, stalls, cuts

    async def asked(self, talk: Talk, message: bytes) -> bytes | None:
        return await self._late(message)

    async def answered(self, talk: Talk, message: bytes) -> bytes | None:
        return await self._late(message)

    async def _late(self, message: bytes) -> bytes:
        await asyncio.sleep(self._rng.uniform(self._least, self._most))
        if self._rng.random() < self._stalls:
            await asyncio.sleep(self._rng.uniform(1, 4))
        if self._rng.random() < self._cuts:
            raise Cut
        return message


class Door:
    """Listens on a port of its own and passes on to another."""

    def __init__(self, port: int, rest: Callable[[bytes], int], head: int = 4) -> None:
        """`rest` says how many bytes of a message follow on its first `head`."""
        self.port = port
        self.leads_to: int
        self.manner = Manner()
        self._rest, self._head = rest, head

    async def open(self) -> asyncio.Server:
        return await asyncio.start_server(self._come_in, "127.0.0.1", self.port)

    async def _come_in(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward: asyncio.StreamWriter | None = None
        try:
            back, onward = await asyncio.open_connection("127.0.0.1", self.leads_to)
            talk = Talk(writer.write)
            ways = (
                self._pass(reader, onward, lambda message: self.manner.asked(talk, message)),
                self._pass(back, writer, lambda message: self.manner.answered(talk, message)),
            )
            tasks = [asyncio.create_task(way) for way in ways]
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        except OSError:
            pass  # nobody is behind the door
        finally:
            for end in filter(None, (writer, onward)):
                with suppress(Exception):
                    end.transport.abort()

    async def _pass(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        treated: Callable[[bytes], Awaitable[bytes | None]],
    ) -> None:
        with suppress(Cut, OSError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readexactly(self._head)
                message = head + await reader.readexactly(self._rest(head))
                if (passed := await treated(message)) is not None:
                    writer.write(passed)
                    await writer.drain()


def _of_kafka(head: bytes) -> int:
    (length,) = struct.unpack(">i", head)
    return _sound(length)


def _of_mongo(head: bytes) -> int:
    (length,) = struct.unpack("<i", head)
    return _sound(length - len(head))


def _sound(length: int) -> int:
    if not 0 <= length <= LONGEST:
        raise OSError("this is no message")
    return length


@contextmanager
def doors(ports: Mapping[str, int]) -> Iterator[Mapping[str, Door]]:
    """Open doors by the names of engines, in a thread of their own: they stay open from one run to the next.

    Where each leads to is said before anybody comes.
    """
    made = {name: Door(port, _of_kafka if name == "kafka" else _of_mongo) for name, port in ports.items()}
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="doors", daemon=True)
    thread.start()
    try:
        servers = _within(loop, _opened(list(made.values())))
        yield made
        _within(loop, _closed(servers))
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _opened(made: Sequence[Door]) -> list[asyncio.Server]:
    return [await door.open() for door in made]


async def _closed(servers: Sequence[asyncio.Server]) -> None:
    for server in servers:
        server.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def _within(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run_coroutine_threadsafe(work, loop).result(timeout=30)
