"""A writer over dictionaries, for tests of one service in a process. Held to the real one by `test_writer_contract`."""

from collections.abc import Iterable
from typing import Any

from shared.events.fact import Fact, Position, Stream
from shared.http.commands import C, S
from shared.refusals import KeyReused
from shared.writing.decider import Decider, Forgotten, Key, On, State, filled, states, subject
from shared.writing.writer import ChangedSince, Envelope, Written


class InMemoryWriter:
    """Carries each command out at once, one after the other."""

    def __init__(self) -> None:
        self.facts: list[tuple[Position, Fact]] = []
        """Everything recorded, in the order of recording."""
        self._heads: dict[Stream, int] = {}
        self._states: dict[tuple[str, str], dict[str, Any]] = {}
        self._receipts: dict[str, tuple[str, Written]] = {}

    async def __call__(self, decider: Decider[C, S], key: Key, command: C, envelope: Envelope) -> Written:
        if envelope.idempotency_key in self._receipts:
            return self._replay(envelope)
        before = filled(decider.initial(*key), self._on_record)
        while (wider := decider.following(before)) is not before:
            before = filled(wider, self._on_record)
        if envelope.expected_version not in (None, subject(before).version):
            raise ChangedSince(subject(before).version)
        own, after, facts = decider.stream(*key), before, list[On]()
        for change in decider.decide(command, before):
            if isinstance(change, On):
                facts.append(change)
                continue
            if isinstance(change, Forgotten):
                self._forget(change)
                continue
            if isinstance(change, Fact):
                facts.append(On(own, change))
            after = decider.evolve(after, change)
        positions = tuple(self._record(facts))
        version = max((place.version for place in positions if place.stream == own), default=subject(before).version)
        old = {(state.collection, state.key): state for state in states(before)}
        for state in states(after):
            kept = state.model_copy(update={"version": version}) if state is subject(after) else state
            if kept != old.get((kept.collection, kept.key)):
                self._states[kept.collection, kept.key] = kept.document()
            if kept.is_empty:
                self._states.pop((kept.collection, kept.key), None)
        written = Written(positions, version, decider.answer(after))
        self._receipts[envelope.idempotency_key] = envelope.digest, written
        return written

    def knows(self, *known: State) -> None:
        """Put on record what no command makes: what a service keeps of others' facts."""
        self._states.update({(state.collection, state.key): state.document() for state in known})

    def in_stream(self, stream: str) -> list[Fact]:
        """The facts of one stream, in order."""
        return [fact for position, fact in self.facts if str(position.stream) == stream]

    def _on_record(self, state: State) -> State:
        document = self._states.get((state.collection, state.key))
        return state if document is None else state.restored(document)

    def _forget(self, forgotten: Forgotten) -> None:
        name, values = forgotten
        kept = {key: one for key, one in self._receipts.items() if one[1].answer.get(name) not in values}
        self._receipts = kept

    def _record(self, facts: Iterable[On]) -> Iterable[Position]:
        for stream, fact in facts:
            self._heads[stream] = self._heads.get(stream, 0) + 1
            position = Position(stream, self._heads[stream])
            self.facts.append((position, fact))
            yield position

    def _replay(self, envelope: Envelope) -> Written:
        digest, written = self._receipts[envelope.idempotency_key]
        if digest != envelope.digest:
            raise KeyReused(
                "This Idempotency-Key came with another command before: use a new one", field="Idempotency-Key"
            )
        return Written(written.positions, written.version, written.answer, replayed=True)
