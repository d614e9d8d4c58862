"""Laws of single records: coarse dates, what is told again, what was told in an order, what is never taken back."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import permutations
from typing import Any, get_args

import pytest
from msgspec.structs import replace

from services.metrics.projections.identity import identity_of
from shared.events.convenings import AttendanceTaken, RegistrationWithdrawn
from shared.events.fact import Fact, Kind
from shared.events.feedback import OrganisationCeasedEligible, Scale
from shared.events.membership import CommunityKind, MemberLeft
from shared.events.words import CoarseDate
from shared.views.records import Record
from tests import builders as a
from tests.builders import ANNA, BEN, CHIDI, stream
from tests.unit.metrics.test_projections import ABOUT, after


def told(kind: Kind, *facts: Fact) -> Record:
    """What facts of one stream make of the record that the first of them is about."""
    return after(identity_of(stream("here", kind=kind), facts[0]).empty(), *facts)


BEGUN: dict[type[Fact], Sequence[Fact]] = {
    MemberLeft: (a.member_joined(), a.member_joined(joined_on="2019-06-30")),
    RegistrationWithdrawn: (a.registration_made(),),
    OrganisationCeasedEligible: (a.became_eligible(),),
}
"""What a fact needs before it, so that it says something."""


def coarse_dates() -> Iterator[Any]:
    """Every date that a record keeps and that a fact may state coarsely."""
    for fact, kind, _ in ABOUT:
        for name, field in type(fact).model_fields.items():
            may_be_coarse = CoarseDate in (field.annotation, *get_args(field.annotation)) and not field.metadata
            if may_be_coarse and not isinstance(fact, AttendanceTaken):  # its day is not kept
                yield pytest.param(fact, kind, name, id=f"{fact.type} of a {kind}, {name}")


@pytest.mark.parametrize(("fact", "kind", "name"), list(coarse_dates()))
def test_a_coarse_date_counts_from_its_last_day(fact: Fact, kind: Kind, name: str) -> None:
    def stated_as(date: str) -> Any:
        stated = fact.model_copy(update={name: a.on(date)})
        return without_words(told(kind, *BEGUN.get(type(fact), ()), stated).to_store())

    assert stated_as("2019-06") == stated_as("2019-06-30")
    assert "'2019-06-30'" in str(stated_as("2019-06"))


def without_words(stored: Any) -> Any:
    """As it is stored, without how coarsely its dates were stated."""
    match stored:
        case dict():
            kept = {name: held for name, held in stored.items() if not name.endswith("_stated") and name != "is_coarse"}
            return {name: without_words(held) for name, held in kept.items()}
        case list() | tuple():
            return [without_words(held) for held in stored]
        case _:
            return stored


CORRECTED: list[tuple[Kind, Fact, Fact]] = [
    (
        "programme",
        a.programme_commissioned(commissioned_on="2019-01"),
        a.programme_commissioned("Once more", commissioned_on="2019-02", convenings_each=None),
    ),
    ("programme", a.programme_followed("first"), a.programme_followed("second", "It went badly")),
    (
        "programme",
        a.design_group_met(met_on="2019-01", person_ids=(ANNA, BEN), organisation_ids=("rj1",)),
        a.design_group_met(met_on="2019-02", person_ids=(CHIDI,), organisation_ids=("rjz", "rj2")),
    ),
    ("organisation", a.organisation_joined_board("qkk"), a.organisation_joined_board("qwe")),
    ("organisation", a.organisation_joined_network("2013"), a.organisation_joined_network("2014")),
    (
        "person",
        a.affiliation_began(organisation_id="rj1", service="maternity", profession=None),
        a.affiliation_began(organisation_id=None, service=None, profession="midwife", began_on="2019"),
    ),
    ("person", a.affiliation_ended(ended_on="2019"), a.affiliation_ended(ended_on="2020")),
    ("person", a.person_merged(into_id=BEN), a.person_merged(into_id=CHIDI)),
    (
        "community",
        a.community_founded("Rehabilitation", host_id="rj2"),
        a.community_founded("A course", CommunityKind.COHORT, founded_on=None),
    ),
    ("community", a.community_closed("2021"), a.community_closed("2022")),
    ("community", a.member_completed(completed_on="2019"), a.member_completed(completed_on="2020")),
    ("community", a.person_attended(attended_on="2019"), a.person_attended(attended_on="2020")),
    (
        "community",
        a.convening_scheduled(capacity=20),
        a.convening_scheduled(title="Spring", scheduled_on="2020", called_by_members=True),
    ),
    ("community", a.convening_rescheduled(scheduled_on="2019"), a.convening_rescheduled(scheduled_on="2020")),
    ("community", a.convening_held(held_on="2019"), a.convening_held(held_on="2020")),
    (
        "community",
        a.convening_cancelled(cancelled_on="2019-01-01"),
        a.convening_cancelled(cancelled_on="2020-01-01"),
    ),
    (
        "community",
        a.form_opened(a.question("useful"), opened_on="2019", convening_id="spring"),
        a.form_opened(a.question("format", Scale.CHOICE), a.COMMENTS, opened_on="2020"),
    ),
    (
        "community",
        a.response_received(answers={"useful": "yes"}),
        a.response_received(answers={"recommend": "9"}, received_on="2020-01-01", in_words=("comments",)),
    ),
    ("innovation", a.innovation_registered(community_id="here"), a.innovation_registered("GDm")),
]


@pytest.mark.parametrize(("kind", "one", "other"), CORRECTED, ids=lambda value: getattr(type(value), "type", None))
def test_what_is_told_again_takes_the_place_of_what_was_told_before(kind: Kind, one: Fact, other: Fact) -> None:
    for before, now in permutations((one, other)):
        assert told(kind, before, now) == told(kind, now)


IN_AN_ORDER: list[tuple[Kind, Fact, Callable[[Any], Iterable[str]], list[str]]] = [
    (
        "programme",
        a.design_group_met(person_ids=(BEN, CHIDI, ANNA)),
        lambda programme: programme.design_groups[0].person_ids,
        [BEN, CHIDI, ANNA],
    ),
    (
        "programme",
        a.design_group_met(organisation_ids=("rjz", "rax", "rj1")),
        lambda programme: programme.design_groups[0].organisation_ids,
        ["rjz", "rax", "rj1"],
    ),
    (
        "programme",
        a.domains_decided(domains={"rehabilitation": "One", "ultrasound": "Two", "diabetes": "Three"}),
        lambda programme: (domain.community_id for domain in programme.design_groups[0].domains),
        ["rehabilitation", "ultrasound", "diabetes"],
    ),
    (
        "community",
        a.form_opened(a.question("useful"), a.COMMENTS, a.RECOMMEND),
        lambda form: (question.question_id for question in form.questions),
        ["useful", "comments", "recommend"],
    ),
    (
        "community",
        a.form_opened(a.question("useful", Scale.ORDERED, "not", "a little", "very")),
        lambda form: form.questions[0].answers,
        ["not", "a little", "very"],
    ),
    (
        "community",
        a.response_received(in_words=("format", "comments", "else")),
        lambda response: response.in_words,
        ["format", "comments", "else"],
    ),
]


@pytest.mark.parametrize(("kind", "fact", "read", "in_order"), IN_AN_ORDER, ids=range(len(IN_AN_ORDER)))
def test_what_was_told_in_an_order_keeps_it(
    kind: Kind, fact: Fact, read: Callable[[Any], Iterable[str]], in_order: list[str]
) -> None:
    assert list(read(told(kind, fact))) == in_order


@pytest.mark.parametrize("kind", ["programme", "community"])
def test_design_groups_are_in_order_of_their_ids(kind: Kind) -> None:
    one, other = a.design_group_met("a"), a.domains_decided("b")
    assert told(kind, other, one) == told(kind, one, other)


@pytest.mark.parametrize("kind", ["person", "community"])
def test_affiliations_are_in_order_of_their_ids(kind: Kind) -> None:
    one, other = a.affiliation_began("a"), a.affiliation_ended("b")
    assert told(kind, other, one) == told(kind, one, other)


@pytest.mark.parametrize("later", [a.convening_rescheduled(), a.convening_held(), a.attendance_taken()])
def test_a_cancellation_stands_whatever_is_told_of_the_convening_later(later: Fact) -> None:
    """`convenings` refuses all of these: what was cancelled is scheduled under another id."""
    told_of = told("community", a.convening_cancelled(cancelled_on="2019-02-20"), later)
    assert told_of.only("cancelled_on") == {"cancelled_on": "2019-02-20"}


def test_what_was_told_of_who_is_erased_stays() -> None:
    facts = (a.member_joined(), a.affiliation_began(), a.registration_made(), a.person_attended())
    assert told("community", *facts, a.person_erased()) == replace(told("community", *facts), erased_on="2020-06-30")


def test_who_is_erased_stays_so() -> None:
    assert told("person", a.person_erased(), a.person_registered()).only("registered", "erased_on") == {
        "registered": True,
        "erased_on": "2020-06-30",
    }
