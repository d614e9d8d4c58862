"""The headers that commands and views share, as they are written and read."""

import re
from collections.abc import Iterable

from shared.events.fact import Position
from shared.refusals import Invalid

POSITION, AFTER, REPLAYED = "Praxis-Position", "Praxis-After", "Idempotent-Replayed"


def positions_text(positions: Iterable[Position]) -> str:
    """As in `Praxis-Position`: a list separated by commas."""
    return ", ".join(str(position) for position in positions)


def parse_positions(header: str | None) -> tuple[Position, ...]:
    """As in `Praxis-After`.

    Raises:
        Invalid: a part of it is not a position.
    """
    if not header:
        return ()
    try:
        return tuple(Position.parse(part) for part in header.split(","))
    except ValueError as problem:
        raise Invalid(str(problem), field=AFTER) from None


def parse_idempotency_key(header: str | None) -> str | None:
    """A quoted string, as in `"8e03978e"`.

    Raises:
        Invalid: it is not quoted, empty or longer than 255 characters.
    """
    if header is None:
        return None
    match = re.fullmatch(r'"([\x20-\x21\x23-\x7e]{1,255})"', header.strip())
    if match is None:
        raise Invalid(
            'Write it as a quoted string of 1 to 255 characters, as in "8e03978e-40d5"',
            field="Idempotency-Key",
        )
    return match[1]


def parse_etag(header: str | None) -> int | None:
    """The version in `If-Match: "41"`; None where there is no condition.

    Raises:
        Invalid: it is not an ETag of ours.
    """
    if header is None or header.strip() == "*":
        return None
    match = re.fullmatch(r'"(\d+)"', header.strip())
    if match is None:
        raise Invalid('Send the ETag as it was given to you, as in "41"', field="If-Match")
    return int(match[1])
