"""Dead letters over HTTP, for operations staff: on the service's own port, not through the public gateway."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, Depends, Query, Request
from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from services.metrics.dead_letters import Settled
from services.metrics.settling import DeadLetters, Listed

router = APIRouter(prefix="/v1/dead-letters", tags=["dead letters"])
missing = APIRouter(prefix="/v1/gaps", tags=["gaps"])

SKEW = timedelta(minutes=5)
"""How far the clock of who decides may be ahead of the service's."""


def _moment(value: Any, read: ValidatorFunctionWrapHandler) -> datetime:
    """A moment that has come, in UTC."""
    try:
        time: datetime = read(value)
        moment = time.astimezone(UTC)
    except (ValidationError, OverflowError):
        raise ValueError("it is no time with its time zone: write it as 2026-01-31T12:00Z") from None
    if moment > datetime.now(UTC) + SKEW:
        raise ValueError("it lies in the future: say when it was decided")
    return moment


class Decision(BaseModel):
    """Who settles it, and when that was decided."""

    model_config = ConfigDict(extra="forbid")

    by: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
    why: str = Field("", max_length=2_000)
    at: Annotated[AwareDatetime, WrapValidator(_moment)] | None = Field(None, description="Now, if it is left out.")

    def settled(self) -> Settled:
        return Settled(self.by, self.why, self.at or datetime.now(UTC))


class Discard(Decision):
    why: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2_000)]


class SettledView(BaseModel):
    by: str
    why: str
    at: datetime


class DeadLetterView(BaseModel):
    id: str
    state: Literal["waiting", "folded", "elsewhere", "replayed", "discarded"] = Field(
        description="Folded, it was understood by a rebuild, and nobody has settled it. Elsewhere, it was buried by "
        "another build than the one that is read: one that is being made, or one that read topics which are gone."
    )
    missing: bool = Field(
        description="Its version is missing: figures that would count it say that they are incomplete."
    )
    position: str | None = Field(description="The version that it would be; null where that cannot be read.")
    topic: str
    partition: int
    offset: int
    reason: str
    buried_at: datetime
    folded: bool = Field(description="Whether the figures have its fact from here, by a replay or a rebuild.")
    replayed: SettledView | None
    discarded: SettledView | None

    @classmethod
    def of(cls, listed: Listed) -> Self:
        return cls.model_validate(_told(listed))


class WholeLetterView(DeadLetterView):
    """With the record itself, as text; bytes that are none are shown as `\\xff`."""

    left_out: list[Literal["key", "value", "headers"]] = Field(
        description="What of the record is not kept, because it takes more than 1 MiB; of headers, those that follow."
    )
    key: str | None
    headers: list[tuple[str, str | None]]
    value: str | None

    @classmethod
    def of(cls, listed: Listed) -> Self:
        letter = listed.letter
        headers = [(name, _text(value)) for name, value in letter.headers]
        record = {"key": _text(letter.key), "headers": headers, "value": _text(letter.value)}
        return cls.model_validate(_told(listed) | record | {"left_out": letter.left_out})


class DeadLetterPage(BaseModel):
    dead_letters: list[DeadLetterView]
    next: str | None = Field(description="Send it as `after` for those that follow; null where none do.")


class GapView(BaseModel):
    stream: str
    versions: list[tuple[int, int]] = Field(description="From the first to the last, both included.")


class GapPage(BaseModel):
    gaps: list[GapView]
    next: str | None = Field(description="Send it as `after` for those that follow; null where none do.")


class Replayed(BaseModel):
    id: str
    folded: bool = Field(description="False where its version was there before: nothing counts twice.")


async def _dead_letters(request: Request) -> DeadLetters:
    letters: DeadLetters = request.state.dead_letters
    return letters


Kept = Annotated[DeadLetters, Depends(_dead_letters)]


@router.get("")
async def list_dead_letters(
    letters: Kept,
    all: Annotated[bool, Query(description="Those too that wait for nobody.")] = False,
    after: str = "",
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> DeadLetterPage:
    """The dead letters that wait for somebody, in order of their ids."""
    found = await letters.listed(settled_too=all, after=after, limit=limit + 1)
    following = found[limit - 1].letter.id if len(found) > limit else None
    return DeadLetterPage(dead_letters=[DeadLetterView.of(one) for one in found[:limit]], next=following)


@missing.get("")
async def list_gaps(letters: Kept, after: str = "", limit: Annotated[int, Query(ge=1, le=1_000)] = 100) -> GapPage:
    """The versions that are missing and that no dead letter claims which waits, in order of their streams."""
    found = await letters.gaps(after=after, limit=limit + 1)
    following = found[limit - 1].stream if len(found) > limit else None
    return GapPage(gaps=[GapView(**gap._asdict()) for gap in found[:limit]], next=following)


@router.get("/{id}")
async def show_dead_letter(letters: Kept, id: str) -> WholeLetterView:
    """One of them, with the record as it was."""
    return WholeLetterView.of(await letters.letter(id))


@router.post("/{id}/replay")
async def replay(letters: Kept, id: str, decision: Decision) -> Replayed:
    """Fold it, now that this release understands it: once, however often this is asked."""
    return Replayed(id=id, folded=await letters.replay(id, decision.settled()))


@router.post("/{id}/discard")
async def discard(letters: Kept, id: str, decision: Discard) -> DeadLetterView:
    """Do without it: its version is no longer missing. One that was folded stays so until a rebuild."""
    await letters.discard(id, decision.settled())
    return DeadLetterView.of(await letters.letter(id))


def _told(listed: Listed) -> dict[str, object]:
    letter = listed.letter
    return {
        "id": letter.id,
        "state": _state(listed),
        "missing": listed.missing,
        "folded": listed.folded,
        "position": letter.position and str(letter.position),
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "reason": letter.reason,
        "buried_at": letter.buried_at,
        "replayed": letter.replayed and letter.replayed._asdict(),
        "discarded": letter.discarded and letter.discarded._asdict(),
    }


def _state(listed: Listed) -> str:
    if listed.letter.discarded:
        return "discarded"
    if listed.letter.replayed:
        return "replayed"
    if listed.folded:
        return "folded"
    return "waiting" if listed.buried else "elsewhere"


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode(errors="backslashreplace")
