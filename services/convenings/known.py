"""What is known here of membership's facts: which communities, people and organisations there are, and who belongs
where. Pure: no I/O, no clock, no ids.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
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
    PersonErased,
    PersonMerged,
    PersonRegistered,
)
from shared.events.words import CoarseDate, CommunityId
from shared.refusals import Conflict, UnknownReference
from shared.writing.decider import Kept, On, State


class KnownCommunity(State):
    collection: ClassVar[str] = "known_communities"

    founded: bool = False
    closed_on: CoarseDate | None = None


class KnownOrganisation(State):
    collection: ClassVar[str] = "known_organisations"

    registered: bool = False


class KnownPerson(State):
    """A person, what they are affiliated to, what became of their record, and the communities that know them here.

    Whoever makes them known in one more community writes this document, and so does whoever hears of an affiliation,
    a merge or an erasure: of two at once, one loses the race and runs again. So no community's stream lacks one.
    """

    collection: ClassVar[str] = "known_people"

    registered: bool = False
    affiliations: Mapping[int, AffiliationFact] = {}
    """By their versions in the person's stream: a late one takes its place."""
    communities: tuple[CommunityId, ...] = ()
    """Those whose convenings streams hold a fact about this person."""
    merged: PersonMerged | None = None
    erased: PersonErased | None = None

    def brought_along(self) -> Sequence[AffiliationFact | PersonErased]:
        """What goes before the person's first fact in a community's stream, in the order of versions. Somebody erased
        comes to be known only by a merge that is heard of later; who was merged goes on as another (`merged_here`).
        """
        affiliations = [self.affiliations[version] for version in sorted(self.affiliations)]
        return [*affiliations, self.erased] if self.erased else affiliations

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


ON_ITS_WAY = "what was registered a moment ago may still be on its way: name it in `Praxis-After`"
"""It comes when the service that registered it has published it, and only that one knows until then."""


class UnknownCommunity(UnknownReference):
    def __init__(self, community_id: str, field: str = "community") -> None:
        super().__init__(
            f"No community '{community_id}' is known: found it first, or correct the id; {ON_ITS_WAY}", field=field
        )


class UnknownPerson(UnknownReference):
    def __init__(self, person_id: str, field: str = "person") -> None:
        super().__init__(
            f"No person '{person_id}' is known: register them first, or correct the id; {ON_ITS_WAY}", field=field
        )


class PersonWasMerged(Conflict):
    def __init__(self, merged: PersonMerged, field: str = "person") -> None:
        super().__init__(
            f"Person '{merged.person_id}' was merged into '{merged.into_id}' on {merged.merged_on}: use that id",
            field=field,
            into_id=merged.into_id,
        )


class PersonWasErased(Conflict):
    def __init__(self, erased: PersonErased, field: str = "person") -> None:
        super().__init__(
            f"Person '{erased.person_id}' was erased on {erased.erased_on}: nothing more begins under this id",
            field=field,
            erased_on=erased.erased_on,
        )


class UnknownOrganisation(UnknownReference):
    def __init__(self, organisation_id: str, field: str = "organisation") -> None:
        super().__init__(
            f"No organisation '{organisation_id}' is known: register it first, or correct the id; {ON_ITS_WAY}",
            field=field,
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
        case AffiliationBegan() | AffiliationEnded() | PersonMerged() | PersonErased() if stream.kind == "person":
            return KnownPerson(key=stream.id)  # communities hold copies
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
            return _evolve_person(known, recorded)
        case KnownMembership():
            return known.model_copy(update={"facts": {**known.facts, version: fact}})
        case _:
            assert_never(known)


def _evolve_person(person: KnownPerson, recorded: Recorded) -> KnownPerson:
    changes: dict[str, object]
    match recorded.fact:
        case AffiliationBegan() | AffiliationEnded() as fact:
            changes = {"affiliations": {**person.affiliations, recorded.version: fact}}
        case PersonMerged() as fact:
            changes = {"merged": fact}
        case PersonErased() as fact:
            changes = {"erased": fact}
        case _:
            changes = {"registered": True}
    return person.model_copy(update=changes)


def require_may_begin(person: KnownPerson) -> None:
    """Refuses whatever begins under the id of somebody who was merged or erased; what had begun may still end.

    Raises:
        PersonWasMerged: names the id that goes on.
        PersonWasErased: nothing goes on.
    """
    if person.merged is not None:
        raise PersonWasMerged(person.merged)
    if person.erased is not None:
        raise PersonWasErased(person.erased)


def passed_on(known: Known, recorded: Recorded) -> Sequence[On]:
    """What the streams here must hold too: those of the communities that know the person. A merge is `merged_here`."""
    if isinstance(known, KnownPerson) and isinstance(recorded.fact, AffiliationFact | PersonErased):
        return [On(_stream(community_id), recorded.fact) for community_id in known.communities]
    return []


def merged_here(line: Sequence[KnownPerson]) -> tuple[Sequence[KnownPerson], Sequence[On]]:
    """What follows from a merge where the person is known: there the one who goes on is known from now on.

    `line` is the person, into whom they were merged, into whom those were before this was heard of, and so on; it is
    given back as it is then, with what the streams must hold.
    """
    people, facts = list(line), list[On]()
    for community_id in line[0].communities:
        stream = _stream(community_id)
        for number, (person, into) in enumerate(pairwise(people), start=1):
            knows = community_id in into.communities
            if not knows:
                people[number] = into.known_in(community_id)
                facts += [On(stream, fact) for fact in into.brought_along()]
            assert person.merged is not None
            facts.append(On(stream, person.merged))
            if knows:  # what became of them is there already
                break
    return people, facts


def _stream(community_id: CommunityId) -> Stream:
    return Stream("convenings", "community", community_id)
