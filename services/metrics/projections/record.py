"""What a fact makes of a record. Facts of one topic come in order of version; those of different topics in any order,
so what they make must not depend on which came first.
"""

from typing import NoReturn

from msgspec.structs import replace

from services.metrics.projections import organisation, participation, programme
from shared.events import feedback
from shared.events.convenings import (
    AttendanceTaken,
    ConveningCancelled,
    ConveningHeld,
    ConveningRescheduled,
    ConveningScheduled,
)
from shared.events.fact import Fact
from shared.events.feedback import (
    AdoptionStageReached,
    FeedbackFormOpened,
    InnovationRegistered,
    OrganisationBecameEligible,
    OrganisationCeasedEligible,
    ResponseReceived,
)
from shared.events.membership import (
    CommunityClosed,
    CommunityFounded,
    DesignGroupMet,
    DomainsDecided,
)
from shared.views.records import (
    AdoptionRecord,
    CommunityRecord,
    ConveningRecord,
    Eligibility,
    FormRecord,
    InnovationRecord,
    OrganisationRecord,
    ParticipationRecord,
    PersonRecord,
    ProgrammeRecord,
    Question,
    Record,
    ResponseRecord,
    Source,
    Stage,
)


class NotAbout(Exception):
    """A fact stands in a stream where it says nothing."""

    def __init__(self, record: Record, fact: Fact) -> None:
        super().__init__(f"{type(fact).__name__} is not about a {record.kind}")


def evolve(record: Record, fact: Fact) -> Record:
    """The record after a fact.

    Raises:
        NotAbout: the fact is of another kind of thing.
    """
    match record:
        case ParticipationRecord():  # most are
            return participation.evolve(record, fact) or _not_about(record, fact)
        case ProgrammeRecord():
            return programme.evolve(record, fact) or _not_about(record, fact)
        case OrganisationRecord():
            return organisation.evolve(record, fact) or _not_about(record, fact)
        case PersonRecord():
            return participation.evolve_person(record, fact) or _not_about(record, fact)
        case CommunityRecord():
            return _community(record, fact)
        case ConveningRecord():
            return _convening(record, fact)
        case FormRecord():
            return _form(record, fact)
        case ResponseRecord():
            return _response(record, fact)
        case InnovationRecord():
            return _innovation(record, fact)
        case AdoptionRecord():
            return _adoption(record, fact)
        case _:
            return _not_about(record, fact)


def _not_about(record: Record, fact: Fact) -> NoReturn:
    raise NotAbout(record, fact)


def _community(record: CommunityRecord, fact: Fact) -> CommunityRecord:
    match fact:
        case CommunityFounded():
            return replace(
                record,
                title=fact.title,
                community_kind=fact.kind,
                governance=fact.governance,
                founded_on=fact.founded_on and fact.founded_on.last_day,
                programme_id=fact.programme_id,
                host_id=fact.host_id,
                description=fact.description,
                services=fact.services,
                mechanisms=fact.mechanisms,
                accredited_by=fact.accredited_by,
                demonstration_on=fact.demonstration_on,
            )
        case CommunityClosed(closed_on=closed_on):
            return replace(record, closed_on=closed_on.last_day)
        case DesignGroupMet() | DomainsDecided():
            return replace(record, design_groups=programme.with_group(record.design_groups, fact))
        case _:
            _not_about(record, fact)


def _convening(record: ConveningRecord, fact: Fact) -> ConveningRecord:
    match fact:
        case ConveningScheduled():
            return replace(
                record,
                title=fact.title,
                scheduled_on=fact.scheduled_on.last_day,
                capacity=fact.capacity,
                called_by_members=fact.called_by_members,
            )
        case ConveningRescheduled(scheduled_on=scheduled_on):
            return replace(record, scheduled_on=scheduled_on.last_day)
        case ConveningHeld(held_on=held_on):
            return replace(record, held_on=held_on.last_day)
        case ConveningCancelled(cancelled_on=cancelled_on):
            return replace(record, cancelled_on=cancelled_on.last_day)
        case AttendanceTaken():
            return replace(record, attendance_known=True)
        case _:
            _not_about(record, fact)


def _form(record: FormRecord, fact: Fact) -> FormRecord:
    match fact:
        case FeedbackFormOpened():
            return replace(
                record,
                title=fact.title,
                opened_on=fact.opened_on.last_day,
                convening_id=fact.convening_id,
                questions=tuple(_asked(question) for question in fact.questions),
            )
        case _:
            _not_about(record, fact)


def _asked(question: feedback.Question) -> Question:
    return Question(question.question_id, question.text, question.scale, question.answers)


def _response(record: ResponseRecord, fact: Fact) -> ResponseRecord:
    match fact:
        case ResponseReceived():
            answers = {given.question_id: given.answer for given in fact.answers}
            received = fact.received_on.last_day
            return replace(record, received_on=received, answers=answers, in_words=fact.in_words)
        case _:
            _not_about(record, fact)


def _innovation(record: InnovationRecord, fact: Fact) -> InnovationRecord:
    match fact:
        case InnovationRegistered():
            return replace(
                record,
                title=fact.title,
                description=fact.description,
                community_id=fact.community_id,
                demonstration_on=fact.demonstration_on,
            )
        case _:
            _not_about(record, fact)


def _adoption(record: AdoptionRecord, fact: Fact) -> AdoptionRecord:
    match fact:
        case OrganisationBecameEligible(eligible_from=since):
            return replace(record, eligible=(*record.eligible, Eligibility(since=since.last_day)))
        case OrganisationCeasedEligible(eligible_until_on=until):
            return replace(record, eligible=_ceased(record.eligible, until.last_day))
        case AdoptionStageReached(stage=stage, reached_on=reached_on, source=source):
            reached = Stage(
                stage=stage,
                reached_on=reached_on.last_day,
                reached_stated=str(reached_on),
                source=Source(source.kind, source.words),
            )
            stages = sorted(
                (*record.stages, reached), key=lambda one: one.reached_on
            )  # stable: recording order in a day
            return replace(record, stages=tuple(stages))
        case _:
            _not_about(record, fact)


def _ceased(periods: tuple[Eligibility, ...], until: str) -> tuple[Eligibility, ...]:
    """The periods, the open ones that began before this day ended with it."""
    return tuple(
        replace(period, until=until) if period.until is None and period.since < until else period for period in periods
    )
