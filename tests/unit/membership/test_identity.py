"""Two records of one person are merged, and a person is erased, wherever they are known."""

from dataclasses import replace

import pytest

from services.membership.domain.design_groups import Meet, design_groups
from services.membership.domain.identity import (
    Erase,
    Erasing,
    Merge,
    MergedIntoThemselves,
    Merging,
    WordsDeleted,
    erasures,
    mergers,
)
from services.membership.domain.memberships import Join, Leave, memberships
from services.membership.domain.people import (
    Affiliate,
    EndAffiliation,
    Person,
    PersonWasErased,
    PersonWasMerged,
    ReferenceHolder,
    UnknownPerson,
    affiliations,
)
from services.membership.domain.references import Reference, reference_key
from shared.events.fact import Stream
from shared.events.membership import Role
from shared.refusals import Refusal
from shared.writing.decider import Forgotten, On
from shared.writing.otherwise import SaidOtherwise
from tests.builders import (
    ANNA,
    BEN,
    CHIDI,
    affiliation_began,
    affiliation_ended,
    member_joined,
    member_left,
    on,
    person_erased,
    person_merged,
)
from tests.specification import Specification, specification
from tests.unit.membership.situations import a_community, a_person, an_organisation

REHABILITATION = Stream("membership", "community", "rehabilitation")
ULTRASOUND = Stream("membership", "community", "ultrasound")
MERGE, ERASE = Merge(into_id=BEN, merged_on=on("2020-06-30")), Erase(erased_on=on("2020-06-30"))
E_MAIL = Reference(source="sign-in sheet", ref="anna@example.org")
HOLDER = ReferenceHolder(key=reference_key(E_MAIL.source, E_MAIL.ref), person_id=ANNA)
NAMED = {"name": "Anna", "email": "anna@example.org", "reference": E_MAIL}


def merged(person: Person) -> Person:
    return person.model_copy(update={"merged": person_merged(person.key)})


def erased(person: Person) -> Person:
    return person.model_copy(update={"erased": person_erased(person.key)})


def merging(person: Person | None = None, into: Person | None = None) -> Specification[Merge, Merging]:
    return specification(mergers, (ANNA, BEN), person=person or a_person(), into=into or a_person(BEN))


def erasing(person: Person | None = None) -> Specification[Erase, Erasing]:
    return specification(erasures, (ANNA,), person=person or a_person())


# merging


def test_a_record_is_merged_into_another_of_the_same_person() -> None:
    after = merging().when(MERGE).then(person_merged()).and_after().situation
    assert (after.person.merged, after.into.merged_from) == (person_merged(), (ANNA,))


def test_where_the_one_was_known_the_other_is_known_from_then_on_with_their_affiliations() -> None:
    began, ended = affiliation_began("own", BEN), affiliation_ended("own", BEN)
    anna = a_person(ANNA, communities=("rehabilitation", "ultrasound"))
    ben = a_person(BEN, (began, ended), communities=("ultrasound",))
    outcome = merging(anna, ben).when(MERGE)
    outcome.then(
        person_merged(),
        On(REHABILITATION, began),
        On(REHABILITATION, ended),
        On(REHABILITATION, person_merged()),
        On(ULTRASOUND, person_merged()),
    )
    assert outcome.and_after().situation.into.communities == ("ultrasound", "rehabilitation")


def test_the_same_merge_again_changes_nothing_and_another_is_refused() -> None:
    again = merging().when(MERGE).and_after()
    again.when(MERGE).then_unchanged()
    elsewhere = specification(mergers, (ANNA, CHIDI), person=again.situation.person, into=a_person(CHIDI))
    another = Merge(into_id=CHIDI, merged_on=on("2020-06-30"))
    elsewhere.when(another).then_refused(SaidOtherwise, field="into_id", saying=BEN)


def test_a_record_is_not_merged_into_itself_nor_an_unknown_one() -> None:
    itself = specification(mergers, (ANNA, ANNA), person=a_person(), into=a_person())
    itself.when(Merge(into_id=ANNA, merged_on=on("2020-06-30"))).then_refused(MergedIntoThemselves, field="into_id")
    merging(into=Person(key=BEN)).when(MERGE).then_refused(UnknownPerson, field="into_id", saying=BEN)
    merging(person=Person(key=ANNA)).when(MERGE).then_refused(UnknownPerson, field="person", saying=ANNA)


def test_nobody_is_merged_into_who_was_merged_or_erased_and_the_id_that_goes_on_is_named() -> None:
    gone = a_person(BEN).model_copy(update={"merged": person_merged(BEN, CHIDI)})
    refusal = merging(into=gone).when(MERGE).then_refused(PersonWasMerged, field="into_id", saying=CHIDI)
    assert refusal.data == {"into_id": CHIDI}
    merging(into=erased(a_person(BEN))).when(MERGE).then_refused(PersonWasErased, field="into_id")
    merging(erased(a_person())).when(MERGE).then_refused(PersonWasErased, field="person")


def test_whatever_led_to_the_one_leads_to_the_other_also_from_records_merged_before() -> None:
    earlier = Person(key=CHIDI, registered=True, reference=E_MAIL)
    situation = Merging(a_person().model_copy(update={"merged_from": (CHIDI,)}), a_person(BEN))
    wider = mergers.following(situation)
    assert [one.key for one in wider.earlier] == [CHIDI]
    wider = mergers.following(replace(wider, earlier=(earlier,)))
    assert [one.key for one in wider.references] == [HOLDER.key]
    assert mergers.following(wider) is wider
    led = specification(mergers, (ANNA, BEN), **vars(replace(wider, references=(HOLDER,)))).when(MERGE).and_after()
    assert [one.person_id for one in led.situation.references] == [BEN]


# erasing


def test_a_person_is_erased_wherever_they_are_known() -> None:
    outcome = erasing(a_person(communities=("rehabilitation",))).when(ERASE)
    outcome.then(person_erased(), On(REHABILITATION, person_erased()), Forgotten("person_id", (ANNA,)))
    outcome.then_kept(WordsDeleted())


def test_name_e_mail_and_references_are_gone_also_of_records_merged_before() -> None:
    anna = a_person().model_copy(update={**NAMED, "merged_from": (BEN,)})
    known = {"person": anna, "earlier": (a_person(BEN).model_copy(update=NAMED),), "references": (HOLDER,)}
    outcome = specification(erasures, (ANNA,), **known).when(ERASE)
    outcome.then(person_erased(), Forgotten("person_id", (ANNA, BEN)))
    after = outcome.and_after().situation
    for one in (after.person, *after.earlier):
        assert (one.registered, one.name, one.email, one.reference) == (True, None, None, None)
    assert [holder.is_empty for holder in after.references] == [True]


def test_the_same_erasure_again_changes_nothing() -> None:
    again = erasing().when(ERASE).and_after()
    again.when(ERASE).then_unchanged()
    again.when(Erase(erased_on=on("2021-01-01"))).then_refused(SaidOtherwise, field="erased_on", saying="2020-06-30")


def test_who_was_merged_is_erased_under_the_id_that_goes_on() -> None:
    erasing(merged(a_person())).when(ERASE).then_refused(PersonWasMerged, field="person", saying=BEN)
    erasing(Person(key=ANNA)).when(ERASE).then_refused(UnknownPerson, field="person")


# what is decided afterwards

GONE = [(merged(a_person()), PersonWasMerged, BEN), (erased(a_person()), PersonWasErased, "2020-06-30")]


@pytest.mark.parametrize(("person", "refusal", "saying"), GONE)
def test_nothing_begins_for_somebody_merged_or_erased(person: Person, refusal: type[Refusal], saying: str) -> None:
    join = specification(memberships, ("rehabilitation", ANNA), community=a_community(), person=person)
    join.when(Join(role=Role.MEMBER, joined_on=on("2019-02-01"))).then_refused(refusal, field="person", saying=saying)
    affiliate = specification(affiliations, (ANNA, "first"), person=person)
    affiliate.when(Affiliate(service="maternity", began_on=on("2019"))).then_refused(refusal, field="person")
    key = ("community", "rehabilitation", "initial", (ANNA,), ("university",))
    known = {"parent": a_community(), "people": (person,), "organisations": (an_organisation(),)}
    meet = Meet(met_on=on("2019-01"), person_ids=(ANNA,), organisation_ids=("university",))
    specification(design_groups, key, **known).when(meet).then_refused(refusal, field="person_ids", saying=saying)


@pytest.mark.parametrize("person", [GONE[0][0], GONE[1][0]])
def test_what_had_begun_stays_and_ends(person: Person) -> None:
    belongs = specification(memberships, ("rehabilitation", ANNA), community=a_community(), person=person)
    belongs = belongs.given(member_joined())
    belongs.when(Join(role=Role.MEMBER, joined_on=on("2019-02-01"))).then_unchanged()
    belongs.when(Leave(left_on=on("2020-02-01"))).then(member_left())
    affiliated = specification(affiliations, (ANNA, "first"), person=person).given(affiliation_began())
    affiliated.when(EndAffiliation(ended_on=on("2020"))).then(affiliation_ended())
