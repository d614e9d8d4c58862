"""Design groups, of a programme or of a community: who took part, and what they decided communities are about. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal, assert_never

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from services.membership.domain.communities import Community, is_surely_before, require_founded
from services.membership.domain.organisations import Organisation, require_registered
from services.membership.domain.people import CameToBeKnown, Person, brought_along, require_known, require_may_begin
from services.membership.domain.programmes import Programme, require_commissioned
from shared.events.fact import Stream
from shared.events.membership import (
    AffiliationBegan,
    AffiliationEnded,
    AffiliationFact,
    CommunityDomain,
    DesignGroupMet,
    DomainsDecided,
)
from shared.events.words import CoarseDate, CommunityId, DesignGroupId, OrganisationId, PersonId, Text
from shared.refusals import Conflict, Invalid, NotFound
from shared.writing.decider import Command, Decider, State
from shared.writing.otherwise import require_same

ParentKind = Literal["programme", "community"]
MOST_AT_ONCE = 500


def _a_set(ids: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(set(ids)))


People = Annotated[tuple[PersonId, ...], Field(max_length=MOST_AT_ONCE), AfterValidator(_a_set)]
Organisations = Annotated[tuple[OrganisationId, ...], Field(max_length=MOST_AT_ONCE), AfterValidator(_a_set)]


class Meet(Command):
    met_on: CoarseDate
    person_ids: People = ()
    organisation_ids: Organisations


class Domain(BaseModel):
    """What a community is to be about."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    community_id: CommunityId
    domain: Text


class Decide(Command):
    """A later decision revises an earlier one."""

    decided_on: CoarseDate
    domains: tuple[Domain, ...] = Field(min_length=1, max_length=MOST_AT_ONCE)


DesignGroupChange = DesignGroupMet | DomainsDecided | AffiliationFact | CameToBeKnown


class DesignGroup(State):
    collection: ClassVar[str] = "design_groups"

    met: DesignGroupMet | None = None
    decided: tuple[DomainsDecided, ...] = ()

    @classmethod
    def initial(cls, kind: ParentKind, parent: str, group: DesignGroupId) -> "DesignGroup":
        return cls(key=f"{kind}.{parent}/{group}")

    def stream(self) -> Stream:
        return Stream.parse(f"membership/{self.key.rpartition('/')[0]}")

    @property
    def id(self) -> DesignGroupId:
        return self.key.rpartition("/")[2]

    def domain_decided(self, community: CommunityId, on: CoarseDate) -> str | None:
        """What it decided on this date that the community is about."""
        decisions = [decision for decision in self.decided if decision.decided_on == on]
        domains = [one for decision in decisions for one in decision.domains if one.community_id == community]
        return domains[-1].domain if domains else None


@dataclass(frozen=True)
class Situation:
    group: DesignGroup
    parent: Programme | Community
    people: tuple[Person, ...] = ()
    organisations: tuple[Organisation, ...] = ()


class NotMetYet(NotFound):
    field = "design_group"

    def __init__(self, group: DesignGroupId) -> None:
        super().__init__(f"Design group '{group}' has not met: record first when it met, and who took part")


class DecidedBeforeMeeting(Conflict):
    field = "decided_on"

    def __init__(self, met: CoarseDate, decided: CoarseDate) -> None:
        super().__init__(f"decided_on {decided} is before the design group met ({met}): correct the date")


class DecidedOtherwise(Conflict):
    field = "domains"

    def __init__(self, community: CommunityId, on: CoarseDate, domain: str) -> None:
        super().__init__(
            f"On {on} the design group decided that '{community}' is about '{domain}': "
            f"record what was decided later under its own date"
        )


class SaidTwice(Invalid):
    field = "domains"

    def __init__(self, community: CommunityId) -> None:
        super().__init__(f"domains names '{community}' twice: say once what it is about")


class OfAnotherCommunity(Invalid):
    field = "domains"

    def __init__(self, community: CommunityId, named: CommunityId) -> None:
        super().__init__(
            f"domains names '{named}', but this is a design group of '{community}', which decides for itself alone"
        )


def decide(command: Meet | Decide, situation: Situation) -> Sequence[DesignGroupChange]:
    match situation.parent:
        case Programme():
            require_commissioned(situation.parent, "programme")
        case Community():
            require_founded(situation.parent)
        case _:
            assert_never(situation.parent)
    match command:
        case Meet():
            return _meet(command, situation)
        case Decide():
            return _decide(command, situation)
        case _:
            assert_never(command)


def _meet(command: Meet, situation: Situation) -> Sequence[DesignGroupChange]:
    group, parent = situation.group, situation.parent
    met = DesignGroupMet(design_group_id=group.id, **command.model_dump())
    if group.met is not None:
        require_same(f"Design group '{group.id}'", group.met, met)
        return []
    for person in situation.people:
        require_known(person, "person_ids")
        require_may_begin(person, "person_ids")
    for organisation in situation.organisations:
        require_registered(organisation, "organisation_ids")
    if isinstance(parent, Programme):
        return [met]
    return [*(change for person in situation.people for change in brought_along(person, parent.key)), met]


def _decide(command: Decide, situation: Situation) -> Sequence[DomainsDecided]:
    group, on = situation.group, command.decided_on
    if group.met is None:
        raise NotMetYet(group.id)
    if is_surely_before(on, group.met.met_on):
        raise DecidedBeforeMeeting(group.met.met_on, on)
    new, named = list[CommunityDomain](), set[CommunityId]()
    for one in command.domains:
        if one.community_id in named:
            raise SaidTwice(one.community_id)
        named.add(one.community_id)
        if isinstance(situation.parent, Community) and one.community_id != situation.parent.key:
            raise OfAnotherCommunity(situation.parent.key, one.community_id)
        decided = group.domain_decided(one.community_id, on)
        if decided is None:
            new.append(CommunityDomain(community_id=one.community_id, domain=one.domain))
        elif decided != one.domain:
            raise DecidedOtherwise(one.community_id, on, decided)
    return [DomainsDecided(design_group_id=group.id, decided_on=on, domains=tuple(new))] if new else []


def evolve(situation: Situation, change: DesignGroupChange) -> Situation:
    match change:
        case DesignGroupMet():
            return replace(situation, group=situation.group.model_copy(update={"met": change}))
        case DomainsDecided():
            decided = (*situation.group.decided, change)
            return replace(situation, group=situation.group.model_copy(update={"decided": decided}))
        case CameToBeKnown(person_id=id_, community_id=community):
            people = tuple(one.known_in(community) if one.key == id_ else one for one in situation.people)
            return replace(situation, people=people)
        case AffiliationBegan() | AffiliationEnded():  # brought along: the person has them already
            return situation
        case _:
            assert_never(change)


def _situation(
    kind: ParentKind,
    parent: str,
    group: DesignGroupId,
    people: tuple[PersonId, ...] = (),
    organisations: tuple[OrganisationId, ...] = (),
) -> Situation:
    return Situation(
        DesignGroup.initial(kind, parent, group),
        Programme(key=parent) if kind == "programme" else Community(key=parent),
        tuple(Person(key=person) for person in people),
        tuple(Organisation(key=organisation) for organisation in organisations),
    )


design_groups = Decider(
    stream=lambda kind, parent, *_: Stream("membership", kind, parent),
    initial=_situation,
    decide=decide,
    evolve=evolve,
)
"""Key: the parent's kind and id, design group; the people and organisations that the command names."""
