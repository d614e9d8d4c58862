"""The rules of convenings: scheduled, rescheduled, held or cancelled, and whether attendance was taken."""

from datetime import UTC, datetime, timedelta

from services.convenings.domain.convenings import (
    Cancel,
    ConveningChange,
    ConveningCommand,
    ConveningWasCancelled,
    ConveningWasHeld,
    EndsBeforeItStarts,
    Hold,
    NoSuchConvening,
    NotHeldYet,
    Reference,
    ReferenceGiven,
    Reschedule,
    Schedule,
    Situation,
    TakeAttendance,
    convenings,
)
from services.convenings.known import KnownCommunity, UnknownCommunity
from shared.writing.otherwise import SaidOtherwise
from tests.builders import (
    attendance_taken,
    convening_cancelled,
    convening_held,
    convening_rescheduled,
    convening_scheduled,
    on,
)
from tests.specification import Specification, specification

FOUNDED = KnownCommunity(key="rehabilitation", founded=True)
TICKETS = Reference(source="tickets", ref="4711")


def given(*changes: ConveningChange) -> Specification[ConveningCommand, Situation]:
    return specification(convenings, ("rehabilitation", "spring"), community=FOUNDED).given(*changes)


def schedule(
    title: str = "Spring convening",
    scheduled_on: str = "2019-03-01",
    *,
    capacity: int | None = None,
    reference: Reference | None = None,
) -> Schedule:
    return Schedule(title=title, scheduled_on=on(scheduled_on), capacity=capacity, reference=reference)


def test_a_convening_is_scheduled() -> None:
    given().when(schedule(capacity=30)).then(convening_scheduled(capacity=30))


def test_a_sources_own_key_is_kept_and_is_in_no_fact() -> None:
    outcome = given().when(schedule(reference=TICKETS))
    outcome.then(convening_scheduled()).then_kept(ReferenceGiven(reference=TICKETS))


def test_a_convening_of_a_community_that_is_not_known_is_refused() -> None:
    nobody = specification(convenings, ("rehabilitation", "spring"))
    nobody.when(schedule()).then_refused(UnknownCommunity, field="community", saying="'rehabilitation'")


def test_a_convening_that_ends_before_it_starts_is_refused() -> None:
    noon = datetime(2019, 3, 1, 12, tzinfo=UTC)
    backwards = schedule().model_copy(update={"starts_at": noon, "ends_at": noon - timedelta(hours=1)})
    given().when(backwards).then_refused(EndsBeforeItStarts, field="ends_at")


def test_the_same_words_again_change_nothing() -> None:
    once = given().when(schedule(capacity=30, reference=TICKETS)).and_after()
    once.when(schedule(capacity=30, reference=TICKETS)).then_unchanged()


def test_other_words_under_the_same_id_are_refused_saying_what_differs() -> None:
    refusal = (
        given(convening_scheduled()).when(schedule("Autumn", capacity=5)).then_refused(SaidOtherwise, field="title")
    )
    assert refusal.data["differs"] == ["title", "capacity"]
    assert "capacity is not stated, not '5'" in refusal.detail


def test_another_reference_under_the_same_id_is_refused() -> None:
    once = given(convening_scheduled(), ReferenceGiven(reference=TICKETS))
    once.when(schedule(reference=Reference(source="tickets", ref="42"))).then_refused(SaidOtherwise, field="reference")


def test_it_is_rescheduled_while_it_is_neither_held_nor_cancelled() -> None:
    move = Reschedule(scheduled_on=on("2019-04-01"))
    given(convening_scheduled()).when(move).then(convening_rescheduled(scheduled_on="2019-04-01"))
    given(convening_scheduled(), convening_held()).when(move).then_refused(ConveningWasHeld, saying="2019-03-01")
    given(convening_scheduled(), convening_cancelled()).when(move).then_refused(
        ConveningWasCancelled, saying="'spring'"
    )
    given().when(move).then_refused(NoSuchConvening, saying="schedule it first")


def test_rescheduling_to_the_date_that_holds_changes_nothing() -> None:
    moved = given(convening_scheduled(), convening_rescheduled(scheduled_on="2019-04-01"))
    moved.when(Reschedule(scheduled_on=on("2019-04-01"))).then_unchanged()


def test_it_may_be_moved_back() -> None:
    moved = given(convening_scheduled(scheduled_on="2019-03-01"), convening_rescheduled(scheduled_on="2019-04-01"))
    moved.when(Reschedule(scheduled_on=on("2019-03-01"))).then(convening_rescheduled(scheduled_on="2019-03-01"))


def test_what_was_said_before_it_was_rescheduled_may_be_said_again_and_so_may_the_date_that_holds_now() -> None:
    moved = given(convening_scheduled(scheduled_on="2019-03-01"), convening_rescheduled(scheduled_on="2019-04-01"))
    moved.when(schedule(scheduled_on="2019-03-01")).then_unchanged()
    moved.when(schedule(scheduled_on="2019-04-01")).then_unchanged()
    moved.when(schedule(scheduled_on="2019-05-01")).then_refused(SaidOtherwise, field="scheduled_on")


def test_it_is_held_on_another_day_than_it_was_scheduled_for() -> None:
    given(convening_scheduled()).when(Hold(held_on=on("2019-03"))).then(convening_held(held_on="2019-03"))


def test_held_twice_changes_nothing_and_on_another_day_is_refused() -> None:
    held = given(convening_scheduled(), convening_held(held_on="2019-03-01"))
    held.when(Hold(held_on=on("2019-03-01"))).then_unchanged()
    held.when(Hold(held_on=on("2019-03-02"))).then_refused(SaidOtherwise, field="held_on", saying="'2019-03-01'")


def test_a_cancelled_convening_is_not_held() -> None:
    cancelled = given(convening_scheduled(), convening_cancelled())
    cancelled.when(Hold(held_on=on("2019-03-01"))).then_refused(ConveningWasCancelled, field="convening")


def test_it_is_cancelled_once_with_one_reason() -> None:
    cancel = Cancel(cancelled_on=on("2019-02-20"), reason="Snow")
    fact = convening_cancelled(reason="Snow")
    given(convening_scheduled()).when(cancel).then(fact)
    given(convening_scheduled(), fact).when(cancel).then_unchanged()
    other = cancel.model_copy(update={"reason": "Ice"})
    given(convening_scheduled(), fact).when(other).then_refused(SaidOtherwise, field="reason")


def test_a_convening_that_was_held_is_not_cancelled() -> None:
    held = given(convening_scheduled(), convening_held())
    held.when(Cancel(cancelled_on=on("2019-03-02"))).then_refused(ConveningWasHeld, saying="held on 2019-03-01")


def test_attendance_is_taken_once_although_nobody_came() -> None:
    held = given(convening_scheduled(), convening_held())
    held.when(TakeAttendance()).then(attendance_taken()).and_after().when(TakeAttendance()).then_unchanged()


def test_attendance_is_not_taken_of_what_was_not_held() -> None:
    given(convening_scheduled()).when(TakeAttendance()).then_refused(NotHeldYet, saying="say first that it was held")
    cancelled = given(convening_scheduled(), convening_cancelled())
    cancelled.when(TakeAttendance()).then_refused(ConveningWasCancelled)
