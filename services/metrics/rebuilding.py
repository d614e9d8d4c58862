"""Folds all facts anew, beside the build that is read, and lets the new build take over once it has seen all that the
old one has. It publishes nothing. Killed, it leaves a build that nobody reads; run again, it goes on with that one.
"""

import asyncio
import os
import socket
import time
from collections import deque
from collections.abc import Awaitable, Callable
from collections.abc import Set as AbstractSet
from functools import partial
from typing import Any, TypeVar

from aiokafka.admin import AIOKafkaAdminClient
from pymongo.errors import OperationFailure

from services.metrics import dead_letters
from services.metrics.beside import Beside, folded_offsets, places
from services.metrics.comparison import Comparison, compare, runs, versions_of
from services.metrics.flip import (
    CaughtUp,
    GivenUp,
    NotReady,
    Offsets,
    Overtaken,
    Stale,
    Unseen,
    UnseenStream,
    begin,
    by_stream,
    clear,
    flip,
    give_up,
    require_under_way,
    unseen_streams,
)
from services.metrics.fold import Fold
from services.metrics.release import release
from services.metrics.settings import Settings
from services.metrics.taking_over import TakingOver
from shared.drivers import by_its_name
from shared.events.fact import SOURCE_TOPICS, Position, Stream
from shared.kafka import topic_name
from shared.lease import Lease
from shared.mongo import Database, connect
from shared.reading.follower import AWAY, FIRST_PAUSE_S, LONGEST_PAUSE_S
from shared.reading.log import LostLog, held_up, open_transaction, topic_of
from shared.reading.sink import Closed, Sink
from shared.views.builds import Build

T = TypeVar("T")

TELL_EVERY_S = 0.25
NEAR = 2_000
"""Facts behind the old build: near enough to stop a partition where that one is."""
CATCHES_UP_WITHIN_S = 5.0
"""MongoDB ends a transaction that takes ten seconds."""
TRIES = 30
SNAPSHOT_IS_GONE = (239, 246)  # SnapshotTooOld, SnapshotUnavailable

REFILL_FIRST = (
    "Let a refill of all topics come to its end, `praxis refill --new-topics`, begun after they were made, and run "
    "this again; what is not there then was recorded by no service, and goes with --take-back"
)
Say = Callable[[dict[str, Any]], None]
Ask = Callable[[str], Awaitable[bool]]
"""Whether it is accepted: `unseen` facts, or `differences`."""


class Rebuild:
    """One rebuild, from its beginning, or from where an earlier one was ended, to its end."""

    def __init__(
        self,
        settings: Settings,
        say: Say,
        ask: Ask,
        *,
        new_topics: bool = False,
        take_back: bool = False,
        grace_s: float = 60,
    ) -> None:
        """`ask` is asked whether what was told last is accepted: facts that are taken back, or else differences.

        `new_topics`: the topics were made anew and refilled, so the offsets of the old build say nothing.
        `take_back`: what the old build has seen and these topics do not hold was recorded by nobody, and may go.
        """
        self._settings, self._say, self._ask = settings, say, ask
        self._new_topics, self._take_back, self._grace_s = new_topics, take_back, grace_s
        self._client = connect(settings.mongo)
        self._db: Database = self._client[settings.database]
        self._lease = Lease(self._db, "rebuild", f"{socket.gethostname()}:{os.getpid()}")

    async def run(self) -> bool:
        """Rebuild; False where the differences were not accepted.

        Raises:
            Overtaken: another one has done it.
            GivenUp, HeldElsewhere, LostLog, Halt, NotReady, OperationFailure: the build that is read is as it was.
        """
        return await self._once(self._rebuild_and_clear)

    async def abandon(self) -> None:
        """Leave no trace of a rebuild that was ended half way."""
        await self._once(partial(self._patiently, self._abandon))

    async def _abandon(self) -> None:
        given_up = await give_up(self._db)
        await clear(self._db)
        self._say({"stage": "abandoned", "build": given_up and given_up.number})

    async def _once(self, work: Callable[[], Awaitable[T]]) -> T:
        try:
            await self._patiently(self._lease.claim)
            return await self._lease.once(work, self._say_away)
        finally:
            await self._client.close()

    async def _patiently(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do it, and do it again while MongoDB or Kafka is away: what was folded is not folded again."""
        pause = FIRST_PAUSE_S
        while True:
            try:
                return await by_its_name(work())
            except OperationFailure:
                raise  # MongoDB is there, and says no
            except AWAY as problem:
                self._say_away(problem)
            pause = min(pause * 2, LONGEST_PAUSE_S)
            await asyncio.sleep(pause)

    def _say_away(self, problem: Exception) -> None:
        self._say({"stage": "away", "reason": repr(problem)})

    async def _rebuild_and_clear(self) -> bool:
        new = await self._patiently(self._rebuild)
        if new is None:
            return False
        await asyncio.sleep(self._grace_s)
        self._say({"stage": "done", "build": new.number, "dropped": await self._patiently(self._clear)})
        return True

    async def _clear(self) -> list[int]:
        return await clear(self._db)

    async def _rebuild(self) -> Build | None:
        """The new build once it has taken over; None where the differences were not accepted."""
        old, new = await begin(self._db, release())
        await clear(self._db)
        await dead_letters.say_folded(self._db, old)
        await Fold(new).prepare(self._db)
        await dead_letters.prepare(self._db)
        partitions = await _partitions(self._settings.kafka)
        sink = Sink(
            self._client,
            self._db,
            SOURCE_TOPICS,
            Fold(new),
            partial(dead_letters.keep, limit=self._settings.dead_letter_limit, build=new),
            heads=new.heads,
            partitions=new.partitions,
            cached=self._settings.most_cached,
            spread_over=partitions,
            discarded=await dead_letters.discarded(self._db),
            note_folded=partial(dead_letters.note_folded, builds=(old, new)),
        )
        beside = Beside(
            self._settings.kafka, self._db, old, sink, partitions, self._say_away, new_topics=self._new_topics
        )
        self._say({"stage": "begun", "build": new.number, "beside": old.number})
        working = asyncio.ensure_future(self._work(beside, old, new, partitions))
        following = asyncio.ensure_future(beside.run())
        try:
            await asyncio.wait({working, following}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():  # else it has taken over, whatever came of following it
                following.result()
            return working.result()
        except Closed:  # who took over from the new build has closed it
            raise Overtaken from None
        except NotReady:  # of builds that are gone nothing else can be said
            await self._patiently(partial(require_under_way, self._db, old, new))
            raise
        finally:
            for task in (working, following):
                task.cancel()
            await asyncio.gather(working, following, return_exceptions=True)

    async def _work(self, beside: Beside, old: Build, new: Build, partitions: int) -> Build | None:
        await self._until_near(beside)
        unseen = await self._unseen(beside, old, new, partitions) if self._new_topics else []
        if unseen and not await self._accepted("unseen", old, new):
            return None
        settled = TakingOver(self._client, self._db, (old, new), partitions)
        comparison = await self._compare(beside, settled, old, new, partitions)
        await require_under_way(self._db, old, new)
        self._say({"stage": "compared", **_told(comparison)})
        taken_back = {Position(one.stream, version) for one in unseen for version in one.versions}
        await self._require_nothing_lost(comparison, old, new, taken_back)
        if comparison.differs and not await self._accepted("differences", old, new):
            return None
        await self._flip(beside, settled, old, new, partitions, taken_back)
        self._say({"stage": "flipped", "build": new.number, "grace_s": self._grace_s, "facts": beside.facts})
        return new

    async def _accepted(self, what: str, old: Build, new: Build) -> bool:
        """
        Raises:
            Overtaken, GivenUp: while that was looked at, or asked.
        """
        await require_under_way(self._db, old, new)
        accepted = await self._ask(what)
        await require_under_way(self._db, old, new)
        if not accepted:
            self._say({"stage": "refused", "build": new.number, "what": what})
        return accepted

    async def _until_near(self, beside: Beside) -> None:
        progress = Progress()
        while not (beside.is_reading and beside.total - beside.done <= NEAR):
            await asyncio.sleep(TELL_EVERY_S)
            if beside.is_reading:
                self._say({"stage": "reading", **progress.told(beside)})
        self._say({"stage": "reading", **progress.told(beside)})

    async def _unseen(self, beside: Beside, old: Build, new: Build, partitions: int) -> list[UnseenStream]:
        """What the old build has folded and the new topics do not hold, but for what a replay brings.

        Looked for before anything is settled: else a stray that was replayed would be folded before the fact in whose
        place it stands, where that is still to come by the refill.
        """
        if held := await held_up(self._settings.kafka, places(partitions)):
            place, offset = min(held.items())
            raise NotReady(f"{open_transaction(place, offset, self._settings.kafka)}. Then run this again")
        await beside.stay(range(partitions), None)
        try:
            replayed = await dead_letters.claimed(self._db, dead_letters.folded_in(old))
            unseen = await unseen_streams(self._db, old, new, replayed)
        finally:
            beside.go_on()
        if unseen and not self._take_back:
            raise NotReady(f"{Unseen(old, new, unseen)}. {REFILL_FIRST}")
        if unseen:
            told = [{"stream": str(one.stream), "versions": runs(one.versions)} for one in unseen]  # each is looked up
            self._say({"stage": "unseen", "count": len(unseen), "streams": told})
        return unseen

    async def _compare(
        self, beside: Beside, settled: TakingOver, old: Build, new: Build, partitions: int
    ) -> Comparison:
        comparison = Comparison()
        # new topics may have another number of partitions: then all is compared at once
        portions = [range(partitions)] if self._new_topics else [range(n, n + 1) for n in range(partitions)]
        for numbers in portions:
            try:
                await beside.stay(numbers, None)  # so that nothing is on its way into the sink while it is read
                async with self._client.start_session(snapshot=True) as session:
                    stopped_at = await folded_offsets(self._db, old, partitions, session)
                    await beside.stay(numbers, None if self._new_topics else stopped_at)
                    await settled.settle(numbers, as_of=session)
                    number = None if self._new_topics else numbers[0]
                    await compare(comparison, self._db, (old, new), number, session)
            except OperationFailure as problem:
                if problem.code not in SNAPSHOT_IS_GONE:
                    raise
                raise NotReady(
                    f"comparing partition {numbers[0]} took longer than MongoDB keeps what it held: raise its "
                    f"parameter minSnapshotHistoryWindowInSeconds and run the rebuild again"
                ) from None
            finally:
                beside.go_on()
            self._say({"stage": "comparing", "done": numbers[-1] + 1, "total": partitions})
        return comparison

    async def _require_nothing_lost(
        self, comparison: Comparison, old: Build, new: Build, taken_back: AbstractSet[Position]
    ) -> None:
        """Not to be asked about what cannot be accepted.

        Raises:
            Unseen: the old build alone has seen what nobody decided to do without.
        """
        without = by_stream(await self._without(old, taken_back))
        lost = list[UnseenStream]()
        for one in comparison.streams_apart:
            stream = Stream.parse(one.stream)
            lacking = versions_of(one.only_before) - versions_of(one.given_up)
            if unseen := sorted(lacking - without.get(stream, set())):
                lost.append(UnseenStream(stream, unseen))
        if lost:
            raise Unseen(old, new, lost)

    async def _without(self, old: Build, taken_back: AbstractSet[Position]) -> AbstractSet[Position]:
        """What the old build has folded and somebody decided to do without."""
        return taken_back | await dead_letters.claimed(self._db, dead_letters.undone_in(old))

    async def _flip(
        self,
        beside: Beside,
        settled: TakingOver,
        old: Build,
        new: Build,
        partitions: int,
        taken_back: AbstractSet[Position],
    ) -> None:
        read = beside.mark()
        # which takes its time where there are many streams; afterwards only what moves is looked at
        behind = {str(one.stream) for one in await unseen_streams(self._db, old, new)}

        async def caught_up(stopped_at: Offsets) -> CaughtUp:
            try:
                async with asyncio.timeout(CATCHES_UP_WITHIN_S):
                    await beside.catch_up()
                    await settled.settle(range(partitions))
                    replayed = await dead_letters.streams_of(self._db, dead_letters.folded_in(old))
                    without = await self._without(old, taken_back)
            except TimeoutError:
                raise NotReady(f"build {new.number} does not catch up with build {old.number}") from None
            if not self._new_topics:
                await self._require_as_far(new, partitions, stopped_at)
            return CaughtUp(behind | read | replayed, without)

        for left in reversed(range(TRIES)):
            await beside.catch_up()  # so that the old build stands still for a moment only
            try:
                await flip(self._client, self._db, old, new, partitions, caught_up)
            except NotReady as problem:
                if isinstance(problem, (Unseen, Stale, Overtaken, GivenUp)) or not left:
                    raise
                self._say({"stage": "waiting", "reason": str(problem)})
                await asyncio.sleep(1)
            else:
                return

    async def _require_as_far(self, new: Build, partitions: int, stopped_at: Offsets) -> None:
        reached = await folded_offsets(self._db, new, partitions)
        for place, offset in reached.items():
            wanted = stopped_at.get(place.partition, {}).get(topic_of(place), 0)
            if offset < wanted:
                raise NotReady(
                    f"build {new.number} has come to offset {offset} of {place.topic}, partition {place.partition}, "
                    f"the current build to {wanted}: if the topics were made anew, say so with --new-topics"
                )


class Progress:
    """How fast it goes, over the last seconds."""

    def __init__(self) -> None:
        self._marks: deque[tuple[float, int]] = deque(maxlen=int(5 / TELL_EVERY_S))

    def told(self, beside: Beside) -> dict[str, Any]:
        self._marks.append((time.monotonic(), beside.facts))
        (then, before), (now, facts) = self._marks[0], self._marks[-1]
        rate = (facts - before) / (now - then) if now > then else 0.0
        left = max(beside.total - beside.done, 0)
        return {
            "done": beside.done,
            "total": beside.total,
            "facts_per_second": round(rate),
            "seconds_left": round(left / rate, 1) if rate else None,
        }


async def _partitions(bootstrap: str) -> int:
    """How many partitions the source topics have.

    Raises:
        LostLog: one of them is not there, or they differ.
    """
    names = [topic_name(topic) for topic in SOURCE_TOPICS]
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        await admin.start()
        counts = {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics(names)}
    finally:
        await admin.close()
    if 0 in counts.values() or len(set(counts.values())) != 1:
        raise LostLog(f"the source topics must be there, with equal numbers of partitions, which are now: {counts}")
    return counts[names[0]]


def _told(comparison: Comparison) -> dict[str, Any]:
    return {
        "scopes": comparison.scopes,
        "figures": comparison.figures,
        "records": comparison.records,
        "left_out": comparison.left_out,
        "apart": comparison.apart,
        "streams_apart": [stream._asdict() for stream in comparison.streams_apart],
        "counts": dict(comparison.counts.most_common()),
        "differences": [difference._asdict() for difference in comparison.differences],
    }
