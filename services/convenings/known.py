"""What is known here of membership's facts: which communities, people and organisations there are, and who belongs
where. Pure: no I/O, no clock, no ids.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar, assert_never

from shared.events.fact import Recorded, Stream
from shared.events.membership import (
    AffiliationBegan,
    AffiliationEnded,
    AffiliationFact,
    CommunityClosed,
    CommunityFounded,
    MemberCompleted,
    MemberJoined,
    MemberLeft,
    MembershipFact,
    OrganisationRegistered,
    PersonRegistered,
)
from shared.events.words import CoarseDate, CommunityId
from shared.refusals import UnknownReference
from shared.writing.decider import Kept, State


class KnownCommunity(State):
    collection: ClassVar[str] = "known_communities"

    founded: bool = False
    closed_on: CoarseDate | None = None


class KnownOrganisation(State):
    collection: ClassVar[str] = "known_organisations"

    registered: bool = False


class KnownPerson(State):
    """A person, what they are affiliated to, and the communities that know them here.

    Whoever makes them known in one more community writes this document, and so does whoever hears of an
    affiliation: of two at once, one loses the race and runs again. So no community's stream lacks an affiliation.
    """

    collection: ClassVar[str] = "known_people"

    registered: bool = False
    affiliations: Mapping[int, AffiliationFact] = {}
    """By their versions in the person's stream: a late one takes its place."""
    communities: tuple[CommunityId, ...] = ()
    """Those whose convenings streams hold a fact about this person."""

    def brought_along(self) -> Sequence[AffiliationFact]:
        """What goes before the person's first fact in a community's stream, in the order of versions."""
        return [self.affiliations[version] for version in sorted(self.affiliations)]

    def known_in(self, community_id: CommunityId) -> "KnownPerson":
        return self.model_copy(update={"communities": (*self.communities, community_id)})


class KnownMembership(State):
    """One person's membership in one community: its facts by version."""

    collection: ClassVar[str] = "known_memberships"

    facts: Mapping[int, MembershipFact] = {}


Known = KnownCommunity | KnownOrganisation | KnownPerson | KnownMembership


class BecameKnown(Kept):
    """The community's stream is about to hold its first fact about the person."""

    community_id: CommunityId


class UnknownCommunity(UnknownReference):
    def __init__(self, community_id: str, field: str = "community") -> None:
        super().__init__(f"No community '{community_id}' is known: found it first, or correct the id", field=field)


class UnknownPerson(UnknownReference):
    def __init__(self, person_id: str, field: str = "person") -> None:
        super().__init__(f"No person '{person_id}' is known: register them first, or correct the id", field=field)


class UnknownOrganisation(UnknownReference):
    def __init__(self, organisation_id: str, field: str = "organisation") -> None:
        super().__init__(
            f"No organisation '{organisation_id}' is known: register it first, or correct the id", field=field
        )


def about(recorded: Recorded) -> Known | None:
    """What a fact changes, as if nothing were known of it yet; None where nothing is kept of such a fact."""
    stream = recorded.stream
    match recorded.fact:
        case CommunityFounded() | CommunityClosed():
            return KnownCommunity(key=stream.id)
        case OrganisationRegistered():
            return KnownOrganisation(key=stream.id)
        case PersonRegistered():
            return KnownPerson(key=stream.id)
        case AffiliationBegan() | AffiliationEnded() if stream.kind == "person":  # communities hold copies
            return KnownPerson(key=stream.id)
        case MemberJoined(person_id=person) | MemberLeft(person_id=person) | MemberCompleted(person_id=person):
            return KnownMembership(key=f"{stream.id}/{person}")
        case _:
            return None


def evolve(known: Known, recorded: Recorded) -> Known:
    """What is known after a fact that it is about; the same in whatever order the facts of a stream come."""
    fact, version = recorded.fact, recorded.version
    match known:
        case KnownCommunity():
            if isinstance(fact, CommunityClosed):
                return known.model_copy(update={"closed_on": fact.closed_on})
            return known.model_copy(update={"founded": True})
        case KnownOrganisation():
            return known.model_copy(update={"registered": True})
        case KnownPerson():
            if isinstance(fact, AffiliationFact):
                return known.model_copy(update={"affiliations": {**known.affiliations, version: fact}})
            return known.model_copy(update={"registered": True})
        case KnownMembership():
            return known.model_copy(update={"facts": {**known.facts, version: fact}})
        case _:
            assert_never(known)


def passed_on(known: Known, recorded: Recorded) -> Sequence[Stream]:
    """The streams here that must hold a fact too: those of the communities that know the person."""
    if isinstance(known, KnownPerson) and isinstance(recorded.fact, AffiliationFact):
        return [Stream("convenings", "community", community_id) for community_id in known.communities]
    return []
