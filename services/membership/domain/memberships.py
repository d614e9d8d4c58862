"""One person's membership of one community: one role at a time, in dated intervals [joined_on, left_on). Pure.

Dates that are known to the month or year are compared by their last day. The intervals may come in any order.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, assert_never

from pydantic import BaseModel, ConfigDict

from services.membership.domain.communities import Community, is_surely_before, require_founded
from services.membership.domain.people import (
    CameToBeKnown,
    Person,
    brought_along,
    require_known,
    require_may_begin,
    taken_as,
)
from shared.events.fact import Stream
from shared.events.membership import (
    AffiliationBegan,
    AffiliationEnded,
    AffiliationFact,
    CommunityKind,
    HowJoined,
    MemberCompleted,
    MemberJoined,
    MemberLeft,
    MembershipFact,
    Role,
)
from shared.events.words import CoarseDate, CommunityId, PersonId
from shared.refusals import Conflict
from shared.writing.decider import Command, Decider, State
from shared.writing.otherwise import require_same

FOR_EVER = "9999-12-32"


class Join(Command):
    """With `left_on`, a whole interval."""

    role: Role
    how: HowJoined | None = None
    joined_on: CoarseDate
    left_on: CoarseDate | None = None


class Leave(Command):
    left_on: CoarseDate


class Complete(Command):
    completed_on: CoarseDate


MembershipCommand = Join | Leave | Complete
MembershipChange = MembershipFact | AffiliationFact | CameToBeKnown


class Interval(BaseModel):
    """A role held from `joined_on` up to, not including, `left_on`; an empty one is held on no day."""

    model_config = ConfigDict(frozen=True)

    role: Role
    how: HowJoined
    joined_on: CoarseDate
    left_on: CoarseDate | None = None

    @property
    def begins(self) -> str:
        return self.joined_on.last_day

    @property
    def ends(self) -> str:
        return self.left_on.last_day if self.left_on else FOR_EVER

    @property
    def is_empty(self) -> bool:
        return self.begins == self.ends

    def overlaps(self, other: "Interval") -> bool:
        return not (self.is_empty or other.is_empty) and self.begins < other.ends and other.begins < self.ends

    def is_of(self, fact: Join | MemberLeft) -> bool:
        return (self.role, self.joined_on) == (fact.role, fact.joined_on)

    def __str__(self) -> str:
        until = f" until {self.left_on}" if self.left_on else ""
        return f"{self.role.value} from {self.joined_on}{until}"


class Membership(State):
    collection: ClassVar[str] = "memberships"

    intervals: tuple[Interval, ...] = ()
    completed: MemberCompleted | None = None

    @classmethod
    def initial(cls, community: CommunityId, person: PersonId) -> "Membership":
        return cls(key=f"{community}/{person}")

    def stream(self) -> Stream:
        return Stream("membership", "community", self.key.partition("/")[0])

    def open(self) -> Interval | None:
        return next((interval for interval in self.intervals if interval.left_on is None), None)


@dataclass(frozen=True)
class Situation:
    membership: Membership
    community: Community
    person: Person


class LeftBeforeJoining(Conflict):
    field = "left_on"

    def __init__(self, joined: CoarseDate, left: CoarseDate) -> None:
        super().__init__(f"left_on {left} is before joined_on {taken_as(joined)}: correct one of them")


class AlreadyMember(Conflict):
    """One role at a time: what is commanded overlaps what is on record."""

    field = "joined_on"

    def __init__(self, held: Interval, wanted: Interval) -> None:
        super().__init__(
            f"They are on record as {held}, which overlaps {wanted}: a change of role ends one and begins the other "
            f"on the same day, so let the one that came first have left on or before the other joined",
            held=held.model_dump(mode="json"),
        )


class AlreadyLeft(Conflict):
    field = "left_on"

    def __init__(self, interval: Interval) -> None:
        super().__init__(
            f"They left on {interval.left_on} already ({interval}): send that date, or record what followed as "
            f"another membership",
            left_on=interval.left_on,
        )


class NotAMember(Conflict):
    field = "person"

    def __init__(self, person: PersonId, community: CommunityId) -> None:
        super().__init__(f"'{person}' never joined community '{community}': record that they joined first")


class JoinedBeforeFounding(Conflict):
    field = "joined_on"

    def __init__(self, founded: CoarseDate, joined: CoarseDate) -> None:
        super().__init__(
            f"joined_on {joined} is before the community was founded ({founded}): correct the date", founded_on=founded
        )


class JoinedAfterClosing(Conflict):
    field = "joined_on"

    def __init__(self, closed: CoarseDate, joined: CoarseDate) -> None:
        super().__init__(
            f"joined_on {joined} is after the community closed ({closed}): correct the date", closed_on=closed
        )


class NotACohort(Conflict):
    field = "community"

    def __init__(self, community: CommunityId) -> None:
        super().__init__(f"Community '{community}' is no cohort: only a course is completed")


class CompletedBeforeJoining(Conflict):
    field = "completed_on"

    def __init__(self, joined: CoarseDate, completed: CoarseDate) -> None:
        super().__init__(f"completed_on {completed} is before they joined ({taken_as(joined)}): correct the date")


def decide(command: MembershipCommand, situation: Situation) -> Sequence[MembershipChange]:
    founded = require_founded(situation.community)
    require_known(situation.person, "person")
    match command:
        case Join():
            return _join(command, situation)
        case Leave(left_on=on):
            return _leave(on, situation)
        case Complete(completed_on=on):
            if founded.kind is not CommunityKind.COHORT:
                raise NotACohort(situation.community.key)
            return _complete(on, situation)
        case _:
            assert_never(command)


def _join(command: Join, situation: Situation) -> Sequence[MembershipChange]:
    if command.left_on is not None and command.left_on.last_day < command.joined_on.last_day:
        raise LeftBeforeJoining(command.joined_on, command.left_on)
    on_record = [interval for interval in situation.membership.intervals if interval.is_of(command)]
    for interval in on_record:
        if interval.left_on == command.left_on or (command.left_on is None and not interval.is_empty):
            return _as_joined(command, interval)  # it came again, be it after they left
    wanted = Interval(
        role=command.role,
        how=command.how or HowJoined.NOT_STATED,
        joined_on=command.joined_on,
        left_on=command.left_on,
    )
    still_open = next((interval for interval in on_record if interval.left_on is None), None)
    if still_open is not None and command.left_on is not None:
        return [*_as_joined(command, still_open), _left(situation.person.key, still_open, command.left_on)]
    for held in situation.membership.intervals:
        if held.overlaps(wanted):
            ends_otherwise = held.is_of(command) and held.left_on is not None
            raise AlreadyLeft(held) if ends_otherwise else AlreadyMember(held, wanted)
    require_may_begin(situation.person, "person")
    _require_open(situation.community, command.joined_on)
    person = situation.person
    joined = MemberJoined(person_id=person.key, role=wanted.role, how=wanted.how, joined_on=wanted.joined_on)
    left = [_left(person.key, wanted, command.left_on)] if command.left_on else []
    return [*brought_along(person, situation.community.key), joined, *left]


def _as_joined(command: Join, interval: Interval) -> list[MembershipChange]:
    """Nothing, unless they are said to have joined otherwise than is on record; not saying how is not otherwise."""
    if command.how is not None:
        require_same(f"That they joined as {interval}", interval, interval.model_copy(update={"how": command.how}))
    return []


def _require_open(community: Community, joined: CoarseDate) -> None:
    """Refuses what is surely too early or too late; what a coarse date leaves possible is believed."""
    founded = community.founded.founded_on if community.founded else None
    if founded is not None and is_surely_before(joined, founded):
        raise JoinedBeforeFounding(founded, joined)
    if community.closed is not None and is_surely_before(community.closed.closed_on, joined):
        raise JoinedAfterClosing(community.closed.closed_on, joined)


def _leave(on: CoarseDate, situation: Situation) -> Sequence[MembershipChange]:
    membership = situation.membership
    if not membership.intervals:
        raise NotAMember(situation.person.key, situation.community.key)
    interval = membership.open()
    if interval is None:
        if any(one.left_on == on for one in membership.intervals):
            return []
        raise AlreadyLeft(max(membership.intervals, key=lambda one: one.ends))
    if on.last_day < interval.begins:
        raise LeftBeforeJoining(interval.joined_on, on)
    return [_left(situation.person.key, interval, on)]


def _left(person: PersonId, interval: Interval, on: CoarseDate) -> MemberLeft:
    return MemberLeft(left_on=on, person_id=person, role=interval.role, joined_on=interval.joined_on)


def _complete(on: CoarseDate, situation: Situation) -> Sequence[MembershipChange]:
    membership, person = situation.membership, situation.person
    if not membership.intervals:
        raise NotAMember(person.key, situation.community.key)
    completed = MemberCompleted(person_id=person.key, completed_on=on)
    if membership.completed is not None:
        require_same("That they completed", membership.completed, completed)
        return []
    first = min(membership.intervals, key=lambda interval: interval.begins)
    if is_surely_before(on, first.joined_on):
        raise CompletedBeforeJoining(first.joined_on, on)
    return [completed]


def evolve(situation: Situation, change: MembershipChange) -> Situation:
    membership = situation.membership
    changes: dict[str, object]
    match change:
        case MemberJoined(role=role, how=how, joined_on=on):
            changes = {"intervals": (*membership.intervals, Interval(role=role, how=how, joined_on=on))}
        case MemberLeft(left_on=on):
            changes = {
                "intervals": tuple(
                    one.model_copy(update={"left_on": on}) if one.left_on is None and one.is_of(change) else one
                    for one in membership.intervals
                )
            }
        case MemberCompleted():
            changes = {"completed": change}
        case CameToBeKnown(community_id=community):
            return replace(situation, person=situation.person.known_in(community))
        case AffiliationBegan() | AffiliationEnded():  # brought along: the person has them already
            return situation
        case _:
            assert_never(change)
    return replace(situation, membership=membership.model_copy(update=changes))


def _situation(community: CommunityId, person: PersonId) -> Situation:
    return Situation(Membership.initial(community, person), Community(key=community), Person(key=person))


memberships = Decider(
    stream=lambda community, *_: Community(key=community).stream(), initial=_situation, decide=decide, evolve=evolve
)
"""Key: community, person."""
