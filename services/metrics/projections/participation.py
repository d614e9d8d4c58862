"""Persons, and one person in one community. The affiliations come in two topics, in any order: a union by id."""

from typing import Any, assert_never

from msgspec.structs import replace

from shared.events.convenings import PersonAttended, RegistrationMade, RegistrationWithdrawn
from shared.events.fact import Fact
from shared.events.membership import (
    AffiliationBegan,
    AffiliationEnded,
    MemberCompleted,
    MemberJoined,
    MemberLeft,
    PersonErased,
    PersonMerged,
    PersonRegistered,
)
from shared.views.records import Affiliation, Membership, ParticipationRecord, PersonRecord, Registration


def evolve(record: ParticipationRecord, fact: Fact) -> ParticipationRecord | None:
    """The participation after a fact; None if the fact is not about one."""
    match fact:  # what is frequent comes first
        case PersonAttended(convening_id=convening, attended_on=on):
            attended = {**record.attended, convening: on.last_day}
            return replace(record, attended=attended, first_attended_on=min(attended.values()))
        case AffiliationBegan() | AffiliationEnded():
            return replace(record, affiliations=_affiliated(record.affiliations, fact))
        case MemberJoined(role=role, how=how, joined_on=on):
            joined = Membership(role=role, how=how, joined_on=on.last_day, is_coarse=on.is_coarse)
            return replace(record, memberships=(*record.memberships, joined))
        case MemberLeft():
            return replace(record, memberships=_left(record.memberships, fact))
        case MemberCompleted(completed_on=on):
            return replace(record, completed_on=on.last_day)
        case RegistrationMade(convening_id=convening, registered_on=on):
            made = (*record.registered.get(convening, ()), Registration(registered_on=on.last_day))
            return replace(record, registered={**record.registered, convening: made})
        case RegistrationWithdrawn(convening_id=convening, withdrawn_on=on):
            made = record.registered.get(convening, ())
            if not made:  # its registration is still missing: this is folded again when that arrives
                return record
            withdrawn = (*made[:-1], replace(made[-1], withdrawn_on=on.last_day))
            return replace(record, registered={**record.registered, convening: withdrawn})
        case PersonMerged(person_id=person, into_id=into) if person == record.person_id:
            return replace(record, merged_into=into)
        case PersonMerged(person_id=person):
            return replace(record, merged_from=tuple(sorted({*record.merged_from, person})))
        case PersonErased(erased_on=on):
            return replace(record, erased_on=on.last_day)
        case _:
            return None


def evolve_person(record: PersonRecord, fact: Fact) -> PersonRecord | None:
    """The person after a fact; None if the fact is not about one."""
    match fact:
        case PersonRegistered():
            return replace(record, registered=True)
        case AffiliationBegan() | AffiliationEnded():
            return replace(record, affiliations=_affiliated(record.affiliations, fact))
        case PersonMerged(into_id=into):
            return replace(record, merged_into=into)
        case PersonErased(erased_on=on):
            return replace(record, erased_on=on.last_day)
        case _:
            return None


def _left(memberships: tuple[Membership, ...], fact: MemberLeft) -> tuple[Membership, ...]:
    """The memberships, the open one of this role and beginning ended; unchanged if its beginning is still missing."""
    began, left_on = (fact.role, fact.joined_on.last_day), fact.left_on.last_day
    return tuple(
        replace(m, left_on=left_on) if m.left_on is None and (m.role, m.joined_on) == began else m for m in memberships
    )


def _affiliated(held: tuple[Affiliation, ...], fact: AffiliationBegan | AffiliationEnded) -> tuple[Affiliation, ...]:
    by_id = {affiliation.affiliation_id: affiliation for affiliation in held}
    known = by_id.get(fact.affiliation_id, Affiliation(affiliation_id=fact.affiliation_id))
    changes: dict[str, Any]
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
    by_id[fact.affiliation_id] = replace(known, **changes)
    return tuple(by_id[id] for id in sorted(by_id))
