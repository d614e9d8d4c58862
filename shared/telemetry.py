"""The trace that ties a command to its facts, to their way through Kafka and to the fold: W3C trace context.

A fact carries the `traceparent` of the command that it followed from; logs carry its trace id.
"""

import re
import secrets
from collections.abc import Iterable
from contextvars import ContextVar

_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")
_current: ContextVar[str] = ContextVar("traceparent", default="")


def accept(header: str | None) -> str:
    """Take up the caller's trace, or begin one; the trace context for what follows, until it is set anew."""
    match = _TRACEPARENT.fullmatch(header or "")
    trace_id = match[1] if match else secrets.token_hex(16)
    traceparent = f"00-{trace_id}-{secrets.token_hex(8)}-01"
    _current.set(traceparent)
    return traceparent


def current() -> str:
    """The trace context that is in force; a new one where there is none."""
    return _current.get() or accept(None)


def current_or_none() -> str | None:
    return _current.get() or None


def trace_ids(traceparents: Iterable[str]) -> list[str]:
    """The ids of several traces, each once, for one log line: none is left out, so that each can be found."""
    return sorted({trace_id(traceparent) for traceparent in traceparents if traceparent})


def trace_id(traceparent: str) -> str:
    """The id that is the same from the command to the fold."""
    return traceparent[3:35]
