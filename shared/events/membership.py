"""Facts of `membership.events`: programmes, organisations, people (opaque), communities, design groups, memberships."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from shared.events.fact import Fact
from shared.events.words import (
    AffiliationId,
    CoarseDate,
    CommunityId,
    Day,
    DesignGroupId,
    OrganisationId,
    PersonId,
    ProgrammeId,
    Text,
    Title,
)


class Role(StrEnum):
    """The part that somebody has in a community."""

    CONVENOR = "convenor"
    FACILITATOR = "facilitator"
    MEMBER = "member"
    PATIENT_PARTNER = "patient-partner"
    OBSERVER = "observer"


class HowJoined(StrEnum):
    BY_THEMSELVES = "by-themselves"
    INVITED = "invited"
    NOMINATED = "nominated"
    ENROLLED = "enrolled"
    NOT_STATED = "not-stated"


class CommunityKind(StrEnum):
    PRACTICE = "practice"
    COHORT = "cohort"
    """A course: a community whose members complete it."""


class Governance(StrEnum):
    FACILITATED = "facilitated"
    SELF_GOVERNING = "self-governing"
    NOT_STATED = "not-stated"


class OrganisationKind(StrEnum):
    TRUST = "trust"
    INTEGRATED_CARE_BOARD = "integrated-care-board"
    ALLIANCE = "alliance"
    NETWORK = "network"
    GENERAL_PRACTICE = "general-practice"
    COUNCIL = "council"
    UNIVERSITY = "university"
    CHARITY = "charity"
    COMPANY = "company"
    LAY = "lay"


# programme streams


class ProgrammeCommissioned(Fact):
    """An organisation commissioned communities from another. What is not stated is None."""

    title: Title
    commissioned_on: CoarseDate
    commissioned_by: OrganisationId | None = None
    commissioned_from: OrganisationId
    communities: int | None = Field(default=None, ge=1)
    convenings_each: int | None = Field(default=None, ge=1)
    within_months: int | None = Field(default=None, ge=1)
    begins_on: CoarseDate | None = None
    source: Text | None = None
    demonstration_on: Day | None = None
    """The date that a demonstration is made for; None for what is real. So in all facts that found a thing."""


class ProgrammeFollowed(Fact):
    """This programme follows an earlier one: a sequence with the reason that was given, not an effect."""

    earlier_programme_id: ProgrammeId
    stated_reason: Text


class DesignGroupMet(Fact):
    """A design group met: who took part, from which organisations. Of a programme or of a community."""

    design_group_id: DesignGroupId
    met_on: CoarseDate
    person_ids: tuple[PersonId, ...] = ()
    organisation_ids: tuple[OrganisationId, ...]


class CommunityDomain(BaseModel):
    """What a community is to be about."""

    model_config = ConfigDict(frozen=True)

    community_id: CommunityId
    domain: Text


class DomainsDecided(Fact):
    """A design group decided what communities are about; a later decision about a community revises it."""

    design_group_id: DesignGroupId
    decided_on: CoarseDate
    domains: tuple[CommunityDomain, ...] = Field(min_length=1)


# organisation streams


class OrganisationRegistered(Fact):
    kind: OrganisationKind
    name: Title
    ods_code: str | None = None
    region: str | None = None
    demonstration_on: Day | None = None


class OrganisationRenamed(Fact):
    """From this date on it goes by another name; its id and code stay."""

    renamed_on: CoarseDate
    name: Title


class OrganisationJoinedBoard(Fact):
    """It came under an integrated care board."""

    board_id: OrganisationId
    joined_on: CoarseDate


class OrganisationJoinedNetwork(Fact):
    """It became a member organisation of the network."""

    joined_on: CoarseDate


# person streams; all but the first also in the streams of the communities where the person is known


class PersonRegistered(Fact):
    """A person is known: name, e-mail and references stay in `membership`."""

    person_id: PersonId


class AffiliationBegan(Fact):
    """A person came to belong to an organisation, a service or a profession; what is not stated is None."""

    person_id: PersonId
    affiliation_id: AffiliationId
    began_on: CoarseDate
    organisation_id: OrganisationId | None = None
    service: str | None = None
    profession: str | None = None


class AffiliationEnded(Fact):
    """It holds up to, not including, this date."""

    person_id: PersonId
    affiliation_id: AffiliationId
    ended_on: CoarseDate


class PersonMerged(Fact):
    """Two ids were of one person: what is on record under this one is the other's, at all dates."""

    person_id: PersonId
    into_id: PersonId
    """The one that goes on. It may be merged into another later."""
    merged_on: Day


class PersonErased(Fact):
    """Name, e-mail and references are deleted; the id and its dated facts stay, and count."""

    person_id: PersonId
    erased_on: Day


# community streams


class CommunityFounded(Fact):
    title: Title
    kind: CommunityKind
    governance: Governance
    founded_on: CoarseDate | None = None
    programme_id: ProgrammeId | None = None
    host_id: OrganisationId | None = None
    """The organisation that hosts it: its staff is stated apart among the participants."""
    description: str | None = None
    services: tuple[str, ...] = ()
    """The services whose colleagues it brings together."""
    mechanisms: tuple[str, ...] = ()
    """Those of a change model that it is aligned with (Q: connecting, collaborating, supporting, developing)."""
    accredited_by: str | None = None
    demonstration_on: Day | None = None


class CommunityClosed(Fact):
    closed_on: CoarseDate


class MemberJoined(Fact):
    """A membership holds from this date on."""

    person_id: PersonId
    role: Role
    how: HowJoined
    joined_on: CoarseDate


class MemberLeft(Fact):
    """The membership in this role that began on `joined_on` holds up to, not including, `left_on`."""

    left_on: CoarseDate
    person_id: PersonId
    role: Role
    joined_on: CoarseDate


class MemberCompleted(Fact):
    """A member of a cohort completed the course."""

    person_id: PersonId
    completed_on: CoarseDate


AffiliationFact = AffiliationBegan | AffiliationEnded
ProgrammeFact = ProgrammeCommissioned | ProgrammeFollowed | DesignGroupMet | DomainsDecided
OrganisationFact = OrganisationRegistered | OrganisationRenamed | OrganisationJoinedBoard | OrganisationJoinedNetwork
IdentityFact = PersonMerged | PersonErased
PersonFact = PersonRegistered | AffiliationFact | IdentityFact
MembershipFact = MemberJoined | MemberLeft | MemberCompleted
CommunityFact = CommunityFounded | CommunityClosed | DesignGroupMet | DomainsDecided
