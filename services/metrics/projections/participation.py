"""Persons, and one person in one community. The affiliations come in two topics, in any order: a union by id."""

from typing import assert_never

from shared.events.convenings import PersonAttended, RegistrationMade, RegistrationWithdrawn
from shared.events.fact import Fact
from shared.events.membership import (
    AffiliationBegan,
    AffiliationEnded,
    MemberCompleted,
    MemberJoined,
    MemberLeft,
    PersonRegistered,
)
from shared.views.records import Affiliation, Membership, ParticipationRecord, PersonRecord, Registration


def evolve(record: ParticipationRecord, fact: Fact) -> ParticipationRecord | None:
    """The participation after a fact; None if the fact is not about one."""
    match fact:
        case AffiliationBegan() | AffiliationEnded():
            return record.model_copy(update={"affiliations": _affiliated(record.affiliations, fact)})
        case MemberJoined(role=role, how=how, joined_on=on):
            joined = Membership(role=role, how=how, joined_on=on.last_day, is_coarse=on.is_coarse)
            return record.model_copy(update={"memberships": (*record.memberships, joined)})
        case MemberLeft():
            return record.model_copy(update={"memberships": _left(record.memberships, fact)})
        case MemberCompleted(completed_on=on):
            return record.model_copy(update={"completed_on": on.last_day})
        case RegistrationMade(convening_id=convening, registered_on=on):
            made = (*record.registered.get(convening, ()), Registration(registered_on=on.last_day))
            return record.model_copy(update={"registered": {**record.registered, convening: made}})
        case RegistrationWithdrawn(convening_id=convening, withdrawn_on=on):
            made = record.registered.get(convening, ())
            if not made:  # its registration is still missing: this is folded again when that arrives
                return record
            withdrawn = (*made[:-1], made[-1].model_copy(update={"withdrawn_on": on.last_day}))
            return record.model_copy(update={"registered": {**record.registered, convening: withdrawn}})
        case PersonAttended(convening_id=convening, attended_on=on):
            attended = {**record.attended, convening: on.last_day}
            return record.model_copy(update={"attended": attended, "first_attended_on": min(attended.values())})
        case _:
            return None


def evolve_person(record: PersonRecord, fact: Fact) -> PersonRecord | None:
    """The person after a fact; None if the fact is not about one."""
    match fact:
        case PersonRegistered():
            return record.model_copy(update={"registered": True})
        case AffiliationBegan() | AffiliationEnded():
            return record.model_copy(update={"affiliations": _affiliated(record.affiliations, fact)})
        case _:
            return None


def _left(memberships: tuple[Membership, ...], fact: MemberLeft) -> tuple[Membership, ...]:
    """The memberships, the open one of this role and beginning ended; unchanged if its beginning is still missing."""
    began, ended = (fact.role, fact.joined_on.last_day), {"left_on": fact.left_on.last_day}
    return tuple(
        m.model_copy(update=ended) if m.left_on is None and (m.role, m.joined_on) == began else m for m in memberships
    )


def _affiliated(held: tuple[Affiliation, ...], fact: AffiliationBegan | AffiliationEnded) -> tuple[Affiliation, ...]:
    by_id = {affiliation.affiliation_id: affiliation for affiliation in held}
    known = by_id.get(fact.affiliation_id, Affiliation(affiliation_id=fact.affiliation_id))
    changes: dict[str, object]
    match fact:
        case AffiliationBegan():
            changes = {
                "began_on": fact.began_on.last_day,
                "organisation_id": fact.organisation_id,
                "service": fact.service,
                "profession": fact.profession,
            }
        case AffiliationEnded(ended_on=on):
            changes = {"ended_on": on.last_day}
        case _:
            assert_never(fact)
    by_id[fact.affiliation_id] = known.model_copy(update=changes)
    return tuple(by_id[id] for id in sorted(by_id))
