"""Who registered for a convening, and who came: one person and one convening at a time. Pure."""

from dataclasses import dataclass, replace
from typing import ClassVar, assert_never

from pydantic import BaseModel, ConfigDict, Field

from services.convenings.domain.convenings import (
    Convening,
    ConveningWasCancelled,
    NoSuchConvening,
    attendance_taken,
    evolve_convening,
    held_date,
)
from services.convenings.known import BecameKnown, KnownPerson, UnknownPerson, require_may_begin
from shared.events.convenings import (
    AttendanceTaken,
    PersonAttended,
    RegistrationMade,
    RegistrationWithdrawn,
)
from shared.events.fact import Stream
from shared.events.membership import AffiliationBegan, AffiliationEnded, AffiliationFact, PersonErased
from shared.events.words import CoarseDate, CommunityId, ConveningId, PersonId
from shared.refusals import Conflict
from shared.writing.decider import Command, Decider, State
from shared.writing.otherwise import require_same


class Register(Command):
    registered_on: CoarseDate


class Withdraw(Command):
    withdrawn_on: CoarseDate


class Attend(Command):
    minutes: int | None = Field(default=None, ge=1, le=24 * 60)


ParticipationCommand = Register | Withdraw | Attend
ParticipationChange = (
    RegistrationMade
    | RegistrationWithdrawn
    | AttendanceTaken
    | PersonAttended
    | AffiliationFact
    | PersonErased
    | BecameKnown
)


class Registration(BaseModel):
    model_config = ConfigDict(frozen=True)

    registered_on: CoarseDate
    withdrawn_on: CoarseDate | None = None


class Participation(State):
    """One person's part in one convening."""

    collection: ClassVar[str] = "participations"

    community_id: CommunityId
    convening_id: ConveningId
    person_id: PersonId
    registrations: tuple[Registration, ...] = ()
    """In the order they were recorded; only the last may stand."""
    attended: PersonAttended | None = None

    def stream(self) -> Stream:
        return stream(self.community_id)

    @property
    def standing(self) -> Registration | None:
        """The registration that has not been withdrawn."""
        last = self.registrations[-1] if self.registrations else None
        return last if last and last.withdrawn_on is None else None

    def was_registered(self, on: CoarseDate) -> bool:
        """Whether a registration of this date is on record. One withdrawn the same day leaves room for another."""
        return any(on == one.registered_on != one.withdrawn_on for one in self.registrations)


class NoPlacesLeft(Conflict):
    def __init__(self, convening: Convening, capacity: int) -> None:
        super().__init__(
            f"All {capacity} places of convening '{convening.convening_id}' are taken. There is no waiting list yet: "
            f"register when somebody has withdrawn, or come without registration",
            field="convening",
            convening_id=convening.convening_id,
            capacity=capacity,
        )


class RegisteredAlready(Conflict):
    def __init__(self, convening_id: ConveningId, since: CoarseDate) -> None:
        super().__init__(
            f"They are registered for convening '{convening_id}' since {since}: withdraw that first to register anew",
            field="registered_on",
            registered_on=since,
        )


class NotRegistered(Conflict):
    def __init__(self, convening_id: ConveningId) -> None:
        super().__init__(
            f"No registration for convening '{convening_id}' stands that could be withdrawn: register them first",
            field="person",
        )


class WithdrawnBeforeRegistered(Conflict):
    def __init__(self, registered_on: CoarseDate) -> None:
        super().__init__(
            f"withdrawn_on is before {registered_on}, when the registration was made: correct the date",
            field="withdrawn_on",
            registered_on=registered_on,
        )


@dataclass(frozen=True)
class Situation:
    participation: Participation
    convening: Convening
    person: KnownPerson


def stream(community: CommunityId, convening: ConveningId = "", person: PersonId = "") -> Stream:
    return Stream("convenings", "community", community)


def initial(community: CommunityId, convening: ConveningId, person: PersonId) -> Situation:
    participation = Participation(
        key=f"{community}/{convening}/{person}", community_id=community, convening_id=convening, person_id=person
    )
    return Situation(participation, Convening.initial(community, convening), KnownPerson(key=person))


def decide(command: ParticipationCommand, situation: Situation) -> list[ParticipationChange]:
    if situation.convening.scheduled is None:
        raise NoSuchConvening(situation.convening)
    if not situation.person.registered:
        raise UnknownPerson(situation.participation.person_id)
    match command:
        case Register(registered_on=on):
            return _register(on, situation)
        case Withdraw(withdrawn_on=on):
            return _withdraw(on, situation)
        case Attend(minutes=minutes):
            return _attend(minutes, situation)
        case _:
            assert_never(command)


def _register(on: CoarseDate, situation: Situation) -> list[ParticipationChange]:
    participation, convening = situation.participation, situation.convening
    if participation.was_registered(on):
        return []
    require_may_begin(situation.person)
    if convening.cancelled:
        raise ConveningWasCancelled(convening)
    if participation.standing:
        raise RegisteredAlready(convening.convening_id, participation.standing.registered_on)
    capacity = convening.scheduled and convening.scheduled.capacity
    if capacity and convening.registered >= capacity:
        raise NoPlacesLeft(convening, capacity)
    fact = RegistrationMade(convening_id=convening.convening_id, person_id=participation.person_id, registered_on=on)
    return [*_made_known(situation), fact]


def _withdraw(on: CoarseDate, situation: Situation) -> list[ParticipationChange]:
    participation, convening_id = situation.participation, situation.convening.convening_id
    standing = participation.standing
    if standing is None:
        if any(one.withdrawn_on == on for one in participation.registrations):
            return []
        raise NotRegistered(convening_id)
    if on.last_day < standing.registered_on:  # text: certainly before, however coarse
        raise WithdrawnBeforeRegistered(standing.registered_on)
    return [RegistrationWithdrawn(convening_id=convening_id, person_id=participation.person_id, withdrawn_on=on)]


def _attend(minutes: int | None, situation: Situation) -> list[ParticipationChange]:
    participation, convening = situation.participation, situation.convening
    fact = PersonAttended(
        convening_id=convening.convening_id,
        person_id=participation.person_id,
        attended_on=held_date(convening),
        minutes=minutes,
    )
    if (attended := participation.attended) is None:
        require_may_begin(situation.person)
        return [*attendance_taken(convening), *_made_known(situation), fact]
    if minutes is not None:
        require_same(f"The attendance of '{participation.person_id}' at '{convening.convening_id}'", attended, fact)
    return []


def _made_known(situation: Situation) -> list[ParticipationChange]:
    """Somebody's first fact in a community's stream brings their affiliations along."""
    person, community_id = situation.person, situation.participation.community_id
    if community_id in person.communities:
        return []
    return [BecameKnown(community_id=community_id), *person.brought_along()]


def evolve(situation: Situation, change: ParticipationChange) -> Situation:
    participation, convening = situation.participation, situation.convening
    match change:
        case RegistrationMade(registered_on=on):
            registrations = (*participation.registrations, Registration(registered_on=on))
            return _registered(situation, registrations, convening.registered + 1)
        case RegistrationWithdrawn(withdrawn_on=on):
            *before, last = participation.registrations
            registrations = (*before, last.model_copy(update={"withdrawn_on": on}))
            return _registered(situation, registrations, convening.registered - 1)
        case AttendanceTaken():
            return replace(situation, convening=evolve_convening(convening, change))
        case PersonAttended():
            return replace(situation, participation=participation.model_copy(update={"attended": change}))
        case BecameKnown(community_id=community_id):
            return replace(situation, person=situation.person.known_in(community_id))
        case AffiliationBegan() | AffiliationEnded() | PersonErased():  # brought along
            return situation
        case _:
            assert_never(change)


def _registered(situation: Situation, registrations: tuple[Registration, ...], count: int) -> Situation:
    return replace(
        situation,
        participation=situation.participation.model_copy(update={"registrations": registrations}),
        convening=situation.convening.model_copy(update={"registered": count}),
    )


participations = Decider(stream=stream, initial=initial, decide=decide, evolve=evolve)
