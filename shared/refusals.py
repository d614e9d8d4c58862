"""Refusals: nouns that carry their data and belong to a kind. One handler turns kinds into problem details.

Refusal
 ├─ Invalid             400  the words of the command are wrong by themselves
 ├─ NotFound            404
 │   └─ UnknownReference     something that it builds on is not known (yet)
 ├─ Conflict            409  what is on record speaks against it
 ├─ PreconditionFailed  412  the thing has changed since
 ├─ TooLarge            413
 ├─ KeyReused           422  the same key with another command
 └─ Unavailable         503  not now; says when to come again
"""

from typing import Any, ClassVar


class Refusal(Exception):
    """Why a command is not carried out, in a sentence that names the field and the remedy."""

    status: ClassVar[int]
    title: ClassVar[str]
    field: str | None = None

    def __init__(self, detail: str, *, field: str | None = None, **data: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.field = field or self.field
        self.data = data


class Invalid(Refusal):
    status, title = 400, "The command is not valid"


class NotFound(Refusal):
    status, title = 404, "There is no such thing"


class UnknownReference(NotFound):
    """A command builds on something that is not known here; it may still be on its way."""


class Conflict(Refusal):
    status, title = 409, "What is on record speaks against it"


class PreconditionFailed(Refusal):
    status, title = 412, "It has changed since"


class TooLarge(Refusal):
    status, title = 413, "That is too much at once"


class KeyReused(Refusal):
    status, title = 422, "The idempotency key belongs to another command"


class Unavailable(Refusal):
    """Not now. `retry_after` is in seconds."""

    status, title = 503, "Not now"

    def __init__(self, detail: str, *, retry_after: int = 1, **data: Any) -> None:
        super().__init__(detail, **data)
        self.retry_after = retry_after
