"""Records: facts by identity, dated. A record is what its facts say, whatever order they came in.

Days are `YYYY-MM-DD`, the last day that a coarse date may mean, so that they order as text does; what is shown to
people keeps the words of the fact beside it (`…_stated`).
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any, ClassVar, Self

from msgspec import Struct, convert, to_builtins
from msgspec.structs import replace

from shared.events.fact import Kind
from shared.events.feedback import AdoptionStage, Scale, SourceKind
from shared.events.membership import CommunityKind, Governance, HowJoined, OrganisationKind, Role


def _as_text(value: object) -> str:
    """A date as it was stated is more than a text: it is stored as the text that it is."""
    if isinstance(value, str):
        return str(value)
    raise NotImplementedError(f"{type(value).__name__} is nothing that a record holds")


class Record(Struct, frozen=True, omit_defaults=True, gc=False):
    """Immutable: `msgspec.structs.replace` gives the next one. None refers to itself, so garbage collection is told not
    to look at them: there are many.
    """

    kind: ClassVar[str]
    within: ClassVar[Kind]
    """What its facts' streams are about: the record is in the scope of that thing."""

    @classmethod
    def restored(cls, stored: Mapping[str, Any]) -> Self:
        """The record as `to_store` gave it.

        Raises:
            msgspec.ValidationError: it is none of this kind.
        """
        return convert(stored, cls)

    def only(self, *fields: str) -> dict[str, Any]:
        return {field: getattr(self, field) for field in fields}

    def changes_from(self, before: Self) -> tuple[dict[str, Any], list[str]]:
        """The fields that are others than before, as they are stored, and those that are not known any more."""
        others, stored = self.others_than(before), self.to_store()
        return {name: stored[name] for name in others if name in stored}, [
            name for name in others if name not in stored
        ]

    def others_than(self, before: Self) -> set[str]:
        """The fields whose values are other objects than before."""
        return {name for name in self.__struct_fields__ if getattr(self, name) is not getattr(before, name)}

    def to_store(self) -> dict[str, Any]:
        """Plain names and values, as MongoDB and JSON take them; nothing stands for what is not known."""
        stored: dict[str, Any] = to_builtins(self, enc_hook=_as_text)
        return stored


class Part(Struct, frozen=True, omit_defaults=True, gc=False):
    """A part of a record."""


class ProgrammeRecord(Record, frozen=True):
    kind: ClassVar[str] = "programme"
    within: ClassVar[Kind] = "programme"

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


class Domain(Part, frozen=True):
    """What a community was decided to be about, from this day on."""

    community_id: str
    domain: str
    decided_on: str
    decided_stated: str


class DesignGroup(Part, frozen=True):
    design_group_id: str
    met_on: str | None = None
    met_stated: str | None = None
    person_ids: tuple[str, ...] = ()
    organisation_ids: tuple[str, ...] = ()
    domains: tuple[Domain, ...] = ()


class Name(Part, frozen=True):
    name: str
    since: str


class OrganisationRecord(Record, frozen=True):
    kind: ClassVar[str] = "organisation"
    within: ClassVar[Kind] = "organisation"

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


class Affiliation(Part, frozen=True):
    """Holds from `began_on` up to, not including, `ended_on`."""

    affiliation_id: str
    began_on: str | None = None
    ended_on: str | None = None
    organisation_id: str | None = None
    service: str | None = None
    profession: str | None = None

    def holds(self, day: str) -> bool:
        return self.began_on is not None and self.began_on <= day and (self.ended_on is None or day < self.ended_on)


class PersonRecord(Record, frozen=True):
    kind: ClassVar[str] = "person"
    within: ClassVar[Kind] = "person"

    person_id: str
    registered: bool = False
    affiliations: tuple[Affiliation, ...] = ()
    merged_into: str | None = None
    """The id that the person goes on under; it may be merged itself."""
    erased_on: str | None = None


class CommunityRecord(Record, frozen=True):
    kind: ClassVar[str] = "community"
    within: ClassVar[Kind] = "community"

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


class Membership(Part, frozen=True):
    """Holds from `joined_on` up to, not including, `left_on`."""

    role: Role
    how: HowJoined
    joined_on: str
    left_on: str | None = None
    is_coarse: bool = False
    """The day of joining is known to the month or year only."""

    def holds(self, day: str) -> bool:
        return self.joined_on <= day and (self.left_on is None or day < self.left_on)


class Registration(Part, frozen=True):
    """Stands from `registered_on` up to, not including, `withdrawn_on`."""

    registered_on: str
    withdrawn_on: str | None = None

    def stands(self, day: str) -> bool:
        return self.registered_on <= day and (self.withdrawn_on is None or day < self.withdrawn_on)


class ParticipationRecord(Record, frozen=True):
    """One person in one community: memberships, affiliations as known there, registrations, attendances."""

    kind: ClassVar[str] = "participation"
    within: ClassVar[Kind] = "community"
    OF_CONVENINGS: ClassVar[AbstractSet[str]] = frozenset({"registered", "attended", "first_attended_on"})
    """The fields that come of what happened at each convening."""

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
    merged_into: str | None = None
    merged_from: tuple[str, ...] = ()
    """Whose participations here are this person's too: they are counted as one (`shared/measures/united.py`)."""
    erased_on: str | None = None

    @property
    def is_merged(self) -> bool:
        """Whether there is more of the same person here, under another id."""
        return self.merged_into is not None or bool(self.merged_from)

    def is_member(self, day: str) -> bool:
        return any(membership.holds(day) for membership in self.memberships)

    def has_left(self, day: str) -> bool:
        """Was a member and is none any more; who never was a member has not left."""
        return any(membership.joined_on <= day for membership in self.memberships) and not self.is_member(day)

    def convenings_otherwise_than(self, before: Self) -> set[str]:
        """The convenings of which something else is on record than before."""
        registered, attended = self.registered.items(), self.attended.items()
        return {id for id, _ in (registered ^ before.registered.items()) | (attended ^ before.attended.items())}

    def at(self, convenings: AbstractSet[str]) -> Self:
        """As if there had been these convenings only."""
        return replace(
            self,
            registered={id: held for id in convenings if (held := self.registered.get(id))},
            attended={id: day for id in convenings if (day := self.attended.get(id))},
        )

    def affiliated(self, day: str) -> list[Affiliation]:
        return [affiliation for affiliation in self.affiliations if affiliation.holds(day)]


class ConveningRecord(Record, frozen=True):
    kind: ClassVar[str] = "convening"
    within: ClassVar[Kind] = "community"

    community_id: str
    convening_id: str
    title: str | None = None
    scheduled_on: str | None = None
    held_on: str | None = None
    cancelled_on: str | None = None
    attendance_known: bool = False
    capacity: int | None = None
    called_by_members: bool | None = None


class Question(Part, frozen=True):
    question_id: str
    text: str
    scale: Scale
    answers: tuple[str, ...] = ()
    """The words that it can be answered with, lowest first where they are ordered."""


class FormRecord(Record, frozen=True):
    kind: ClassVar[str] = "form"
    within: ClassVar[Kind] = "community"

    community_id: str
    form_id: str
    title: str | None = None
    opened_on: str | None = None
    convening_id: str | None = None
    questions: tuple[Question, ...] = ()


class ResponseRecord(Record, frozen=True):
    """What one respondent answered; who it was is not known."""

    kind: ClassVar[str] = "response"
    within: ClassVar[Kind] = "community"

    community_id: str
    form_id: str
    response_id: str
    received_on: str | None = None
    answers: Mapping[str, str] = {}
    in_words: tuple[str, ...] = ()


class InnovationRecord(Record, frozen=True):
    kind: ClassVar[str] = "innovation"
    within: ClassVar[Kind] = "innovation"

    innovation_id: str
    title: str | None = None
    description: str | None = None
    community_id: str | None = None
    demonstration_on: str | None = None


class Source(Part, frozen=True):
    """How it is known."""

    kind: SourceKind
    words: str


class Stage(Part, frozen=True):
    """A stage that was reached on a day, and how that is known."""

    stage: AdoptionStage
    reached_on: str
    reached_stated: str
    source: Source


class Eligibility(Part, frozen=True):
    """Holds from `since` up to, not including, `until`."""

    since: str
    until: str | None = None

    def holds(self, day: str) -> bool:
        return self.since <= day and (self.until is None or day < self.until)


class AdoptionRecord(Record, frozen=True):
    """One organisation and one innovation."""

    kind: ClassVar[str] = "adoption"
    within: ClassVar[Kind] = "innovation"

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


def ids_in(scope: str, *kinds: type[Record]) -> list[dict[str, Any]]:
    """What finds the records of some kinds in a scope by their ids, a condition each; of all kinds if none is named."""
    about, _, id = scope.partition(".")
    here = [kind.kind for kind in kinds or RECORDS.values() if kind.within == about]
    return [
        {
            "_id": f"{kind}/{id}" if kind == about else {"$gt": f"{kind}/{id}/", "$lt": f"{kind}/{id}0"}
        }  # "0" follows "/"
        for kind in here
    ]
