"""Dead letters: what could not be understood goes to `<topic>.dead`, through the outbox, in step with the offset."""

from collections.abc import Sequence

import structlog

from shared.kafka import Message
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
    record = letter.record
    told = {
        "praxis_reason": letter.reason,
        "praxis_topic": record.topic,
        "praxis_partition": str(record.partition),
        "praxis_offset": str(record.offset),
    }
    headers = [*record.headers, *((name, value.encode()) for name, value in told.items())]
    message = Message(dead_topic(record.topic), record.key or b"", record.value or b"", headers)
    return outgoing({"stream": f"dead/{record.topic}/{record.partition}", "version": record.offset}, message)
