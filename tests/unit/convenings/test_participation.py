"""The rules of registration and attendance, and what comes into a community's stream with somebody's first fact."""

import pytest

from services.convenings.domain.convenings import (
    Convening,
    ConveningChange,
    ConveningWasCancelled,
    NoSuchConvening,
    NotHeldYet,
    evolve_convening,
)
from services.convenings.domain.participation import (
    Attend,
    NoPlacesLeft,
    NotRegistered,
    ParticipationChange,
    ParticipationCommand,
    Register,
    RegisteredAlready,
    Situation,
    Withdraw,
    WithdrawnBeforeRegistered,
    participations,
)
from services.convenings.known import BecameKnown, KnownPerson, PersonWasErased, PersonWasMerged, UnknownPerson
from shared.refusals import Refusal
from shared.writing.otherwise import SaidOtherwise
from tests.builders import (
    ANNA,
    BEN,
    affiliation_began,
    affiliation_ended,
    attendance_taken,
    convening_cancelled,
    convening_held,
    convening_scheduled,
    on,
    person_attended,
    person_erased,
    person_merged,
    registration_made,
    registration_withdrawn,
)
from tests.specification import Specification, specification

KEY = ("rehabilitation", "spring", ANNA)
STRANGER = KnownPerson(key=ANNA, registered=True)
"""Registered in membership, and not known in this community yet."""
FAMILIAR = STRANGER.known_in("rehabilitation")

Rules = Specification[ParticipationCommand, Situation]


def at(*changes: ConveningChange, person: KnownPerson = FAMILIAR, registered: int = 0) -> Rules:
    """A convening as these leave it; `registered` others have a place already."""
    convening = Convening.initial("rehabilitation", "spring").model_copy(update={"registered": registered})
    for change in changes:
        convening = evolve_convening(convening, change)
    return specification(participations, KEY, convening=convening, person=person)


def scheduled(*changes: ParticipationChange, capacity: int | None = None, registered: int = 0) -> Rules:
    return at(convening_scheduled(capacity=capacity), registered=registered).given(*changes)


def held(*changes: ParticipationChange) -> Rules:
    return at(convening_scheduled(), convening_held()).given(*changes)


REGISTER = Register(registered_on=on("2019-02-01"))


# registration


def test_somebody_registers() -> None:
    scheduled().when(REGISTER).then(registration_made())


def test_registering_again_with_the_same_date_changes_nothing_and_with_another_is_refused() -> None:
    scheduled(registration_made()).when(REGISTER).then_unchanged()
    again = scheduled(registration_made()).when(Register(registered_on=on("2019-02-05")))
    again.then_refused(RegisteredAlready, field="registered_on", saying="since 2019-02-01")


def test_the_last_place_is_given_and_the_next_is_refused() -> None:
    scheduled(capacity=2, registered=1).when(REGISTER).then(registration_made())
    refusal = (
        scheduled(capacity=2, registered=2).when(REGISTER).then_refused(NoPlacesLeft, saying="no waiting list yet")
    )
    assert refusal.data == {"convening_id": "spring", "capacity": 2}


def test_who_has_a_place_in_a_full_convening_keeps_it() -> None:
    scheduled(registration_made(), capacity=1).when(REGISTER).then_unchanged()


def test_a_withdrawn_registration_frees_its_place() -> None:
    once = scheduled(registration_made(), registration_withdrawn(), capacity=1)
    assert once.situation.convening.registered == 0
    once.when(Register(registered_on=on("2019-02-20"))).then(registration_made(registered_on="2019-02-20"))


def test_a_registration_that_was_withdrawn_since_may_be_said_again() -> None:
    scheduled(registration_made(), registration_withdrawn()).when(REGISTER).then_unchanged()


def test_who_withdrew_may_register_anew_on_the_same_day() -> None:
    gone = scheduled(registration_made(), registration_withdrawn(withdrawn_on="2019-02-01"))
    gone.when(REGISTER).then(registration_made())


def test_a_cancelled_convening_takes_no_registrations() -> None:
    cancelled = at(convening_scheduled(), convening_cancelled())
    cancelled.when(REGISTER).then_refused(ConveningWasCancelled, saying="'spring' was cancelled")


def test_a_registration_for_a_convening_of_the_past_is_recorded_afterwards() -> None:
    held().when(REGISTER).then(registration_made())


def test_withdrawing_needs_a_registration() -> None:
    withdraw = Withdraw(withdrawn_on=on("2019-02-10"))
    scheduled(registration_made()).when(withdraw).then(registration_withdrawn())
    scheduled().when(withdraw).then_refused(NotRegistered)
    scheduled(registration_made(), registration_withdrawn()).when(withdraw).then_unchanged()


def test_withdrawing_before_registering_is_refused_where_the_dates_leave_no_doubt() -> None:
    registered = scheduled(registration_made(registered_on="2019-02"))
    registered.when(Withdraw(withdrawn_on=on("2019-01-31"))).then_refused(WithdrawnBeforeRegistered)
    registered.when(Withdraw(withdrawn_on=on("2019-02-01"))).then(registration_withdrawn(withdrawn_on="2019-02-01"))


# attendance


def test_the_first_who_came_makes_attendance_known() -> None:
    held().when(Attend(minutes=90)).then(attendance_taken(), person_attended(minutes=90))
    held(attendance_taken()).when(Attend()).then(person_attended())


def test_a_walk_in_came_and_so_did_who_had_registered() -> None:
    held(attendance_taken()).when(Attend()).then(person_attended())
    held(attendance_taken(), registration_made()).when(Attend()).then(person_attended())


def test_coming_twice_changes_nothing() -> None:
    held(attendance_taken(), person_attended(minutes=60)).when(Attend(minutes=60)).then_unchanged()
    held(attendance_taken(), person_attended(minutes=60)).when(Attend()).then_unchanged()


def test_other_minutes_are_refused() -> None:
    came = held(attendance_taken(), person_attended(minutes=60))
    came.when(Attend(minutes=90)).then_refused(SaidOtherwise, field="minutes", saying="minutes is '60', not '90'")


def test_nobody_came_to_what_was_not_held() -> None:
    scheduled().when(Attend()).then_refused(NotHeldYet, saying="say first that it was held")
    at(convening_scheduled(), convening_cancelled()).when(Attend()).then_refused(
        ConveningWasCancelled, saying="'spring'"
    )
    at().when(Attend()).then_refused(NoSuchConvening, saying="schedule it first")


def test_a_person_who_is_not_known_is_refused() -> None:
    unknown = at(convening_scheduled(), convening_held(), person=KnownPerson(key=ANNA))
    unknown.when(Attend()).then_refused(UnknownPerson, field="person", saying=ANNA)
    unknown.when(REGISTER).then_refused(UnknownPerson, field="person")


# what comes along

BEGAN, ENDED = affiliation_began(organisation_id="rj2"), affiliation_ended()
AFFILIATED = STRANGER.model_copy(update={"affiliations": {3: ENDED, 2: BEGAN}})


def test_somebodys_first_fact_in_a_community_brings_their_affiliations_along_in_order() -> None:
    first = at(convening_scheduled(), person=AFFILIATED).when(REGISTER)
    first.then(BEGAN, ENDED, registration_made()).then_kept(BecameKnown(community_id="rehabilitation"))
    walk_in = at(convening_scheduled(), convening_held(), person=AFFILIATED).when(Attend())
    walk_in.then(attendance_taken(), BEGAN, ENDED, person_attended())


def test_their_next_fact_does_not() -> None:
    known = at(convening_scheduled(), convening_held(), person=AFFILIATED).when(REGISTER).and_after()
    known.when(Attend()).then(attendance_taken(), person_attended()).then_kept()


def test_who_is_known_in_another_community_is_new_in_this_one() -> None:
    elsewhere = at(convening_scheduled(), person=AFFILIATED.known_in("ultrasound"))
    elsewhere.when(REGISTER).then(BEGAN, ENDED, registration_made())


# whose record was merged, or erased

GONE = (FAMILIAR.model_copy(update={"merged": person_merged()}), PersonWasMerged, BEN)
ERASED = (FAMILIAR.model_copy(update={"erased": person_erased()}), PersonWasErased, "2020-06-30")


@pytest.mark.parametrize(("person", "refusal", "saying"), [GONE, ERASED])
def test_nothing_begins_for_somebody_merged_or_erased(person: KnownPerson, refusal: type[Refusal], saying: str) -> None:
    convening = at(convening_scheduled(), convening_held(), person=person)
    convening.when(REGISTER).then_refused(refusal, field="person", saying=saying)
    convening.when(Attend()).then_refused(refusal, field="person", saying=saying)


@pytest.mark.parametrize("person", [GONE[0], ERASED[0]])
def test_what_had_begun_stays_and_ends(person: KnownPerson) -> None:
    convening = at(convening_scheduled(), convening_held(), person=person).given(registration_made(), person_attended())
    convening.when(REGISTER).then_unchanged()
    convening.when(Attend()).then_unchanged()
    convening.when(Withdraw(withdrawn_on=on("2019-02-10"))).then(registration_withdrawn())
