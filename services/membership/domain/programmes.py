"""Programmes: commissioned by an organisation from another; one may follow from an earlier one. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, assert_never

from pydantic import Field

from services.membership.domain.organisations import Organisation, require_registered
from shared.events.fact import Stream
from shared.events.membership import ProgrammeCommissioned, ProgrammeFollowed
from shared.events.words import CoarseDate, Day, OrganisationId, ProgrammeId, Text, Title
from shared.refusals import Conflict, Invalid, UnknownReference
from shared.writing.decider import Command, Decider, State
from shared.writing.otherwise import require_same


class Commission(Command):
    """What is not stated is left out."""

    title: Title
    commissioned_on: CoarseDate
    commissioned_by: OrganisationId | None = None
    commissioned_from: OrganisationId
    communities: int | None = Field(default=None, ge=1, le=10_000)
    convenings_each: int | None = Field(default=None, ge=1, le=10_000)
    within_months: int | None = Field(default=None, ge=1, le=1_200)
    begins_on: CoarseDate | None = None
    source: Text | None = None
    demonstration_on: Day | None = None


class Follow(Command):
    earlier_programme_id: ProgrammeId
    stated_reason: Text


class Programme(State):
    collection: ClassVar[str] = "programmes"

    commissioned: ProgrammeCommissioned | None = None
    followed: ProgrammeFollowed | None = None

    def stream(self) -> Stream:
        return Stream("membership", "programme", self.key)


@dataclass(frozen=True)
class Situation:
    programme: Programme
    commissioned_from: Organisation | None = None
    commissioned_by: Organisation | None = None
    earlier: Programme | None = None


class UnknownProgramme(UnknownReference):
    def __init__(self, programme: ProgrammeId, field: str) -> None:
        super().__init__(f"No programme '{programme}' is on record here: commission it first", field=field)


class FollowsItself(Invalid):
    field = "earlier_programme_id"

    def __init__(self) -> None:
        super().__init__("A programme cannot follow itself: name the earlier one")


class FollowsALaterOne(Conflict):
    field = "earlier_programme_id"

    def __init__(self, earlier: ProgrammeId, its: CoarseDate, ours: CoarseDate) -> None:
        super().__init__(
            f"earlier_programme_id '{earlier}' was commissioned on {its}, after this one ({ours}): "
            f"name one that came before"
        )


def require_commissioned(programme: Programme, field: str) -> ProgrammeCommissioned:
    """
    Raises:
        UnknownProgramme: there is none of this id; `field` named it.
    """
    if programme.commissioned is None:
        raise UnknownProgramme(programme.key, field)
    return programme.commissioned


def decide(command: Commission | Follow, situation: Situation) -> Sequence[ProgrammeCommissioned | ProgrammeFollowed]:
    match command:
        case Commission():
            return _commission(command, situation)
        case Follow():
            return _follow(command, situation)
        case _:
            assert_never(command)


def _commission(command: Commission, situation: Situation) -> Sequence[ProgrammeCommissioned]:
    programme, commissioned = situation.programme, ProgrammeCommissioned(**command.model_dump())
    if programme.commissioned is not None:
        require_same(f"Programme '{programme.key}'", programme.commissioned, commissioned)
        return []
    if situation.commissioned_from is not None:
        require_registered(situation.commissioned_from, "commissioned_from")
    if situation.commissioned_by is not None:
        require_registered(situation.commissioned_by, "commissioned_by")
    return [commissioned]


def _follow(command: Follow, situation: Situation) -> Sequence[ProgrammeFollowed]:
    programme, earlier_id = situation.programme, command.earlier_programme_id
    this = require_commissioned(programme, "programme")
    if earlier_id == programme.key:
        raise FollowsItself
    followed = ProgrammeFollowed(**command.model_dump())
    if programme.followed is not None:
        require_same(f"What programme '{programme.key}' follows", programme.followed, followed)
        return []
    earlier = require_commissioned(situation.earlier or Programme(key=earlier_id), "earlier_programme_id")
    if this.commissioned_on.last_day < earlier.commissioned_on:  # as text: before the first day that it may mean
        raise FollowsALaterOne(earlier_id, earlier.commissioned_on, this.commissioned_on)
    return [followed]


def evolve(situation: Situation, change: ProgrammeCommissioned | ProgrammeFollowed) -> Situation:
    match change:
        case ProgrammeCommissioned():
            programme = situation.programme.model_copy(update={"commissioned": change})
        case ProgrammeFollowed():
            programme = situation.programme.model_copy(update={"followed": change})
        case _:
            assert_never(change)
    return replace(situation, programme=programme)


def _situation(
    programme: ProgrammeId,
    commissioned_from: OrganisationId | None = None,
    commissioned_by: OrganisationId | None = None,
    earlier: ProgrammeId | None = None,
) -> Situation:
    return Situation(
        Programme(key=programme),
        Organisation(key=commissioned_from) if commissioned_from else None,
        Organisation(key=commissioned_by) if commissioned_by else None,
        Programme(key=earlier) if earlier else None,
    )


programmes = Decider(
    stream=lambda programme, *_: Programme(key=programme).stream(), initial=_situation, decide=decide, evolve=evolve
)
"""Key: programme, commissioned from, commissioned by, earlier one; the last three where the command names them."""
