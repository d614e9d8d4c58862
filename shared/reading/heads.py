"""What a reader has seen of each stream: its head, the versions that are missing, those that were given up, and which
fact stands at the head.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from pymongo.asynchronous.collection import AsyncCollection

from shared.events.fact import Position
from shared.mongo import Document, Session

POLL_S = 0.002
WIDEST_GAP = 100_000


class TooFarAhead(Exception):
    """A version that leaves a gap which cannot be true: each missing version is kept until it arrives."""

    def __init__(self, head: int, version: int) -> None:
        super().__init__(f"version {version} cannot follow {head}: no reader loses {WIDEST_GAP} facts and more")


@dataclass
class Seen:
    """Seen means at most the head and not missing. The head is the highest version that came and was understood.

    What could not be understood proves nothing about its version, which may not even be decided yet: it may be missing
    above the head, raises nothing, and a good one of that version is taken whenever it comes.
    """

    head: int = 0
    missing: set[int] = field(default_factory=set)
    """Those below the head that did not come, and those, wherever they are, that came and could not be understood."""
    given_up: set[int] = field(default_factory=set)
    """Those that would be missing if nobody had decided to do without what stood there."""
    last: str = field(default="", compare=False)
    """The id of the fact at the head; empty where a release took it that did not keep it."""

    def has(self, version: int) -> bool:
        return version <= self.head and version not in self.missing

    def stands_elsewise(self, version: int, id: str) -> bool:
        """Whether another fact was taken for this version, as far as that is known: at the head it is.

        Facts come in order, so what was put in the place of the next one is met by that one while it is the head.
        """
        return version == self.head and bool(self.last) and id != self.last

    def not_in(self, other: "Seen") -> list[int]:
        """The versions that were taken here and not there, in order."""
        skipped, skipped_there = self.missing | self.given_up, other.missing | other.given_up
        within = {version for version in skipped_there if version <= min(self.head, other.head)}
        return sorted((within | set(range(other.head + 1, self.head + 1))) - skipped)

    def take(self, version: int, id: str) -> bool:
        """Take a version in, as the fact of this id; False where it was seen before.

        Raises:
            TooFarAhead: nothing is taken.
        """
        if version <= self.head:
            if version not in self.missing and version not in self.given_up:
                return False
            self._found(version)
            return True
        if version - self.head > WIDEST_GAP:
            raise TooFarAhead(self.head, version)
        self.missing.update(skipped for skipped in range(self.head + 1, version) if skipped not in self.given_up)
        self._found(version)
        self.head, self.last = version, id
        return True

    def _found(self, version: int) -> None:
        self.missing.discard(version)
        self.given_up.discard(version)

    def miss(self, version: int) -> None:
        """Note a version that came and could not be understood: missing until a good one comes."""
        if version in self.given_up or self.head < version <= self.head + WIDEST_GAP:  # one beyond is not believed
            self.given_up.discard(version)
            self.missing.add(version)

    def give_up(self, version: int) -> None:
        """Do without what could not be understood: its version is not missing, and taken if it comes all the same."""
        if version in self.missing:
            self.missing.discard(version)
            self.given_up.add(version)

    @classmethod
    def restored(cls, document: Document | None) -> "Seen":
        """What is stored of a stream; nothing was seen of one of which nothing is."""
        if document is None:
            return cls()
        missing, given_up = set(document["missing"]), set(document.get("given_up", ()))
        return cls(document["head"], missing, given_up, document.get("last", ""))

    def document(self) -> Document:
        missing, given_up = sorted(self.missing), sorted(self.given_up)
        return {"head": self.head, "missing": missing, "given_up": given_up, "last": self.last}


async def unseen(
    heads: AsyncCollection[Document], positions: Collection[Position], session: Session | None = None
) -> list[Position]:
    """Those of the positions that the reader has not seen yet."""
    streams = {str(position.stream) for position in positions}
    seen = {
        document["_id"]: Seen.restored(document)
        async for document in heads.find({"_id": {"$in": list(streams)}}, session=session)
    }
    return [p for p in positions if not seen.get(str(p.stream), Seen()).has(p.version)]


class Waiting:
    """Waits until positions are seen. All waiters share one question at a time, asked as long as anybody waits."""

    def __init__(self, heads: Callable[[], AsyncCollection[Document]], topics: Collection[str] | None = None) -> None:
        self._heads = heads
        self._topics = topics
        self._waiters: dict[asyncio.Future[None], set[Position]] = {}
        self._asking: asyncio.Task[None] | None = None

    async def until_seen(self, positions: Iterable[Position], within: timedelta) -> list[Position]:
        """Wait, at most `within`; the positions that are still not seen, none as a rule.

        Positions of topics that this reader does not follow are none of its business, and not waited for.
        """
        wanted = {p for p in positions if self._topics is None or p.stream.topic in self._topics}
        if not wanted:
            return []
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters[waiter] = wanted
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        try:
            await asyncio.wait_for(waiter, within.total_seconds())
        except TimeoutError:
            return sorted(wanted)
        finally:
            self._waiters.pop(waiter, None)
        return []

    async def _ask(self) -> None:
        try:
            while self._waiters:
                wanted = set().union(*self._waiters.values())
                still = set(await unseen(self._heads(), wanted))
                for waiter, positions in list(self._waiters.items()):
                    positions -= wanted - still
                    if not positions and not waiter.done():
                        waiter.set_result(None)
                        del self._waiters[waiter]
                await asyncio.sleep(POLL_S)
        except Exception as problem:
            for waiter in self._waiters:
                if not waiter.done():
                    waiter.set_exception(problem)
            raise
