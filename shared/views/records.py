"""Records: facts by identity, dated. A record is what its facts say, whatever order they came in.

Days are `YYYY-MM-DD`, the last day that a coarse date may mean, so that they order as text does; what is shown to
people keeps the words of the fact beside it (`…_stated`).
"""

from collections.abc import Mapping
from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from shared.events.feedback import AdoptionStage, Question, Source
from shared.events.membership import CommunityKind, Governance, HowJoined, OrganisationKind, Role


class Record(BaseModel):
    model_config = ConfigDict(frozen=True)

    kind: ClassVar[str]


class Part(BaseModel):
    """A part of a record."""

    model_config = ConfigDict(frozen=True)


class ProgrammeRecord(Record):
    kind: ClassVar[str] = "programme"

    programme_id: str
    title: str | None = None
    commissioned_on: str | None = None
    commissioned_stated: str | None = None
    commissioned_by: str | None = None
    commissioned_from: str | None = None
    communities: int | None = None
    convenings_each: int | None = None
    within_months: int | None = None
    begins_on: str | None = None
    begins_stated: str | None = None
    source: str | None = None
    follows: str | None = None
    stated_reason: str | None = None
    design_groups: tuple["DesignGroup", ...] = ()
    demonstration_on: str | None = None


class Domain(Part):
    """What a community was decided to be about, from this day on."""

    community_id: str
    domain: str
    decided_on: str
    decided_stated: str


class DesignGroup(Part):
    design_group_id: str
    met_on: str | None = None
    met_stated: str | None = None
    person_ids: tuple[str, ...] = ()
    organisation_ids: tuple[str, ...] = ()
    domains: tuple[Domain, ...] = ()


class Name(Part):
    name: str
    since: str


class OrganisationRecord(Record):
    kind: ClassVar[str] = "organisation"

    organisation_id: str
    organisation_kind: OrganisationKind | None = None
    names: tuple[Name, ...] = ()
    """In order of time; the first holds from the beginning."""
    ods_code: str | None = None
    region: str | None = None
    board_id: str | None = None
    board_since: str | None = None
    network_since: str | None = None
    demonstration_on: str | None = None

    def name_on(self, day: str) -> str:
        """The name that it went by on a day."""
        held = [name.name for name in self.names if name.since <= day] or [name.name for name in self.names[:1]]
        return held[-1] if held else self.organisation_id


class Affiliation(Part):
    """Holds from `began_on` up to, not including, `ended_on`."""

    affiliation_id: str
    began_on: str | None = None
    ended_on: str | None = None
    organisation_id: str | None = None
    service: str | None = None
    profession: str | None = None

    def holds(self, day: str) -> bool:
        return self.began_on is not None and self.began_on <= day and (self.ended_on is None or day < self.ended_on)


class PersonRecord(Record):
    kind: ClassVar[str] = "person"

    person_id: str
    registered: bool = False
    affiliations: tuple[Affiliation, ...] = ()


class CommunityRecord(Record):
    kind: ClassVar[str] = "community"

    community_id: str
    title: str | None = None
    community_kind: CommunityKind | None = None
    governance: Governance | None = None
    founded_on: str | None = None
    closed_on: str | None = None
    programme_id: str | None = None
    host_id: str | None = None
    description: str | None = None
    services: tuple[str, ...] = ()
    mechanisms: tuple[str, ...] = ()
    accredited_by: str | None = None
    design_groups: tuple[DesignGroup, ...] = ()
    demonstration_on: str | None = None


class Membership(Part):
    """Holds from `joined_on` up to, not including, `left_on`."""

    role: Role
    how: HowJoined
    joined_on: str
    left_on: str | None = None
    is_coarse: bool = False
    """The day of joining is known to the month or year only."""

    def holds(self, day: str) -> bool:
        return self.joined_on <= day and (self.left_on is None or day < self.left_on)


class Registration(Part):
    """Stands from `registered_on` up to, not including, `withdrawn_on`."""

    registered_on: str
    withdrawn_on: str | None = None

    def stands(self, day: str) -> bool:
        return self.registered_on <= day and (self.withdrawn_on is None or day < self.withdrawn_on)


class ParticipationRecord(Record):
    """One person in one community: memberships, affiliations as known there, registrations, attendances."""

    kind: ClassVar[str] = "participation"

    community_id: str
    person_id: str
    memberships: tuple[Membership, ...] = ()
    completed_on: str | None = None
    affiliations: tuple[Affiliation, ...] = ()
    registered: Mapping[str, tuple[Registration, ...]] = {}
    """By convening, in the order they were recorded: only the last may stand."""
    attended: Mapping[str, str] = {}
    """Convening -> the day it was held."""
    first_attended_on: str | None = None

    def is_member(self, day: str) -> bool:
        return any(membership.holds(day) for membership in self.memberships)

    def has_left(self, day: str) -> bool:
        """Was a member and is none any more; who never was a member has not left."""
        return any(membership.joined_on <= day for membership in self.memberships) and not self.is_member(day)

    def affiliated(self, day: str) -> list[Affiliation]:
        return [affiliation for affiliation in self.affiliations if affiliation.holds(day)]


class ConveningRecord(Record):
    kind: ClassVar[str] = "convening"

    community_id: str
    convening_id: str
    title: str | None = None
    scheduled_on: str | None = None
    held_on: str | None = None
    cancelled_on: str | None = None
    attendance_known: bool = False
    capacity: int | None = None
    called_by_members: bool | None = None


class FormRecord(Record):
    kind: ClassVar[str] = "form"

    community_id: str
    form_id: str
    title: str | None = None
    opened_on: str | None = None
    convening_id: str | None = None
    questions: tuple[Question, ...] = ()


class ResponseRecord(Record):
    """What one respondent answered; who it was is not known."""

    kind: ClassVar[str] = "response"

    community_id: str
    form_id: str
    response_id: str
    received_on: str | None = None
    answers: Mapping[str, str] = {}
    in_words: tuple[str, ...] = ()


class InnovationRecord(Record):
    kind: ClassVar[str] = "innovation"

    innovation_id: str
    title: str | None = None
    description: str | None = None
    community_id: str | None = None
    demonstration_on: str | None = None


class Stage(Part):
    """A stage that was reached on a day, and how that is known."""

    stage: AdoptionStage
    reached_on: str
    reached_stated: str
    source: Source


class Eligibility(Part):
    """Holds from `since` up to, not including, `until`."""

    since: str
    until: str | None = None

    def holds(self, day: str) -> bool:
        return self.since <= day and (self.until is None or day < self.until)


class AdoptionRecord(Record):
    """One organisation and one innovation."""

    kind: ClassVar[str] = "adoption"

    innovation_id: str
    organisation_id: str
    eligible: tuple[Eligibility, ...] = ()
    stages: tuple[Stage, ...] = ()
    """In order of the days they were reached, and of recording within a day."""

    def is_eligible(self, day: str) -> bool:
        return any(period.holds(day) for period in self.eligible)

    def stage_on(self, day: str) -> Stage | None:
        """The last stage that was reached by a day."""
        reached = [stage for stage in self.stages if stage.reached_on <= day]
        return reached[-1] if reached else None


RECORDS: dict[str, type[Record]] = {kind.kind: kind for kind in Record.__subclasses__()}
"""Every kind of record by its name."""
