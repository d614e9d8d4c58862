"""The content of the demonstration, read strictly from content.toml."""

import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from shared.events.feedback import AdoptionStage, Source
from shared.events.membership import CommunityKind, Governance, HowJoined, OrganisationKind, Role
from shared.events.words import CoarseDate, Day

FILE = Path(__file__).parent / "content.toml"


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Renamed(Part):
    name: str
    renamed_on: CoarseDate


class Organisation(Part):
    id: str
    kind: OrganisationKind
    name: str
    ods_code: str | None = None
    region: str | None = None
    board_id: str | None = None
    renamed: Renamed | None = None


class Boards(Part):
    joined_on: CoarseDate


class DesignGroup(Part):
    id: str
    met_on: CoarseDate
    organisation_ids: tuple[str, ...]
    from_each: int
    domains: dict[str, str]
    """community -> what it is to be about"""


class Follows(Part):
    earlier_programme_id: str
    stated_reason: str


class Programme(Part):
    id: str
    title: str
    commissioned_on: CoarseDate
    commissioned_by: str | None = None
    commissioned_from: str
    communities: int | None = None
    convenings_each: int | None = None
    within_months: int | None = None
    begins_on: CoarseDate | None = None
    source: str
    design_group: DesignGroup | None = None
    follows: Follows | None = None


class Community(Part):
    id: str
    title: str
    kind: CommunityKind
    governance: Governance
    founded_on: CoarseDate | None = None
    programme_id: str | None = None
    host_id: str | None = None
    description: str | None = None
    services: tuple[str, ...] = ()
    mechanisms: tuple[str, ...] = ()
    called_by_members: bool = False
    convened_in: tuple[CoarseDate, ...]


class Profession(Part):
    weight: int
    leans_to: str | None = None
    """The community that they join first."""


class Group(Part):
    """People who are generated alike."""

    people: int
    communities: tuple[str, ...]
    a_second_community: float = 0.0
    role: Role = Role.MEMBER
    how: HowJoined = HowJoined.BY_THEMSELVES
    joining: tuple[Day, Day]
    affiliated_since: CoarseDate | None = None
    service: str | None = None
    organisations: dict[str, int] = {}
    professions: dict[str, Profession] = {}
    always_comes: bool = False
    completed_on: Day | None = None
    do_not_complete: int = 0


class Question(Part):
    question_id: str
    text: str
    answers: tuple[str, ...]
    weights: tuple[int, ...]
    unanswered: float


class Form(Part):
    id: str
    title: str
    community_id: str
    responding: float
    questions: tuple[Question, ...]


class Stage(Part):
    organisation_id: str
    stage: AdoptionStage
    reached_on: CoarseDate
    source: Source | None = None
    """None: illustrative."""


class Innovation(Part):
    id: str
    title: str
    description: str
    community_id: str
    eligible: tuple[str, ...]
    eligible_from: CoarseDate
    illustrative: str
    stages: tuple[Stage, ...]


class Content(Part):
    demonstration_on: Day
    source: str
    """What the references of its people are kept under."""
    seed: str
    organisations: tuple[Organisation, ...]
    boards: Boards
    programmes: tuple[Programme, ...]
    communities: tuple[Community, ...]
    groups: tuple[Group, ...] = Field(min_length=1)
    form: Form
    innovation: Innovation


def read() -> Content:
    return Content.model_validate(tomllib.loads(FILE.read_text("utf-8")))
