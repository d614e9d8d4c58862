"""People: an opaque id outside; names, e-mails and references stay here. Affiliations are dated. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, assert_never

from pydantic import BaseModel, ConfigDict, StringConstraints

from services.membership.domain.organisations import Organisation, require_registered
from services.membership.domain.references import Reference, reference_key
from shared.events.fact import Stream
from shared.events.membership import (
    AffiliationBegan,
    AffiliationEnded,
    AffiliationFact,
    PersonErased,
    PersonMerged,
    PersonRegistered,
)
from shared.events.words import AffiliationId, CoarseDate, CommunityId, OrganisationId, PersonId, Title
from shared.refusals import Conflict, Invalid, NotFound, UnknownReference
from shared.writing.decider import Command, Decider, Kept, On, State
from shared.writing.otherwise import require_same

Email = Annotated[str, StringConstraints(strip_whitespace=True, max_length=320, pattern=r"^[^@\s]+@[^@\s]+$")]


class Register(Command):
    """The same reference gives the same person; without one, each is somebody new."""

    name: Title | None = None
    email: Email | None = None
    reference: Reference | None = None


class Affiliate(Command):
    organisation_id: OrganisationId | None = None
    service: Title | None = None
    profession: Title | None = None
    began_on: CoarseDate
    ended_on: CoarseDate | None = None


class EndAffiliation(Command):
    ended_on: CoarseDate


class Described(Kept):
    """What somebody is called, and by which key of a source."""

    name: str | None
    email: str | None
    reference: Reference | None


class CameToBeKnown(Kept):
    """A community where the person is known from now on."""

    person_id: PersonId
    community_id: CommunityId


class Affiliation(BaseModel):
    """Holds from its beginning up to, not including, its end."""

    model_config = ConfigDict(frozen=True)

    began: AffiliationBegan
    ended: AffiliationEnded | None = None

    def facts(self) -> list[AffiliationFact]:
        return [self.began, self.ended] if self.ended else [self.began]


class Person(State):
    collection: ClassVar[str] = "people"

    registered: bool = False
    name: str | None = None
    email: str | None = None
    reference: Reference | None = None
    affiliations: tuple[Affiliation, ...] = ()
    communities: tuple[CommunityId, ...] = ()
    """Where the person is known: what changes about the person is recorded there too."""
    merged: PersonMerged | None = None
    merged_from: tuple[PersonId, ...] = ()
    """Whose records were merged into this one; into theirs may have been others."""
    erased: PersonErased | None = None

    def stream(self) -> Stream:
        return Stream("membership", "person", self.key)

    def affiliation(self, affiliation: AffiliationId) -> Affiliation | None:
        return next((one for one in self.affiliations if one.began.affiliation_id == affiliation), None)

    def streams(self) -> list[Stream]:
        """Those of the communities where the person is known."""
        return [Stream("membership", "community", community) for community in self.communities]

    def known_in(self, community: CommunityId) -> "Person":
        return self.model_copy(update={"communities": (*self.communities, community)})


class ReferenceHolder(State):
    """Whose a source's key is."""

    collection: ClassVar[str] = "person_references"

    person_id: PersonId | None = None

    @property
    def is_empty(self) -> bool:
        return self.person_id is None


@dataclass(frozen=True)
class Registering:
    """Where there is a reference, a person of the minted id is made only if nobody is known by it."""

    minted: PersonId
    person: Person | None
    reference: ReferenceHolder | None


@dataclass(frozen=True)
class Affiliating:
    person: Person
    affiliation_id: AffiliationId
    organisation: Organisation | None


class UnknownPerson(UnknownReference):
    def __init__(self, person: PersonId, field: str) -> None:
        super().__init__(f"No person '{person}' is registered here: register them first", field=field)


class PersonWasMerged(Conflict):
    def __init__(self, merged: PersonMerged, field: str) -> None:
        super().__init__(
            f"Person '{merged.person_id}' was merged into '{merged.into_id}' on {merged.merged_on}: use that id",
            field=field,
            into_id=merged.into_id,
        )


class PersonWasErased(Conflict):
    def __init__(self, erased: PersonErased, field: str) -> None:
        super().__init__(
            f"Person '{erased.person_id}' was erased on {erased.erased_on}: nothing more begins under this id",
            field=field,
            erased_on=erased.erased_on,
        )


class NoSuchAffiliation(NotFound):
    field = "affiliation"

    def __init__(self, affiliation: AffiliationId) -> None:
        super().__init__(f"The person has no affiliation '{affiliation}': record its beginning first")


class NothingStated(Invalid):
    field = "organisation_id"

    def __init__(self) -> None:
        super().__init__("An affiliation says at least one of organisation_id, service and profession: name one")


class EndedBeforeBeginning(Conflict):
    field = "ended_on"

    def __init__(self, began: CoarseDate, ended: CoarseDate) -> None:
        super().__init__(f"ended_on {ended} is before began_on {taken_as(began)}: correct one of them")


class AlreadyEnded(Conflict):
    field = "ended_on"

    def __init__(self, affiliation: AffiliationId, ended: CoarseDate) -> None:
        super().__init__(
            f"Affiliation '{affiliation}' ended on {ended} already: record what followed under another id",
            ended_on=ended,
        )


def taken_as(date: CoarseDate) -> str:
    """A date in a sentence, with the day that it is taken as."""
    return f"{date} (taken as {date.last_day})" if date.is_coarse else date


def require_known(person: Person, field: str) -> None:
    """
    Raises:
        UnknownPerson: nobody of this id is registered; `field` named them.
    """
    if not person.registered:
        raise UnknownPerson(person.key, field)


def require_may_begin(person: Person, field: str) -> None:
    """Refuses whatever begins under the id of somebody who was merged or erased; what had begun may still end.

    Raises:
        PersonWasMerged: names the id that goes on.
        PersonWasErased: `field` named them.
    """
    if person.merged is not None:
        raise PersonWasMerged(person.merged, field)
    if person.erased is not None:
        raise PersonWasErased(person.erased, field)


def brought_along(person: Person, community: CommunityId) -> list[AffiliationFact | CameToBeKnown]:
    """What precedes somebody's first fact in a community's stream; nothing where the person is known there."""
    if community in person.communities:
        return []
    facts = [fact for affiliation in person.affiliations for fact in affiliation.facts()]
    return [*facts, CameToBeKnown(person_id=person.key, community_id=community)]


# registering


def decide_registering(command: Register, situation: Registering) -> Sequence[PersonRegistered | Described]:
    if situation.reference is not None and situation.reference.person_id is not None:
        return []
    described = Described(name=command.name, email=command.email, reference=command.reference)
    return [PersonRegistered(person_id=situation.minted), described]


def evolve_registering(situation: Registering, change: PersonRegistered | Described) -> Registering:
    person = situation.person or Person(key=situation.minted)
    match change:
        case PersonRegistered(person_id=id_):
            holder = situation.reference and situation.reference.model_copy(update={"person_id": id_})
            return replace(situation, person=person.model_copy(update={"registered": True}), reference=holder)
        case Described(name=name, email=email, reference=reference):
            described = person.model_copy(update={"name": name, "email": email, "reference": reference})
            return replace(situation, person=described)
        case _:
            assert_never(change)


def _registering(minted: PersonId, source: str | None = None, ref: str | None = None) -> Registering:
    if source is None or ref is None:
        return Registering(minted, Person(key=minted), None)
    return Registering(minted, None, ReferenceHolder(key=reference_key(source, ref)))


def _follow_registering(situation: Registering) -> Registering:
    """Who is on record by the reference: whoever erases them at the same time writes to them too, and one of the two
    decides again. Else the answer, which names them, could be kept after that.
    """
    holder = situation.reference
    if situation.person is not None or holder is None or holder.person_id is None:
        return situation
    return replace(situation, person=Person(key=holder.person_id))


def _whom(situation: Registering) -> dict[str, PersonId | None]:
    holder = situation.reference
    return {"person_id": holder.person_id if holder else situation.minted}


people = Decider(
    stream=lambda minted, *_: Person(key=minted).stream(),
    initial=_registering,
    decide=decide_registering,
    evolve=evolve_registering,
    answer=_whom,
    following=_follow_registering,
)
"""Key: the id minted for a new person, and the reference's source and ref if there is one."""


# affiliations


def decide(command: Affiliate | EndAffiliation, situation: Affiliating) -> Sequence[AffiliationFact | On]:
    require_known(situation.person, "person")
    match command:
        case Affiliate():
            facts = _affiliate(command, situation)
        case EndAffiliation(ended_on=on):
            affiliation = situation.person.affiliation(situation.affiliation_id)
            if affiliation is None:
                raise NoSuchAffiliation(situation.affiliation_id)
            facts = _end(affiliation, on)
        case _:
            assert_never(command)
    return [*facts, *(On(stream, fact) for stream in situation.person.streams() for fact in facts)]


def _affiliate(command: Affiliate, situation: Affiliating) -> list[AffiliationFact]:
    if command.organisation_id is None and command.service is None and command.profession is None:
        raise NothingStated
    if situation.organisation is not None:
        require_registered(situation.organisation, "organisation_id")
    began = AffiliationBegan(
        person_id=situation.person.key,
        affiliation_id=situation.affiliation_id,
        **command.model_dump(exclude={"ended_on"}),
    )
    on_record = situation.person.affiliation(situation.affiliation_id)
    if on_record is not None:
        require_same(f"Affiliation '{situation.affiliation_id}'", on_record.began, began)
    else:
        require_may_begin(situation.person, "person")
    affiliation = on_record or Affiliation(began=began)
    facts: list[AffiliationFact] = [] if on_record else [began]
    return [*facts, *_end(affiliation, command.ended_on)] if command.ended_on else facts


def _end(affiliation: Affiliation, on: CoarseDate) -> list[AffiliationFact]:
    began = affiliation.began
    if affiliation.ended is not None:
        if affiliation.ended.ended_on != on:
            raise AlreadyEnded(began.affiliation_id, affiliation.ended.ended_on)
        return []
    if on.last_day < began.began_on.last_day:
        raise EndedBeforeBeginning(began.began_on, on)
    return [AffiliationEnded(person_id=began.person_id, affiliation_id=began.affiliation_id, ended_on=on)]


def evolve(situation: Affiliating, change: AffiliationFact) -> Affiliating:
    person = situation.person
    match change:
        case AffiliationBegan():
            affiliations = (*person.affiliations, Affiliation(began=change))
        case AffiliationEnded(affiliation_id=id_):
            affiliations = tuple(
                one.model_copy(update={"ended": change}) if one.began.affiliation_id == id_ else one
                for one in person.affiliations
            )
        case _:
            assert_never(change)
    return replace(situation, person=person.model_copy(update={"affiliations": affiliations}))


def _affiliating(
    person: PersonId, affiliation: AffiliationId, organisation: OrganisationId | None = None
) -> Affiliating:
    return Affiliating(Person(key=person), affiliation, Organisation(key=organisation) if organisation else None)


affiliations = Decider(
    stream=lambda person, *_: Person(key=person).stream(), initial=_affiliating, decide=decide, evolve=evolve
)
"""Key: person, affiliation, and the organisation where the command names one."""
