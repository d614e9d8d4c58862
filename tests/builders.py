"""Facts with defaults, so that a test says only what matters to it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

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
from shared.events.fact import Fact, Kind, Recorded, Stream, Topic
from shared.events.feedback import (
    AdoptionStage,
    AdoptionStageReached,
    FeedbackFormOpened,
    GivenAnswer,
    InnovationRegistered,
    OrganisationBecameEligible,
    OrganisationCeasedEligible,
    Question,
    ResponseReceived,
    Scale,
    Source,
    SourceKind,
)
from shared.events.membership import (
    AffiliationBegan,
    AffiliationEnded,
    CommunityClosed,
    CommunityDomain,
    CommunityFounded,
    CommunityKind,
    DesignGroupMet,
    DomainsDecided,
    Governance,
    HowJoined,
    MemberCompleted,
    MemberJoined,
    MemberLeft,
    OrganisationJoinedBoard,
    OrganisationJoinedNetwork,
    OrganisationKind,
    OrganisationRegistered,
    OrganisationRenamed,
    PersonErased,
    PersonMerged,
    PersonRegistered,
    ProgrammeCommissioned,
    ProgrammeFollowed,
    Role,
)
from shared.events.words import CoarseDate
from shared.kafka import encode

ANNA = "01hzy0000000000000000000aa"
BEN = "01hzy0000000000000000000bb"
CHIDI = "01hzy0000000000000000000cc"
DALIA = "01hzy0000000000000000000dd"


def on(date: str) -> CoarseDate:
    return CoarseDate(date)


def maybe(date: str | None) -> CoarseDate | None:
    return None if date is None else CoarseDate(date)


# organisations


def organisation_registered(
    name: str = "A university",
    kind: OrganisationKind = OrganisationKind.UNIVERSITY,
    *,
    ods_code: str | None = None,
    region: str | None = None,
) -> OrganisationRegistered:
    return OrganisationRegistered(kind=kind, name=name, ods_code=ods_code, region=region)


def trust_registered(
    name: str = "King's College Hospital NHS Foundation Trust", ods_code: str = "RJZ"
) -> OrganisationRegistered:
    return organisation_registered(name, OrganisationKind.TRUST, ods_code=ods_code)


def organisation_renamed(name: str = "Another name", renamed_on: str = "2024-11-01") -> OrganisationRenamed:
    return OrganisationRenamed(renamed_on=on(renamed_on), name=name)


def organisation_joined_board(board_id: str = "qkk", joined_on: str = "2022-07-01") -> OrganisationJoinedBoard:
    return OrganisationJoinedBoard(board_id=board_id, joined_on=on(joined_on))


def organisation_joined_network(joined_on: str = "2013") -> OrganisationJoinedNetwork:
    return OrganisationJoinedNetwork(joined_on=on(joined_on))


# programmes and design groups


def programme_commissioned(
    title: str = "Communities of practice",
    *,
    commissioned_on: str = "2019-01",
    commissioned_by: str | None = None,
    commissioned_from: str = "network",
    communities: int | None = 4,
    convenings_each: int | None = 3,
    within_months: int | None = 12,
) -> ProgrammeCommissioned:
    return ProgrammeCommissioned(
        title=title,
        commissioned_on=on(commissioned_on),
        commissioned_by=commissioned_by,
        commissioned_from=commissioned_from,
        communities=communities,
        convenings_each=convenings_each,
        within_months=within_months,
    )


def programme_followed(earlier_programme_id: str = "earlier", stated_reason: str = "It went well") -> ProgrammeFollowed:
    return ProgrammeFollowed(earlier_programme_id=earlier_programme_id, stated_reason=stated_reason)


def design_group_met(
    design_group_id: str = "initial",
    *,
    met_on: str = "2019-01",
    person_ids: tuple[str, ...] = (),
    organisation_ids: tuple[str, ...] = (),
) -> DesignGroupMet:
    return DesignGroupMet(
        design_group_id=design_group_id,
        met_on=on(met_on),
        person_ids=person_ids,
        organisation_ids=organisation_ids,
    )


def domains_decided(
    design_group_id: str = "initial", *, decided_on: str = "2019-01", domains: Mapping[str, str] | None = None
) -> DomainsDecided:
    """`domains`: what each community is to be about, by its id."""
    about = domains or {"rehabilitation": "Rehabilitation after cancer"}
    return DomainsDecided(
        design_group_id=design_group_id,
        decided_on=on(decided_on),
        domains=tuple(CommunityDomain(community_id=community, domain=words) for community, words in about.items()),
    )


# people


def person_registered(person_id: str = ANNA) -> PersonRegistered:
    return PersonRegistered(person_id=person_id)


def affiliation_began(
    affiliation_id: str = "first",
    person_id: str = ANNA,
    *,
    began_on: str = "2018",
    organisation_id: str | None = None,
    service: str | None = None,
    profession: str | None = "midwife",
) -> AffiliationBegan:
    return AffiliationBegan(
        person_id=person_id,
        affiliation_id=affiliation_id,
        began_on=on(began_on),
        organisation_id=organisation_id,
        service=service,
        profession=profession,
    )


def affiliation_ended(
    affiliation_id: str = "first", person_id: str = ANNA, *, ended_on: str = "2020"
) -> AffiliationEnded:
    return AffiliationEnded(person_id=person_id, affiliation_id=affiliation_id, ended_on=on(ended_on))


def person_merged(person_id: str = ANNA, into_id: str = BEN, *, merged_on: str = "2020-06-30") -> PersonMerged:
    return PersonMerged(person_id=person_id, into_id=into_id, merged_on=on(merged_on))


def person_erased(person_id: str = ANNA, *, erased_on: str = "2020-06-30") -> PersonErased:
    return PersonErased(person_id=person_id, erased_on=on(erased_on))


# communities and memberships


def community_founded(
    title: str = "Rehabilitation and Personalised Care",
    kind: CommunityKind = CommunityKind.PRACTICE,
    *,
    governance: Governance = Governance.FACILITATED,
    founded_on: str | None = "2019-01",
    programme_id: str | None = None,
    host_id: str | None = None,
    demonstration_on: str | None = None,
) -> CommunityFounded:
    return CommunityFounded(
        title=title,
        kind=kind,
        governance=governance,
        founded_on=maybe(founded_on),
        programme_id=programme_id,
        host_id=host_id,
        demonstration_on=maybe(demonstration_on),
    )


def community_closed(closed_on: str = "2021-12-31") -> CommunityClosed:
    return CommunityClosed(closed_on=on(closed_on))


def member_joined(
    person_id: str = ANNA,
    *,
    role: Role = Role.MEMBER,
    how: HowJoined = HowJoined.NOT_STATED,
    joined_on: str = "2019-02-01",
) -> MemberJoined:
    return MemberJoined(person_id=person_id, role=role, how=how, joined_on=on(joined_on))


def member_left(
    person_id: str = ANNA,
    *,
    role: Role = Role.MEMBER,
    joined_on: str = "2019-02-01",
    left_on: str = "2020-02-01",
) -> MemberLeft:
    return MemberLeft(person_id=person_id, role=role, joined_on=on(joined_on), left_on=on(left_on))


def member_completed(person_id: str = ANNA, *, completed_on: str = "2019-12-31") -> MemberCompleted:
    return MemberCompleted(person_id=person_id, completed_on=on(completed_on))


# convenings and participation


def convening_scheduled(
    convening_id: str = "spring",
    title: str = "Spring convening",
    *,
    scheduled_on: str = "2019-03-01",
    capacity: int | None = None,
    called_by_members: bool | None = None,
) -> ConveningScheduled:
    return ConveningScheduled(
        convening_id=convening_id,
        title=title,
        scheduled_on=on(scheduled_on),
        capacity=capacity,
        called_by_members=called_by_members,
    )


def convening_rescheduled(convening_id: str = "spring", *, scheduled_on: str = "2019-04-01") -> ConveningRescheduled:
    return ConveningRescheduled(convening_id=convening_id, scheduled_on=on(scheduled_on))


def convening_held(convening_id: str = "spring", *, held_on: str = "2019-03-01") -> ConveningHeld:
    return ConveningHeld(convening_id=convening_id, held_on=on(held_on))


def convening_cancelled(
    convening_id: str = "spring", *, cancelled_on: str = "2019-02-20", reason: str | None = None
) -> ConveningCancelled:
    return ConveningCancelled(convening_id=convening_id, cancelled_on=on(cancelled_on), reason=reason)


def attendance_taken(convening_id: str = "spring", *, held_on: str = "2019-03-01") -> AttendanceTaken:
    return AttendanceTaken(convening_id=convening_id, held_on=on(held_on))


def registration_made(
    person_id: str = ANNA, convening_id: str = "spring", *, registered_on: str = "2019-02-01"
) -> RegistrationMade:
    return RegistrationMade(convening_id=convening_id, person_id=person_id, registered_on=on(registered_on))


def registration_withdrawn(
    person_id: str = ANNA, convening_id: str = "spring", *, withdrawn_on: str = "2019-02-10"
) -> RegistrationWithdrawn:
    return RegistrationWithdrawn(convening_id=convening_id, person_id=person_id, withdrawn_on=on(withdrawn_on))


def person_attended(
    person_id: str = ANNA, convening_id: str = "spring", *, attended_on: str = "2019-03-01", minutes: int | None = None
) -> PersonAttended:
    return PersonAttended(convening_id=convening_id, person_id=person_id, attended_on=on(attended_on), minutes=minutes)


# feedback, innovations and adoption


def question(question_id: str = "useful", scale: Scale = Scale.ORDERED, *answers: str) -> Question:
    """A question; where its scale needs words and none are given, no and yes."""
    worded = scale in (Scale.ORDERED, Scale.CHOICE)
    return Question(
        question_id=question_id,
        text=f"What about {question_id}?",
        scale=scale,
        answers=answers or (("no", "yes") if worded else ()),
    )


RECOMMEND = question("recommend", Scale.RECOMMENDATION)
COMMENTS = question("comments", Scale.WORDS)


def form_opened(
    *questions: Question, form_id: str = "after", opened_on: str = "2019-03-01", convening_id: str | None = None
) -> FeedbackFormOpened:
    return FeedbackFormOpened(
        form_id=form_id,
        title="Afterwards",
        opened_on=on(opened_on),
        convening_id=convening_id,
        questions=questions or (question(), RECOMMEND, COMMENTS),
    )


def response_received(
    response_id: str = ANNA,
    *,
    form_id: str = "after",
    received_on: str = "2019-03-02",
    answers: Mapping[str, str] | None = None,
    in_words: tuple[str, ...] = (),
) -> ResponseReceived:
    """`answers`: what each question was answered with, by its id."""
    given = {"useful": "yes"} if answers is None else answers
    return ResponseReceived(
        form_id=form_id,
        response_id=response_id,
        received_on=on(received_on),
        answers=tuple(GivenAnswer(question_id=asked, answer=answer) for asked, answer in given.items()),
        in_words=in_words,
    )


ILLUSTRATIVE = Source(kind=SourceKind.ILLUSTRATIVE, words="Made up to show adoption")


def innovation_registered(title: str = "GDm-Health", *, community_id: str | None = None) -> InnovationRegistered:
    return InnovationRegistered(title=title, community_id=community_id)


def became_eligible(organisation_id: str = "rj2", *, eligible_from: str = "2018") -> OrganisationBecameEligible:
    return OrganisationBecameEligible(organisation_id=organisation_id, eligible_from=on(eligible_from))


def ceased_eligible(organisation_id: str = "rj2", *, eligible_until_on: str = "2022") -> OrganisationCeasedEligible:
    return OrganisationCeasedEligible(organisation_id=organisation_id, eligible_until_on=on(eligible_until_on))


def stage_reached(
    stage: AdoptionStage = AdoptionStage.ADOPTED,
    *,
    organisation_id: str = "rj2",
    reached_on: str = "2019",
    source: Source = ILLUSTRATIVE,
) -> AdoptionStageReached:
    return AdoptionStageReached(organisation_id=organisation_id, stage=stage, reached_on=on(reached_on), source=source)


# facts in their streams, and on Kafka

RECORDED_AT = datetime(2024, 5, 6, 7, 8, 9, 123_000, UTC)
TRACE = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"


def stream(id: str = "rehabilitation", topic: Topic = "membership", kind: Kind = "community") -> Stream:
    return Stream(topic, kind, id)


def recorded(
    fact: Fact,
    version: int = 1,
    in_stream: Stream | None = None,
    *,
    recorded_at: datetime = RECORDED_AT,
    trace: str = TRACE,
) -> Recorded:
    place = in_stream or stream()
    return Recorded(f"{place.key}-{version}", place, version, fact, recorded_at, trace)


@dataclass(frozen=True)
class OnKafka:
    """A record as a consumer gives it."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    timestamp: int = 1_546_300_800_000

    def with_header(self, name: str, value: bytes | None) -> "OnKafka":
        return replace(self, headers=(*(pair for pair in self.headers if pair[0] != name), (name, value)))

    def without_header(self, name: str) -> "OnKafka":
        return replace(self, headers=tuple(pair for pair in self.headers if pair[0] != name))


def on_kafka(one: Recorded, offset: int = 0, partition: int = 0) -> OnKafka:
    """The record that the relay's message of a fact becomes."""
    message = encode(one)
    return OnKafka(message.topic, partition, offset, message.key, message.value, tuple(message.headers))
