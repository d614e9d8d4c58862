"""Participations of one person under ids that were merged, taken as one: so a person counts once in a community."""

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce

from msgspec.structs import replace

from shared.views.records import ParticipationRecord

Key = tuple[str, str]
"""Community and person."""


def united(participations: Iterable[ParticipationRecord]) -> list[ParticipationRecord]:
    """One for each person in a community, under the id that goes on; those never merged as they are."""
    alone, merged = list[ParticipationRecord](), dict[Key, ParticipationRecord]()
    for one in participations:
        if one.is_merged:
            merged[key_of(one)] = one
        else:
            alone.append(one)
    into: dict[str, dict[str, str]] = {}
    for (community, person), one in merged.items():
        if one.merged_into is not None:
            into.setdefault(community, {})[person] = one.merged_into
    of_one: dict[Key, list[ParticipationRecord]] = {}
    for community, person in sorted(merged):
        going_on = community, goes_on(person, into.get(community, {}))
        of_one.setdefault(going_on, []).append(merged[community, person])
    return [*alone, *(_as_one(person, records) for (_, person), records in of_one.items())]


def absent(participations: Iterable[ParticipationRecord]) -> set[Key]:
    """Those that are of the same people as these, and not among them."""
    there, named = set[Key](), set[Key]()
    for one in participations:
        if one.is_merged:
            there.add(key_of(one))
            others = (*one.merged_from, *((one.merged_into,) if one.merged_into else ()))
            named |= {(one.community_id, person) for person in others}
    return named - there


def goes_on(person: str, merged_into: Mapping[str, str]) -> str:
    """The id that a person goes on under, by into whom each was merged."""
    passed = {person}
    while (into := merged_into.get(person)) is not None and into not in passed:  # no rule makes a ring of merges
        passed.add(into)
        person = into
    return person


def key_of(participation: ParticipationRecord) -> Key:
    return participation.community_id, participation.person_id


def _as_one(person: str, records: Sequence[ParticipationRecord]) -> ParticipationRecord:
    return replace(reduce(_both, records), person_id=person)


def _both(one: ParticipationRecord, other: ParticipationRecord) -> ParticipationRecord:
    registered = {
        convening: (*one.registered.get(convening, ()), *other.registered.get(convening, ()))
        for convening in (*one.registered, *other.registered)
    }
    attended = dict(other.attended)
    for convening, day in one.attended.items():
        attended[convening] = min(day, attended.get(convening, day))
    return replace(
        one,
        memberships=(*one.memberships, *other.memberships),
        completed_on=_earlier(one.completed_on, other.completed_on),
        affiliations=(*one.affiliations, *other.affiliations),
        registered=registered,
        attended=attended,
        first_attended_on=_earlier(one.first_attended_on, other.first_attended_on),
    )


def _earlier(one: str | None, other: str | None) -> str | None:
    return min(one, other) if one and other else one or other
