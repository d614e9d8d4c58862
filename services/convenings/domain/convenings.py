"""Convenings: scheduled, rescheduled, held or cancelled, and whether attendance was taken. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, assert_never

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from services.convenings.known import KnownCommunity, UnknownCommunity
from shared.events.convenings import (
    AttendanceTaken,
    ConveningCancelled,
    ConveningFact,
    ConveningHeld,
    ConveningRescheduled,
    ConveningScheduled,
)
from shared.events.fact import Stream
from shared.events.words import CoarseDate, CommunityId, ConveningId, Day, Text, Title
from shared.refusals import Conflict, Invalid, NotFound
from shared.writing.decider import Command, Decider, Kept, State
from shared.writing.otherwise import require_same


class Reference(BaseModel):
    """A source's own key for a thing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Title
    ref: Title


class Schedule(Command):
    title: Title
    scheduled_on: CoarseDate
    starts_at: AwareDatetime | None = None
    ends_at: AwareDatetime | None = None
    capacity: int | None = Field(default=None, ge=1, le=1_000_000)
    called_by_members: bool | None = None
    reference: Reference | None = None


class Reschedule(Command):
    scheduled_on: CoarseDate


class Hold(Command):
    held_on: CoarseDate


class Cancel(Command):
    cancelled_on: Day
    reason: Text | None = None


class TakeAttendance(Command):
    """Attendance is known from here on, be it that nobody came."""


ConveningCommand = Schedule | Reschedule | Hold | Cancel | TakeAttendance


class ReferenceGiven(Kept):
    """The source's own key stays here; it is in no fact."""

    reference: Reference


ConveningChange = ConveningFact | ReferenceGiven


class Convening(State):
    collection: ClassVar[str] = "convenings"

    community_id: CommunityId
    convening_id: ConveningId
    scheduled: ConveningScheduled | None = None
    """As it was first scheduled."""
    reference: Reference | None = None
    scheduled_on: CoarseDate | None = None
    """The date that holds now."""
    held_on: CoarseDate | None = None
    cancelled: ConveningCancelled | None = None
    attendance_taken: bool = False
    registered: int = 0
    """How many registrations stand."""

    @classmethod
    def initial(cls, community: CommunityId, convening: ConveningId) -> "Convening":
        return cls(key=f"{community}/{convening}", community_id=community, convening_id=convening)

    def stream(self) -> Stream:
        return stream(self.community_id)


class NoSuchConvening(NotFound):
    def __init__(self, convening: Convening, field: str = "convening") -> None:
        super().__init__(
            f"Community '{convening.community_id}' has no convening '{convening.convening_id}': schedule it first",
            field=field,
        )


class ConveningWasCancelled(Conflict):
    def __init__(self, convening: Convening) -> None:
        on = convening.cancelled.cancelled_on if convening.cancelled else None
        super().__init__(
            f"Convening '{convening.convening_id}' was cancelled on {on}: schedule another under a new id",
            field="convening",
            convening_id=convening.convening_id,
            cancelled_on=on,
        )


class ConveningWasHeld(Conflict):
    def __init__(self, convening: Convening) -> None:
        super().__init__(
            f"Convening '{convening.convening_id}' was held on {convening.held_on}: its date stands, "
            f"and it cannot be cancelled any more",
            field="convening",
            convening_id=convening.convening_id,
            held_on=convening.held_on,
        )


class NotHeldYet(Conflict):
    def __init__(self, convening: Convening) -> None:
        super().__init__(
            f"Convening '{convening.convening_id}' is not on record as held, so nobody can have come: "
            f"say first that it was held (PUT …/convenings/{convening.convening_id}/held)",
            field="convening",
            convening_id=convening.convening_id,
        )


class EndsBeforeItStarts(Invalid):
    def __init__(self) -> None:
        super().__init__("ends_at is not after starts_at: correct one of them", field="ends_at")


@dataclass(frozen=True)
class Situation:
    convening: Convening
    community: KnownCommunity


def stream(community: CommunityId, convening: ConveningId = "") -> Stream:
    return Stream("convenings", "community", community)


def initial(community: CommunityId, convening: ConveningId) -> Situation:
    return Situation(Convening.initial(community, convening), KnownCommunity(key=community))


def decide(command: ConveningCommand, situation: Situation) -> Sequence[ConveningChange]:
    convening = situation.convening
    if isinstance(command, Schedule):
        return _schedule(command, situation)
    if convening.scheduled is None:
        raise NoSuchConvening(convening)
    match command:
        case Reschedule(scheduled_on=on):
            _require_undecided(convening)
            return [] if on == convening.scheduled_on else [_rescheduled(convening, on)]
        case Hold(held_on=on):
            return _hold(on, convening)
        case Cancel(cancelled_on=on, reason=reason):
            return _cancel(
                ConveningCancelled(convening_id=convening.convening_id, cancelled_on=on, reason=reason), convening
            )
        case TakeAttendance():
            return attendance_taken(convening)
        case _:
            assert_never(command)


def held_date(convening: Convening) -> CoarseDate:
    """When it was held.

    Raises:
        ConveningWasCancelled, NotHeldYet: nobody can have come.
    """
    if convening.cancelled:
        raise ConveningWasCancelled(convening)
    if convening.held_on is None:
        raise NotHeldYet(convening)
    return convening.held_on


def attendance_taken(convening: Convening) -> list[AttendanceTaken]:
    """What makes attendance known; nothing where it is known already."""
    held_on = held_date(convening)
    return [] if convening.attendance_taken else [AttendanceTaken(convening_id=convening.convening_id, held_on=held_on)]


def _schedule(command: Schedule, situation: Situation) -> Sequence[ConveningChange]:
    convening = situation.convening
    if not situation.community.founded:
        raise UnknownCommunity(convening.community_id)
    if command.starts_at and command.ends_at and command.ends_at <= command.starts_at:
        raise EndsBeforeItStarts
    if convening.scheduled is None:
        fact = ConveningScheduled(
            convening_id=convening.convening_id,
            title=command.title,
            scheduled_on=command.scheduled_on,
            starts_at=command.starts_at,
            ends_at=command.ends_at,
            capacity=command.capacity,
            called_by_members=command.called_by_members,
        )
        return [fact, ReferenceGiven(reference=command.reference)] if command.reference else [fact]
    require_same(f"Convening '{convening.convening_id}'", _on_record(convening, convening.scheduled, command), command)
    return []


def _on_record(convening: Convening, scheduled: ConveningScheduled, command: Schedule) -> Schedule:
    """What it was scheduled with, in a command's words. Its first date may be said again after it was rescheduled."""
    first, now = scheduled.scheduled_on, convening.scheduled_on or scheduled.scheduled_on
    return Schedule(
        title=scheduled.title,
        scheduled_on=first if command.scheduled_on == first else now,
        starts_at=scheduled.starts_at,
        ends_at=scheduled.ends_at,
        capacity=scheduled.capacity,
        called_by_members=scheduled.called_by_members,
        reference=convening.reference,
    )


def _rescheduled(convening: Convening, on: CoarseDate) -> ConveningRescheduled:
    return ConveningRescheduled(convening_id=convening.convening_id, scheduled_on=on)


def _hold(on: CoarseDate, convening: Convening) -> Sequence[ConveningChange]:
    if convening.cancelled:
        raise ConveningWasCancelled(convening)
    fact = ConveningHeld(convening_id=convening.convening_id, held_on=on)
    if convening.held_on is None:
        return [fact]
    require_same(f"Convening '{convening.convening_id}'", fact.model_copy(update={"held_on": convening.held_on}), fact)
    return []


def _cancel(fact: ConveningCancelled, convening: Convening) -> Sequence[ConveningChange]:
    if convening.held_on:
        raise ConveningWasHeld(convening)
    if convening.cancelled is None:
        return [fact]
    require_same(f"Convening '{convening.convening_id}'", convening.cancelled, fact)
    return []


def _require_undecided(convening: Convening) -> None:
    if convening.cancelled:
        raise ConveningWasCancelled(convening)
    if convening.held_on:
        raise ConveningWasHeld(convening)


def evolve(situation: Situation, change: ConveningChange) -> Situation:
    return replace(situation, convening=evolve_convening(situation.convening, change))


def evolve_convening(convening: Convening, change: ConveningChange) -> Convening:
    match change:
        case ConveningScheduled(scheduled_on=on):
            return convening.model_copy(update={"scheduled": change, "scheduled_on": on})
        case ConveningRescheduled(scheduled_on=on):
            return convening.model_copy(update={"scheduled_on": on})
        case ConveningHeld(held_on=on):
            return convening.model_copy(update={"held_on": on})
        case ConveningCancelled():
            return convening.model_copy(update={"cancelled": change})
        case AttendanceTaken():
            return convening.model_copy(update={"attendance_taken": True})
        case ReferenceGiven(reference=reference):
            return convening.model_copy(update={"reference": reference})
        case _:
            assert_never(change)


convenings = Decider(stream=stream, initial=initial, decide=decide, evolve=evolve)
