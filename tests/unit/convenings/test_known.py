"""What is known here of membership's facts, and what is passed on."""

from datetime import UTC, datetime
from itertools import permutations

import pytest

from services.convenings.known import (
    Known,
    KnownCommunity,
    KnownMembership,
    KnownOrganisation,
    KnownPerson,
    about,
    evolve,
    merged_here,
    passed_on,
)
from shared.events.fact import Fact, Recorded, Stream
from shared.writing.decider import On
from tests.builders import (
    ANNA,
    BEN,
    CHIDI,
    affiliation_began,
    affiliation_ended,
    community_closed,
    community_founded,
    domains_decided,
    member_joined,
    member_left,
    on,
    organisation_registered,
    organisation_renamed,
    person_erased,
    person_merged,
    person_registered,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
COMMUNITY = Stream("membership", "community", "rehabilitation")
PERSON = Stream("membership", "person", ANNA)
HERE = Stream("convenings", "community", "rehabilitation")
THERE = Stream("convenings", "community", "ultrasound")
TRUST = Stream("membership", "organisation", "rj2")


def recorded(stream: Stream, fact: Fact, version: int = 1) -> Recorded:
    return Recorded(f"fact-{version}", stream, version, fact, NOW, "")


def known_after(*facts: Recorded) -> Known:
    known = about(facts[0])
    assert known is not None
    for fact in facts:
        known = evolve(known, fact)
    return known


def test_communities_organisations_and_people_are_known_once_they_are_founded_or_registered() -> None:
    assert known_after(recorded(COMMUNITY, community_founded())) == KnownCommunity(key="rehabilitation", founded=True)
    assert known_after(recorded(TRUST, organisation_registered())) == KnownOrganisation(key="rj2", registered=True)
    assert known_after(recorded(PERSON, person_registered())) == KnownPerson(key=ANNA, registered=True)


def test_a_closed_community_stays_known() -> None:
    closed = known_after(recorded(COMMUNITY, community_founded()), recorded(COMMUNITY, community_closed("2021"), 2))
    assert closed == KnownCommunity(key="rehabilitation", founded=True, closed_on=on("2021"))


def test_who_belongs_where_is_kept_by_person_and_community() -> None:
    joined, left = member_joined(), member_left()
    known = known_after(recorded(COMMUNITY, joined, 2), recorded(COMMUNITY, left, 3))
    assert known == KnownMembership(key=f"rehabilitation/{ANNA}", facts={2: joined, 3: left})
    assert KnownMembership.restored(known.document()) == known


def test_affiliations_are_the_same_in_whatever_order_their_facts_come() -> None:
    facts = [
        recorded(PERSON, person_registered(), 1),
        recorded(PERSON, affiliation_began("first"), 2),
        recorded(PERSON, affiliation_ended("first"), 3),
        recorded(PERSON, affiliation_began("second"), 4),
    ]
    expected = [affiliation_began("first"), affiliation_ended("first"), affiliation_began("second")]
    for order in permutations(facts):
        known = known_after(*order)
        assert isinstance(known, KnownPerson)
        assert known.registered
        assert list(known.brought_along()) == expected
        assert KnownPerson.restored(known.document()) == known


@pytest.mark.parametrize(
    ("stream", "fact"),
    [
        (COMMUNITY, affiliation_began()),  # a copy for the community's own readers
        (COMMUNITY, affiliation_ended()),
        (COMMUNITY, person_merged()),
        (COMMUNITY, person_erased()),
        (COMMUNITY, domains_decided()),
        (TRUST, organisation_renamed()),
    ],
)
def test_of_other_facts_nothing_is_kept(stream: Stream, fact: Fact) -> None:
    assert about(recorded(stream, fact)) is None


def test_an_affiliation_and_an_erasure_are_passed_on_to_the_communities_that_know_the_person_here() -> None:
    person = KnownPerson(key=ANNA, registered=True).known_in("rehabilitation").known_in("ultrasound")
    began, erased = affiliation_began(), person_erased()
    assert passed_on(person, recorded(PERSON, began, 2)) == [On(HERE, began), On(THERE, began)]
    assert passed_on(person, recorded(PERSON, erased, 2)) == [On(HERE, erased), On(THERE, erased)]
    assert passed_on(person, recorded(PERSON, person_registered())) == []
    assert passed_on(KnownPerson(key=ANNA, registered=True), recorded(PERSON, affiliation_began(), 2)) == []


MERGED, MERGED_AGAIN = person_merged(ANNA, BEN), person_merged(BEN, CHIDI)
ANNA_THERE = KnownPerson(key=ANNA, merged=MERGED, communities=("rehabilitation", "ultrasound"))


def test_a_merge_makes_the_one_who_goes_on_known_with_their_affiliations_wherever_the_other_was() -> None:
    began = affiliation_began("own", BEN)
    ben = KnownPerson(key=BEN, affiliations={2: began}, communities=("ultrasound",))
    people, facts = merged_here([ANNA_THERE, ben])
    assert facts == [On(HERE, began), On(HERE, MERGED), On(THERE, MERGED)]
    assert people == [ANNA_THERE, ben.known_in("rehabilitation")]


def test_what_was_heard_of_a_later_merge_before_is_brought_along_once() -> None:
    ben = KnownPerson(key=BEN, merged=MERGED_AGAIN, communities=("ultrasound",))
    chidi = KnownPerson(key=CHIDI, communities=("ultrasound",))
    people, facts = merged_here([ANNA_THERE, ben, chidi])
    assert facts == [On(HERE, MERGED), On(HERE, MERGED_AGAIN), On(THERE, MERGED)]
    assert people == [ANNA_THERE, ben.known_in("rehabilitation"), chidi.known_in("rehabilitation")]


def test_what_was_heard_of_an_erasure_before_is_brought_along() -> None:
    ben = KnownPerson(key=BEN, erased=person_erased(BEN), communities=("ultrasound",))
    _, facts = merged_here([ANNA_THERE, ben])
    assert facts == [On(HERE, person_erased(BEN)), On(HERE, MERGED), On(THERE, MERGED)]


def test_a_merge_and_an_erasure_are_known() -> None:
    merged = known_after(recorded(PERSON, person_registered()), recorded(PERSON, MERGED, 2))
    assert merged == KnownPerson(key=ANNA, registered=True, merged=MERGED)
    assert KnownPerson.restored(merged.document()) == merged
    erased = known_after(recorded(PERSON, person_erased(), 2), recorded(PERSON, person_registered()))
    assert erased == KnownPerson(key=ANNA, registered=True, erased=person_erased())
