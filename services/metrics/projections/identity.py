"""Which record a fact is about. It is in the scope of its stream's key, so one partition number writes it."""

from collections.abc import Callable
from typing import Any, NamedTuple

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
    if stream.kind == "community" and type(fact) is PersonMerged:
        return Identity(ParticipationRecord, (stream.id, fact.into_id))
    return None


_IN_COMMUNITY: dict[type[Fact], tuple[type[Record], Callable[[Any], tuple[str, ...]]]] = {
    **dict.fromkeys(
        (
            MemberJoined,
            MemberLeft,
            MemberCompleted,
            AffiliationBegan,
            AffiliationEnded,
            PersonMerged,
            PersonErased,
            RegistrationMade,
            RegistrationWithdrawn,
            PersonAttended,
        ),
        (ParticipationRecord, lambda fact: (fact.person_id,)),
    ),
    **dict.fromkeys(
        (ConveningScheduled, ConveningRescheduled, ConveningHeld, ConveningCancelled, AttendanceTaken),
        (ConveningRecord, lambda fact: (fact.convening_id,)),
    ),
    FeedbackFormOpened: (FormRecord, lambda fact: (fact.form_id,)),
    ResponseReceived: (ResponseRecord, lambda fact: (fact.form_id, fact.response_id)),
}
"""What is about a part of a community: the record, and what tells it from others there."""

_IN_INNOVATION = (OrganisationBecameEligible, OrganisationCeasedEligible, AdoptionStageReached)


def _in_community(community: str, fact: Fact) -> Identity:
    part = _IN_COMMUNITY.get(type(fact))
    if part is None:
        return Identity(CommunityRecord, (community,))
    record, key_of = part
    return Identity(record, (community, *key_of(fact)))


def _in_innovation(innovation: str, fact: Fact) -> Identity:
    if isinstance(fact, _IN_INNOVATION):
        return Identity(AdoptionRecord, (innovation, fact.organisation_id))
    return Identity(InnovationRecord, (innovation,))
