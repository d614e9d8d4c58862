"""The writer: gathers waiting commands, decides each in memory, and commits all of them in one transaction.

Whatever arrived while the last transaction was in flight is the next one: no timer, milliseconds when quiet,
thousands of commands a second when busy.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import structlog
from pymongo import DeleteOne, ReplaceOne
from pymongo.errors import PyMongoError

from shared import failpoints, telemetry
from shared.drivers import by_its_name
from shared.events.fact import Fact, Position, Stream
from shared.mongo import Client, Database, Document, LostRaces, Session, find_across, transact
from shared.refusals import KeyReused, PreconditionFailed, Refusal, Unavailable
from shared.writing.decider import Command, Decider, Forgotten, Key, On, State, filled, states, subject
from shared.writing.ledger import Ledger
from shared.writing.metrics import BATCH_COMMANDS, COMMANDS, TRANSACTION_SECONDS, WAITING

log = structlog.get_logger(__name__)

LOSING = timedelta(milliseconds=100)
"""A batch that loses races for longer is halved, so that what others hold up does not hold up the rest."""

C = TypeVar("C", bound=Command)
S = TypeVar("S")


@dataclass(frozen=True)
class Envelope:
    """What comes with a command: its key, what it was (so that the key cannot be used for another), its conditions."""

    idempotency_key: str
    digest: str
    expected_version: int | None = None
    after: tuple[Position, ...] = ()
    """What it builds on: a service that follows others waits until it has read these."""
    trace: str = field(default_factory=telemetry.current)


@dataclass(frozen=True)
class Written:
    """The outcome of a command, known to be stored."""

    positions: tuple[Position, ...]
    """Where its facts stand; empty where nothing had to change."""
    version: int
    """That of the last fact about the thing: its ETag."""
    answer: dict[str, Any]
    replayed: bool = False
    """The command had been carried out before under this key; this is its first answer."""


@dataclass
class _Pending:
    decider: Decider[Any, Any]
    command: Command
    envelope: Envelope
    own: Stream
    """The stream of the thing that it is about."""
    initial: Any
    """The situation as if nothing were on record."""
    done: asyncio.Future[Written]


Outcome = Written | Exception


class Writer:
    """Runs deciders against one service's database. One per process; `run` must be running."""

    def __init__(
        self,
        client: Client,
        db: Database,
        *,
        most_waiting: int = 10_000,
        most_at_once: int = 1_000,
        longest_wait: timedelta = timedelta(seconds=10),
    ) -> None:
        self._client = client
        self._db = db
        self._waiting: asyncio.Queue[_Pending] = asyncio.Queue(most_waiting)
        self._most_at_once = most_at_once
        self._longest_wait = longest_wait
        self._aside: set[asyncio.Task[None]] = set()
        self.committed = asyncio.Event()
        """Set after every commit: the relay's doorbell."""

    async def __call__(self, decider: Decider[C, S], key: Key, command: C, envelope: Envelope) -> Written:
        """Carry the command out, and return once that is committed.

        Raises:
            Refusal: nothing was stored; what it was decided on is committed.
            Unavailable: it is not known yet whether it is stored; the same key gives its outcome later.
        """
        own, initial = decider.stream(*key), decider.initial(*key)
        pending = _Pending(decider, command, envelope, own, initial, asyncio.get_running_loop().create_future())
        try:
            self._waiting.put_nowait(pending)
        except asyncio.QueueFull:
            raise Unavailable("Too many commands are waiting: come again in a second") from None
        WAITING.set(self._waiting.qsize())
        try:
            return await asyncio.wait_for(pending.done, self._longest_wait.total_seconds())
        except TimeoutError:
            detail = "The database does not answer, so it is not known yet whether this is stored"
            raise Unavailable(
                f"{detail}: send the command again under the same key",
                retry_after=2,
                idempotency_key=envelope.idempotency_key,
            ) from None

    async def run(self) -> None:
        """Write for ever; on cancellation what is waiting is told to come again."""
        try:
            while True:
                batch = [await self._waiting.get()]
                while len(batch) < self._most_at_once and not self._waiting.empty():
                    batch.append(self._waiting.get_nowait())
                WAITING.set(self._waiting.qsize())
                batch = [pending for pending in batch if not pending.done.done()]  # some gave up waiting
                if batch:
                    await self._carry_out(batch)
        finally:
            for task in self._aside:
                task.cancel()
            while not self._waiting.empty():
                _answer(self._waiting.get_nowait(), Unavailable("The service is stopping: send the command again"))

    async def _carry_out(self, batch: Sequence[_Pending], patience: timedelta | None = LOSING) -> None:
        BATCH_COMMANDS.observe(len(batch))
        try:
            with TRANSACTION_SECONDS.time():
                outcomes = await transact(
                    self._client, lambda session: self._attempt(batch, session), patience=patience
                )
        except Exception as problem:
            if len(batch) == 1 and isinstance(problem, LostRaces):
                self._go_on_aside(batch)
                return
            if len(batch) == 1:
                log.exception(
                    "command.failed",
                    command=type(batch[0].command).__name__,
                    trace_id=telemetry.trace_id(batch[0].envelope.trace),
                )
                _answer(batch[0], problem)
                return
            log.warning("batch.halved", commands=len(batch), reason=repr(problem))
            middle = len(batch) // 2
            await self._carry_out(batch[:middle])
            await self._carry_out(batch[middle:])
        except BaseException:
            for pending in batch:
                _answer(pending, Unavailable("The service is stopping: send the command again under the same key"))
            raise
        else:
            failpoints.reached("writer.committed")
            self.committed.set()
            for pending, outcome in zip(batch, outcomes, strict=True):
                _answer(pending, outcome)

    def _go_on_aside(self, batch: Sequence[_Pending]) -> None:
        """Let a command that loses every race wait for its turn without the others."""
        log.warning("command.aside", command=type(batch[0].command).__name__, stream=str(batch[0].own))
        task = asyncio.create_task(self._carry_out(batch, patience=None))
        self._aside.add(task)
        task.add_done_callback(self._aside.discard)

    async def _attempt(self, batch: Sequence[_Pending], session: Session) -> list[Outcome]:
        unit = await _Unit.load(self._db, session, batch)
        outcomes = [await unit.decide(pending) for pending in batch]
        await unit.write()
        failpoints.reached("writer.decided")
        return outcomes


@dataclass
class _Unit:
    """One attempt: what was loaded, as the commands decided so far leave it. Thrown away with the attempt."""

    ledger: Ledger
    states: dict[tuple[str, str], State]
    receipts: dict[str, Document]
    changed: dict[tuple[str, str], State] = field(default_factory=dict)
    accepted: list[Document] = field(default_factory=list)
    forgotten: list[Forgotten] = field(default_factory=list)

    @classmethod
    async def load(cls, db: Database, session: Session, batch: Sequence[_Pending]) -> "_Unit":
        initial: dict[tuple[str, str], State] = {}
        streams: dict[str, Stream] = {}
        for pending in batch:
            streams[str(pending.own)] = pending.own
            for state in states(pending.initial):
                initial[state.collection, state.key] = state
                if (stream := state.stream()) is not None:
                    streams[str(stream)] = stream
        wanted: dict[str, list[str]] = {
            "streams": list(streams),
            "receipts": [p.envelope.idempotency_key for p in batch],
        }
        for collection, key in initial:
            wanted.setdefault(collection, []).append(key)
        found = await find_across(db, wanted, session)
        ledger = Ledger(db, session, _now())
        ledger.take(streams.values(), found["streams"])
        loaded = {
            (collection, key): _restored(state, found[collection].get(key))
            for (collection, key), state in initial.items()
        }
        return cls(ledger, loaded, found["receipts"])

    async def decide(self, pending: _Pending) -> Outcome:
        """Decide one command on what the ones before it leave; a refusal is an outcome too."""
        try:
            return await by_its_name(self._decide(pending))
        except Refusal as refusal:
            COMMANDS.labels(type(pending.command).__name__, "refused").inc()
            return refusal
        except PyMongoError:
            raise  # no fault of this command: the transaction is run again
        except Exception as problem:
            COMMANDS.labels(type(pending.command).__name__, "failed").inc()
            log.exception(
                "command.failed",
                command=type(pending.command).__name__,
                trace_id=telemetry.trace_id(pending.envelope.trace),
            )
            return problem

    async def _decide(self, pending: _Pending) -> Written:
        envelope, decider, own = pending.envelope, pending.decider, pending.own
        receipt = self.receipts.get(envelope.idempotency_key)
        if receipt is not None:
            COMMANDS.labels(type(pending.command).__name__, "replayed").inc()
            return _replay(receipt, envelope)
        failpoints.reached("writer.deciding", envelope.idempotency_key)
        before = await self._situation(pending)
        version = subject(before).version
        if envelope.expected_version not in (None, version):
            raise ChangedSince(version)
        changes = decider.decide(pending.command, before)
        after, facts, forgotten = before, list[On](), list[Forgotten]()
        for change in changes:
            if isinstance(change, On):
                facts.append(change)
                continue
            if isinstance(change, Forgotten):
                forgotten.append(change)
                continue
            if isinstance(change, Fact):
                facts.append(On(own, change))
            after = decider.evolve(after, change)
        answer = decider.answer(after)
        await self.ledger.know(on.stream for on in facts)
        positions = tuple(self._record(facts, envelope.trace))
        version = max((place.version for place in positions if place.stream == own), default=version)
        self._keep(before, after, version)
        self._forget(forgotten)
        written = Written(positions, version, answer)
        self._sign(envelope, written)
        COMMANDS.labels(type(pending.command).__name__, "accepted").inc()
        return written

    async def _situation(self, pending: _Pending) -> Any:
        """What is on record, as the commands before it leave it."""
        situation = filled(pending.initial, self._state)
        while (wider := pending.decider.following(situation)) is not situation:
            await self._load_further(wider)
            situation = filled(wider, self._state)
        return situation

    def _state(self, state: State) -> State:
        return self.states[_place(state)]

    async def _load_further(self, situation: Any) -> None:
        unknown = {place: state for state in states(situation) if (place := _place(state)) not in self.states}
        wanted: dict[str, list[str]] = {}
        for collection, key in unknown:
            wanted.setdefault(collection, []).append(key)
        if wanted:
            found = await find_across(self.ledger.db, wanted, self.ledger.session)
            for place, state in unknown.items():
                self.states[place] = _restored(state, found[state.collection].get(state.key))
            await self.ledger.know(stream for state in unknown.values() if (stream := state.stream()) is not None)

    def _record(self, facts: Sequence[On], trace: str) -> Iterable[Position]:
        marks = {on.stream: replace(self.ledger.heads[on.stream]) for on in facts}
        length = len(self.ledger.recorded)
        try:
            return [self.ledger.append(on.stream, on.fact, trace).position for on in facts]
        except Refusal:  # the command's first facts must not stay without its last
            self.ledger.heads.update(marks)
            del self.ledger.recorded[length:], self.ledger.messages[length:]
            raise

    def _keep(self, before: Any, after: Any, version: int) -> None:
        old = {(state.collection, state.key): state for state in states(before)}
        thing = subject(after)
        for state in states(after):
            place = state.collection, state.key
            is_newer = state is thing and version != state.version
            kept = state.model_copy(update={"version": version}) if is_newer else state
            if kept is not old.get(place):
                self.states[place] = self.changed[place] = kept
            if (stream := kept.stream()) is not None:
                self.ledger.touch(stream)

    def _forget(self, forgotten: Sequence[Forgotten]) -> None:
        """Also what this batch itself was about to sign."""
        self.forgotten += forgotten
        for name, values in forgotten:
            self.accepted = [one for one in self.accepted if one["answer"].get(name) not in values]
            self.receipts = {key: one for key, one in self.receipts.items() if one["answer"].get(name) not in values}

    def _sign(self, envelope: Envelope, written: Written) -> None:
        receipt = {
            "_id": envelope.idempotency_key,
            "digest": envelope.digest,
            "positions": [str(position) for position in written.positions],
            "version": written.version,
            "answer": written.answer,
            "at": self.ledger.now,
        }
        self.receipts[envelope.idempotency_key] = receipt
        self.accepted.append(receipt)

    async def write(self) -> None:
        await self.ledger.write()
        db, session = self.ledger.db, self.ledger.session
        by_collection: dict[str, list[ReplaceOne[Document] | DeleteOne]] = {}
        for (collection, _), state in self.changed.items():
            by_collection.setdefault(collection, []).append(_stored(state))
        for collection, writes in by_collection.items():
            await db[collection].bulk_write(writes, ordered=False, session=session)
        for name, values in self.forgotten:
            await db.receipts.delete_many({f"answer.{name}": {"$in": list(values)}}, session=session)
        if self.accepted:
            await db.receipts.insert_many(self.accepted, ordered=False, session=session)


class ChangedSince(PreconditionFailed):
    def __init__(self, version: int) -> None:
        detail = f'It has changed: its ETag is now "{version}". Read it again and decide anew'
        super().__init__(detail, field="If-Match", version=version)


def _place(state: State) -> tuple[str, str]:
    return state.collection, state.key


def _stored(state: State) -> ReplaceOne[Document] | DeleteOne:
    this = {"_id": state.key}
    return DeleteOne(this) if state.is_empty else ReplaceOne(this, state.document(), upsert=True)


def _replay(receipt: Document, envelope: Envelope) -> Written:
    if receipt["digest"] != envelope.digest:
        raise KeyReused("This Idempotency-Key came with another command before: use a new one", field="Idempotency-Key")
    positions = tuple(Position.parse(text) for text in receipt["positions"])
    return Written(positions, receipt["version"], receipt["answer"], replayed=True)


def _restored(initial: State, document: Document | None) -> State:
    if document is None:
        return initial
    return initial.restored(document)


def _answer(pending: _Pending, outcome: Outcome) -> None:
    if pending.done.done():  # the caller has gone
        return
    if isinstance(outcome, Exception):
        pending.done.set_exception(outcome)
    else:
        pending.done.set_result(outcome)


def _now() -> datetime:
    """Now, to the millisecond that MongoDB keeps."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)
