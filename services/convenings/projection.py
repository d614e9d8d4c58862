"""Stores what is known of membership's facts, and passes on what concerns a person to the communities that know them
here, all in the transaction of the offset.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

import structlog
from pymongo import ReplaceOne

from services.convenings.known import Known, KnownPerson, about, evolve, merged_here, passed_on
from shared.events.fact import Recorded
from shared.events.membership import PersonMerged
from shared.kafka import Record
from shared.mongo import Client, Database, Document
from shared.reading.sink import DeadLetter, Sink, Unit
from shared.writing.decider import On
from shared.writing.ledger import Ledger

log = structlog.get_logger(__name__)

HEADS_KEPT = 10_000
Place = tuple[str, str]
"""Collection and key."""


class KnownHere:
    """The projection. The writer writes the same documents, so none of them is kept for the next batch."""

    async def project(self, unit: Unit, facts: Sequence[Recorded]) -> None:
        concerned = [(fact, initial) for fact in facts if (initial := about(fact)) is not None]
        known = await _load(unit, [initial for _, initial in concerned])
        passing: list[tuple[On, str]] = []
        for recorded, initial in concerned:
            place = initial.collection, initial.key
            known[place] = evolve(known[place], recorded)
            passing += [(on, recorded.trace) for on in passed_on(known[place], recorded)]
            if isinstance(recorded.fact, PersonMerged):
                people, following = merged_here(await _line(unit, known, recorded.fact))
                known |= {(one.collection, one.key): one for one in people}
                passing += [(on, recorded.trace) for on in following]
        await _store(unit, known)
        ledger = Ledger(unit.db, unit.session, datetime.now(UTC))
        await ledger.know(on.stream for on, _ in passing)
        for (stream, fact), trace in passing:
            ledger.append(stream, fact, trace)
        await ledger.write()


async def _line(unit: Unit, known: Mapping[Place, Known], merged: PersonMerged) -> list[KnownPerson]:
    """Who was merged, into whom, into whom those were merged, and so on; as this batch leaves them so far."""
    line, next_id = list[KnownPerson](), merged.person_id
    while True:
        initial = KnownPerson(key=next_id)
        place = initial.collection, initial.key
        person = known[place] if place in known else (await _load(unit, [initial]))[place]
        assert isinstance(person, KnownPerson)
        line.append(person)
        if person.merged is None:
            return line
        next_id = person.merged.into_id


async def _load(unit: Unit, initial: Sequence[Known]) -> dict[Place, Known]:
    known: dict[Place, Known] = {(state.collection, state.key): state for state in initial}
    for kind in {type(state) for state in initial}:
        keys = [key for collection, key in known if collection == kind.collection]
        restore: Callable[[Document], Known] = kind.restored
        for key, state in (await unit.load(kind.collection, keys, restore)).items():
            known[kind.collection, key] = state
    return known


async def _store(unit: Unit, known: Mapping[Place, Known]) -> None:
    replacements: dict[str, list[ReplaceOne[Document]]] = {}
    for (collection, key), state in known.items():
        replacement = ReplaceOne({"_id": key}, state.document(), upsert=True)
        replacements.setdefault(collection, []).append(replacement)
    for collection, writes in replacements.items():
        await unit.db[collection].bulk_write(writes, ordered=False, session=unit.session)


async def note_not_understood(unit: Unit, letters: Sequence[DeadLetter]) -> None:
    """Say so in the log; the version stays missing in its stream. `metrics` publishes the dead letter."""
    for letter in letters:
        log.error(
            "fact.not_understood",
            position=letter.position and str(letter.position),
            topic=letter.record.topic,
            partition=letter.record.partition,
            offset=letter.record.offset,
            reason=letter.reason,
        )


class KnownSink(Sink):
    """Rings the relay's doorbell after each commit, because that may have put facts into the outbox.

    One transaction at a time: people of any partition are known in the same communities.
    """

    def __init__(self, client: Client, db: Database, committed: asyncio.Event, partitions: int) -> None:
        """`partitions` is how many the topic has."""
        super().__init__(
            client,
            db,
            ["membership"],
            KnownHere(),
            note_not_understood,
            cached=HEADS_KEPT,
            spread_over=partitions,
            transactions=1,
        )
        self._committed = committed

    async def put(self, number: int, records: Mapping[str, Sequence[Record]]) -> None:
        await super().put(number, records)
        self._committed.set()
