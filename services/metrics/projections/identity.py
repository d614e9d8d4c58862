"""Which record a fact is about. It is in the scope of its stream's key, so one partition number writes it."""

from typing import NamedTuple

from shared.events.convenings import (
    AttendanceTaken,
    ConveningCancelled,
    ConveningHeld,
    ConveningRescheduled,
    ConveningScheduled,
    PersonAttended,
    RegistrationMade,
    RegistrationWithdrawn,
)
from shared.events.fact import Fact, Stream
from shared.events.feedback import (
    AdoptionStageReached,
    FeedbackFormOpened,
    OrganisationBecameEligible,
    OrganisationCeasedEligible,
    ResponseReceived,
)
from shared.events.membership import (
    AffiliationBegan,
    AffiliationEnded,
    MemberCompleted,
    MemberJoined,
    MemberLeft,
    PersonErased,
    PersonMerged,
)
from shared.views.records import (
    AdoptionRecord,
    CommunityRecord,
    ConveningRecord,
    FormRecord,
    InnovationRecord,
    OrganisationRecord,
    ParticipationRecord,
    PersonRecord,
    ProgrammeRecord,
    Record,
    ResponseRecord,
)


class Identity(NamedTuple):
    """A record's kind and the fields that tell it from others of its kind, in the order of the record's fields."""

    kind: type[Record]
    key: tuple[str, ...]

    def __str__(self) -> str:
        return "/".join((self.kind.kind, *self.key))

    def empty(self) -> Record:
        """The record as if no fact had come yet."""
        return self.kind(*self.key)


def identity_of(stream: Stream, fact: Fact) -> Identity:
    match stream.kind:
        case "programme":
            return Identity(ProgrammeRecord, (stream.id,))
        case "organisation":
            return Identity(OrganisationRecord, (stream.id,))
        case "person":
            return Identity(PersonRecord, (stream.id,))
        case "community":
            return _in_community(stream.id, fact)
        case "innovation":
            return _in_innovation(stream.id, fact)


def also_about(stream: Stream, fact: Fact) -> Identity | None:
    """The other record that a fact is about: where people are known, a merge is about both."""
    if isinstance(fact, PersonMerged) and stream.kind == "community":
        return Identity(ParticipationRecord, (stream.id, fact.into_id))
    return None


def _in_community(community: str, fact: Fact) -> Identity:
    match fact:
        case (
            MemberJoined(person_id=person)
            | MemberLeft(person_id=person)
            | MemberCompleted(person_id=person)
            | AffiliationBegan(person_id=person)
            | AffiliationEnded(person_id=person)
            | PersonMerged(person_id=person)
            | PersonErased(person_id=person)
            | RegistrationMade(person_id=person)
            | RegistrationWithdrawn(person_id=person)
            | PersonAttended(person_id=person)
        ):
            return Identity(ParticipationRecord, (community, person))
        case (
            ConveningScheduled(convening_id=convening)
            | ConveningRescheduled(convening_id=convening)
            | ConveningHeld(convening_id=convening)
            | ConveningCancelled(convening_id=convening)
            | AttendanceTaken(convening_id=convening)
        ):
            return Identity(ConveningRecord, (community, convening))
        case FeedbackFormOpened(form_id=form):
            return Identity(FormRecord, (community, form))
        case ResponseReceived(form_id=form, response_id=response):
            return Identity(ResponseRecord, (community, form, response))
        case _:
            return Identity(CommunityRecord, (community,))


def _in_innovation(innovation: str, fact: Fact) -> Identity:
    match fact:
        case (
            OrganisationBecameEligible(organisation_id=organisation)
            | OrganisationCeasedEligible(organisation_id=organisation)
            | AdoptionStageReached(organisation_id=organisation)
        ):
            return Identity(AdoptionRecord, (innovation, organisation))
        case _:
            return Identity(InnovationRecord, (innovation,))
