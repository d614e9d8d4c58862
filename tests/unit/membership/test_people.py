"""People are opaque outside; their affiliations are dated, and known in each community where they are."""

import pytest

from services.membership.domain.organisations import UnknownOrganisation
from services.membership.domain.people import (
    Affiliate,
    Affiliating,
    AlreadyEnded,
    Described,
    EndAffiliation,
    EndedBeforeBeginning,
    NoSuchAffiliation,
    NothingStated,
    Register,
    Registering,
    UnknownPerson,
    affiliations,
    people,
)
from services.membership.domain.references import Reference, reference_key
from shared.events.fact import Stream
from shared.events.membership import AffiliationFact, PersonRegistered
from shared.writing.decider import On
from shared.writing.otherwise import SaidOtherwise
from tests.builders import ANNA, BEN, affiliation_began, affiliation_ended, maybe, on, person_registered
from tests.specification import Specification, specification
from tests.unit.membership.situations import a_person, an_organisation

E_MAIL = Reference(source="sign-in sheet", ref="anna@example.org")


# registering


def registering(minted: str, reference: Reference | None) -> Specification[Register, Registering]:
    return specification(
        people, (minted, reference.source if reference else None, reference.ref if reference else None)
    )


def test_a_person_is_known_outside_by_an_opaque_id_only() -> None:
    register = Register(name="Anna", email="anna@example.org", reference=E_MAIL)
    registered = registering(ANNA, E_MAIL).when(register)
    registered.then(PersonRegistered(person_id=ANNA)).then_answered(person_id=ANNA)
    registered.then_kept(Described(name="Anna", email="anna@example.org", reference=E_MAIL))


def test_name_and_e_mail_are_kept_in_the_service() -> None:
    person = registering(ANNA, E_MAIL).when(Register(name="Anna", reference=E_MAIL)).and_after().situation.person
    assert person is not None
    assert (person.registered, person.name, person.email, person.reference) == (True, "Anna", None, E_MAIL)


def test_the_same_reference_gives_the_same_person() -> None:
    first = registering(ANNA, E_MAIL).when(Register(reference=E_MAIL)).and_after().situation
    again = specification(people, (BEN, E_MAIL.source, E_MAIL.ref), reference=first.reference)
    again.when(Register(name="Another name", reference=E_MAIL)).then_unchanged().then_answered(person_id=ANNA)


def test_without_a_reference_each_is_somebody_new() -> None:
    registering(BEN, None).when(Register(name="Anna")).then(PersonRegistered(person_id=BEN)).then_answered(
        person_id=BEN
    )


def test_no_two_references_are_one() -> None:
    assert reference_key("a", 'b", "c') != reference_key('a", "b', "c")


# affiliations


def given(
    *facts: AffiliationFact, communities: tuple[str, ...] = ()
) -> Specification[Affiliate | EndAffiliation, Affiliating]:
    """Anna, about whose affiliation `first` something is said; the university is registered."""
    known = {"person": a_person(communities=communities), "organisation": an_organisation("university")}
    return specification(affiliations, (ANNA, "first", "university"), **known).given(*facts)


def affiliate(began_on: str = "2018", ended_on: str | None = None, profession: str | None = "midwife") -> Affiliate:
    return Affiliate(began_on=on(began_on), ended_on=maybe(ended_on), profession=profession)


def end(ended_on: str) -> EndAffiliation:
    return EndAffiliation(ended_on=on(ended_on))


def test_somebody_comes_to_belong_to_an_organisation() -> None:
    command = Affiliate(organisation_id="university", service="maternity", began_on=on("2018"))
    given().when(command).then(
        affiliation_began(organisation_id="university", service="maternity", profession=None, began_on="2018")
    )


def test_a_whole_affiliation_is_recorded_at_once() -> None:
    given().when(affiliate("2018", "2020")).then(affiliation_began(), affiliation_ended(ended_on="2020"))


def test_the_same_words_change_nothing() -> None:
    given(affiliation_began()).when(affiliate()).then_unchanged()
    ended = given(affiliation_began(), affiliation_ended(ended_on="2020"))
    ended.when(affiliate()).then_unchanged()
    ended.when(affiliate("2018", "2020")).then_unchanged()
    ended.when(end("2020")).then_unchanged()


def test_the_same_words_with_an_end_end_it() -> None:
    given(affiliation_began()).when(affiliate("2018", "2020")).then(affiliation_ended(ended_on="2020"))


def test_other_words_are_refused_and_what_differs_is_said() -> None:
    refusal = given(affiliation_began()).when(affiliate("2017", profession="nurse")).then_refused(SaidOtherwise)
    assert refusal.data == {"differs": ["began_on", "profession"]}
    assert "began_on is '2018', not '2017'; profession is 'midwife', not 'nurse'" in refusal.detail


def test_it_ends_once() -> None:
    given(affiliation_began()).when(end("2020")).then(affiliation_ended(ended_on="2020"))
    ended = given(affiliation_began(), affiliation_ended(ended_on="2020"))
    ended.when(end("2021")).then_refused(AlreadyEnded, field="ended_on", saying="ended on 2020")


def test_it_does_not_end_before_it_begins() -> None:
    given(affiliation_began(began_on="2018")).when(end("2018-06")).then_refused(
        EndedBeforeBeginning, field="ended_on", saying="2018 (taken as 2018-12-31)"
    )
    given().when(affiliate("2018", "2017")).then_refused(EndedBeforeBeginning)


def test_only_what_began_ends() -> None:
    given().when(end("2020")).then_refused(NoSuchAffiliation, field="affiliation")


def test_an_affiliation_says_something() -> None:
    given().when(affiliate(profession=None)).then_refused(NothingStated)


def test_person_and_organisation_must_be_known() -> None:
    nobody = specification(affiliations, (ANNA, "first"))
    nobody.when(affiliate()).then_refused(UnknownPerson, field="person", saying=ANNA)
    nowhere = specification(affiliations, (ANNA, "first", "nowhere"), person=a_person())
    command = Affiliate(organisation_id="nowhere", began_on=on("2018"))
    nowhere.when(command).then_refused(UnknownOrganisation, field="organisation_id", saying="nowhere")


def test_it_is_recorded_in_each_community_where_the_person_is_known() -> None:
    began, ended = affiliation_began(), affiliation_ended(ended_on="2020")
    rehabilitation, ultrasound = (Stream("membership", "community", one) for one in ("rehabilitation", "ultrasound"))
    given(communities=("rehabilitation", "ultrasound")).when(affiliate("2018", "2020")).then(
        began,
        ended,
        On(rehabilitation, began),
        On(rehabilitation, ended),
        On(ultrasound, began),
        On(ultrasound, ended),
    )


@pytest.mark.parametrize("email", ["anna", "anna @example.org", "@", "a@b c"])
def test_an_e_mail_address_looks_like_one(email: str) -> None:
    with pytest.raises(ValueError, match="email"):
        Register(email=email)


def test_a_fact_names_a_person_by_the_id_alone() -> None:
    assert person_registered().model_dump() == {"person_id": ANNA}
