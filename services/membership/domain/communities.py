"""Communities: founded once, closed once; their source's own key is kept here. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, assert_never

from pydantic import Field

from services.membership.domain.organisations import Organisation, require_registered
from services.membership.domain.programmes import Programme, require_commissioned
from services.membership.domain.references import Reference
from shared.events.fact import Stream
from shared.events.membership import CommunityClosed, CommunityFounded, CommunityKind, Governance
from shared.events.words import CoarseDate, CommunityId, Day, OrganisationId, ProgrammeId, Text, Title
from shared.refusals import Conflict, UnknownReference
from shared.writing.decider import Command, Decider, Kept, State
from shared.writing.otherwise import require_same

Titles = Annotated[tuple[Title, ...], Field(max_length=50)]


class Found(Command):
    title: Title
    kind: CommunityKind
    governance: Governance = Governance.NOT_STATED
    founded_on: CoarseDate | None = None
    programme_id: ProgrammeId | None = None
    host_id: OrganisationId | None = None
    description: Text | None = None
    services: Titles = ()
    mechanisms: Titles = ()
    accredited_by: Title | None = None
    reference: Reference | None = None
    demonstration_on: Day | None = None


class Close(Command):
    closed_on: CoarseDate


class ReferenceGiven(Kept):
    """The source's own key for the community."""

    reference: Reference


class Community(State):
    collection: ClassVar[str] = "communities"

    founded: CommunityFounded | None = None
    closed: CommunityClosed | None = None
    reference: Reference | None = None

    def stream(self) -> Stream:
        return Stream("membership", "community", self.key)


@dataclass(frozen=True)
class Situation:
    community: Community
    programme: Programme | None = None
    host: Organisation | None = None


class UnknownCommunity(UnknownReference):
    def __init__(self, community: CommunityId, field: str = "community") -> None:
        super().__init__(f"No community '{community}' is on record here: found it first", field=field)


class IdTakenByAnotherReference(Conflict):
    """Two keys of sources led to one id."""

    field = "reference"

    def __init__(self, community: CommunityId, held: Reference, given: Reference) -> None:
        super().__init__(
            f"The id '{community}' stands for {held} already, and cannot stand for {given} too: "
            f"choose another id for the latter",
            held=held.model_dump(),
            given=given.model_dump(),
        )


class ClosedBeforeFounding(Conflict):
    field = "closed_on"

    def __init__(self, founded: CoarseDate, closed: CoarseDate) -> None:
        super().__init__(f"closed_on {closed} is before the community was founded ({founded}): correct the date")


def require_founded(community: Community, field: str = "community") -> CommunityFounded:
    """
    Raises:
        UnknownCommunity: there is none of this id; `field` named it.
    """
    if community.founded is None:
        raise UnknownCommunity(community.key, field)
    return community.founded


def decide(
    command: Found | Close, situation: Situation
) -> Sequence[CommunityFounded | CommunityClosed | ReferenceGiven]:
    match command:
        case Found():
            return _found(command, situation)
        case Close(closed_on=on):
            return _close(on, situation.community)
        case _:
            assert_never(command)


def _found(command: Found, situation: Situation) -> Sequence[CommunityFounded | ReferenceGiven]:
    community = situation.community
    given, held = command.reference, community.reference
    if given is not None and held is not None and given != held:
        raise IdTakenByAnotherReference(community.key, held, given)
    founded = CommunityFounded(**command.model_dump(exclude={"reference"}))
    if community.founded is not None:
        require_same(f"Community '{community.key}'", community.founded, founded)
    else:
        if situation.programme is not None:
            require_commissioned(situation.programme, "programme_id")
        if situation.host is not None:
            require_registered(situation.host, "host_id")
    kept = [ReferenceGiven(reference=given)] if given is not None and held is None else []
    return kept if community.founded else [founded, *kept]


def _close(on: CoarseDate, community: Community) -> Sequence[CommunityClosed]:
    founded, closed = require_founded(community), CommunityClosed(closed_on=on)
    if community.closed is not None:
        require_same(f"That '{community.key}' closed", community.closed, closed)
        return []
    if founded.founded_on is not None and is_surely_before(on, founded.founded_on):
        raise ClosedBeforeFounding(founded.founded_on, on)
    return [closed]


def is_surely_before(day: CoarseDate, date: CoarseDate) -> bool:
    """Whether all days that the one may mean are before all that the other may mean."""
    return day.last_day < date  # as text, a coarse date comes just before the first of its days


def evolve(situation: Situation, change: CommunityFounded | CommunityClosed | ReferenceGiven) -> Situation:
    changes: dict[str, object]
    match change:
        case CommunityFounded():
            changes = {"founded": change}
        case CommunityClosed():
            changes = {"closed": change}
        case ReferenceGiven(reference=reference):
            changes = {"reference": reference}
        case _:
            assert_never(change)
    return replace(situation, community=situation.community.model_copy(update=changes))


def _situation(
    community: CommunityId, programme: ProgrammeId | None = None, host: OrganisationId | None = None
) -> Situation:
    return Situation(
        Community(key=community),
        Programme(key=programme) if programme else None,
        Organisation(key=host) if host else None,
    )


communities = Decider(
    stream=lambda community, *_: Community(key=community).stream(), initial=_situation, decide=decide, evolve=evolve
)
"""Key: community, programme, host; the last two where the command names them."""
