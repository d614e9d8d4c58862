"""Dead letters: what could not be understood goes to `<topic>.dead`, through the outbox, in step with the offset."""

from collections.abc import Sequence

import structlog

from shared.events.fact import MAX_FACT_BYTES
from shared.kafka import Message, present_headers
from shared.reading.sink import DeadLetter, Unit
from shared.writing.ledger import outgoing

log = structlog.get_logger(__name__)


def dead_topic(topic: str) -> str:
    return f"{topic}.dead"


async def bury(unit: Unit, letters: Sequence[DeadLetter]) -> None:
    """Put the letters into the outbox, in the transaction that moves the offset past them."""
    await unit.db.outbox.insert_many([_outgoing(letter) for letter in letters], session=unit.session)
    for letter in letters:
        place = letter.record
        log.error("fact.dead", topic=place.topic, partition=place.partition, offset=place.offset, reason=letter.reason)


def _outgoing(letter: DeadLetter) -> dict[str, object]:
    """Short enough for Kafka to take: what cannot be sent would hold up the whole outbox."""
    record = letter.record
    value = record.value or b""
    told = {
        "praxis_reason": letter.reason,
        "praxis_topic": record.topic,
        "praxis_partition": str(record.partition),
        "praxis_offset": str(record.offset),
    }
    headers = [*present_headers(record).items(), *((name, words.encode()) for name, words in told.items())]
    carried = value if len(value) <= MAX_FACT_BYTES else b""  # no fact is as long; it stands where it stood
    message = Message(dead_topic(record.topic), record.key or b"", carried, headers)
    return outgoing({"stream": f"dead/{record.topic}/{record.partition}", "version": record.offset}, message)
