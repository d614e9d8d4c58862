"""The facts that one transaction records: heads, events and outbox move together or not at all."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
from pymongo import InsertOne, UpdateOne
from ulid import ULID

from shared.events.fact import FACTS, MAX_FACT_BYTES, Fact, Recorded, Stream
from shared.kafka import Message, encode
from shared.mongo import Database, Document, Session
from shared.refusals import TooLarge


class FactTooLarge(TooLarge):
    """A fact above the limit is refused when it is written, so that it can be carried wherever it must go."""

    def __init__(self, fact: Fact, size: int) -> None:
        super().__init__(
            f"{type(fact).__name__} has {size} bytes, the limit is {MAX_FACT_BYTES}: say it in fewer words"
        )


@dataclass
class Head:
    version: int = 0
    loaded: int | None = None
    """The version on record; None where the stream is new."""
    touched: bool = False

    @property
    def is_moved(self) -> bool:
        return self.touched or self.version != (self.loaded or 0)


@dataclass
class Ledger:
    """Gathers what is to be recorded; `write` stores it in the session's transaction."""

    db: Database
    session: Session
    now: datetime
    heads: dict[Stream, Head] = field(default_factory=dict)
    recorded: list[Recorded] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)

    async def know(self, streams: Iterable[Stream]) -> None:
        """Load the heads that are not known yet."""
        unknown = {str(stream): stream for stream in streams if stream not in self.heads}
        if unknown:
            found = self.db.streams.find({"_id": {"$in": list(unknown)}}, session=self.session)
            self.take(unknown.values(), {document["_id"]: document async for document in found})

    def take(self, streams: Iterable[Stream], found: Mapping[str, Document]) -> None:
        """Take heads that were loaded with something else; those not found are new."""
        for stream in streams:
            document = found.get(str(stream))
            version = document["version"] if document else 0
            self.heads[stream] = Head(version, version if document else None)

    def append(self, stream: Stream, fact: Fact, trace: str) -> Recorded:
        """Number the fact as the next of its stream, whose head must be known.

        Raises:
            FactTooLarge: nothing has been recorded.
        """
        head = self.heads[stream]
        recorded = Recorded(str(ULID()).lower(), stream, head.version + 1, fact, self.now, trace)
        message = encode(recorded)
        if len(message.value) > MAX_FACT_BYTES:
            raise FactTooLarge(fact, len(message.value))
        head.version += 1
        self.recorded.append(recorded)
        self.messages.append(message)
        return recorded

    def touch(self, stream: Stream) -> None:
        """Write the head although it gets no fact: whoever decides from it at the same time loses the race."""
        self.heads[stream].touched = True

    async def write(self) -> None:
        heads = [_move(stream, head) for stream, head in self.heads.items() if head.is_moved]
        if heads:
            await self.db.streams.bulk_write(heads, ordered=False, session=self.session)
        if self.recorded:
            pairs = list(zip(self.recorded, self.messages, strict=True))
            await self.db.events.insert_many([_event(*pair) for pair in pairs], ordered=False, session=self.session)
            await self.db.outbox.insert_many([_outgoing(*pair) for pair in pairs], ordered=False, session=self.session)


def _move(stream: Stream, head: Head) -> InsertOne[Document] | UpdateOne:
    if head.loaded is None:
        return InsertOne({"_id": str(stream), "version": head.version, "touched": 0})
    if head.version == head.loaded:
        return UpdateOne({"_id": str(stream)}, {"$inc": {"touched": 1}})
    return UpdateOne({"_id": str(stream), "version": head.loaded}, {"$set": {"version": head.version}})


def _event(recorded: Recorded, message: Message) -> Document:
    return {
        "_id": _place(recorded),
        "id": recorded.id,
        "type": recorded.fact.type,
        "recorded_at": recorded.recorded_at,
        "trace": recorded.trace,
        "data": orjson.loads(message.value),
    }


def _outgoing(recorded: Recorded, message: Message) -> Document:
    return outgoing(_place(recorded), message)


def _place(recorded: Recorded) -> Document:
    return {"stream": str(recorded.stream), "version": recorded.version}


def outgoing(place: Document, message: Message) -> Document:
    """The outbox's document of a message; `place` (stream, version) is its order among the others."""
    return {
        "_id": place,
        "topic": message.topic,
        "key": message.key,
        "value": message.value,
        "headers": [[name, value] for name, value in message.headers],
        "put_at": datetime.now(UTC),
    }


def recorded_of(event: Mapping[str, Any]) -> Recorded:
    """The recorded fact that a document of `events` holds."""
    place = event["_id"]
    fact = FACTS[event["type"]].model_validate_json(orjson.dumps(event["data"]))
    return Recorded(
        event["id"],
        Stream.parse(place["stream"]),
        place["version"],
        fact,
        event["recorded_at"],
        event["trace"],
    )
