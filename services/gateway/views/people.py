"""Distinct people over several communities: a union, computed when it is read."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from shared.measures.measure import Basis, Figure, Measure
from shared.measures.membership import DISTINCT_MEMBERS, affiliation_keys
from shared.measures.participation import DISTINCT_PARTICIPANTS, HOST_STAFF
from shared.views.records import Affiliation, ParticipationRecord


def _counted(keys: Mapping[str, set[str]], dimensions: Iterable[str]) -> dict[str, dict[str, int | float]]:
    """person -> the keys that they count under, as parts by dimension, the largest first."""
    counts = Counter(key for of_one in keys.values() for key in of_one)
    parts: dict[str, dict[str, int | float]] = {}
    for key, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        dimension, _, part = key.partition("=")
        if dimension in dimensions:
            parts.setdefault(dimension, {})[part] = count
    return parts


def distinct_members(participations: Iterable[ParticipationRecord], basis: Basis) -> Figure:
    """People with a membership on the day in at least one community."""
    keys: dict[str, set[str]] = {}
    held: dict[str, list[Affiliation]] = {}
    for participation in participations:
        memberships = [m for m in participation.memberships if m.holds(basis.as_at)]
        if memberships:
            keys.setdefault(participation.person_id, set()).update(f"role={m.role}" for m in memberships)
            held.setdefault(participation.person_id, []).extend(participation.affiliated(basis.as_at))
    for person, affiliations in held.items():
        keys[person] |= affiliation_keys(affiliations)
    return basis.figure(DISTINCT_MEMBERS, len(keys), by=_counted(keys, DISTINCT_MEMBERS.by))


def distinct_participants(
    participations: Iterable[ParticipationRecord], basis: Basis, *, known: int | None = None, unknown: int = 0
) -> Figure:
    """People with a known attendance by the day in at least one community. `known` and `unknown`: how many convenings
    were held with and without an attendance record.
    """
    keys: dict[str, set[str]] = {}
    held: dict[str, list[Affiliation]] = {}
    for participation in participations:
        days = {day for day in participation.attended.values() if day <= basis.as_at}
        if days:
            keys.setdefault(participation.person_id, set())
            affiliations = [affiliation for day in days for affiliation in participation.affiliated(day)]
            held.setdefault(participation.person_id, []).extend(affiliations)
    for person, affiliations in held.items():
        keys[person] |= affiliation_keys(affiliations)
    by = _counted(keys, DISTINCT_PARTICIPANTS.by)
    return came_figure(DISTINCT_PARTICIPANTS, basis, len(keys), known, unknown, by=by)


def came_figure(measure: Measure, basis: Basis, value: int, known: int | None, unknown: int, **more: Any) -> Figure:
    """A figure that rests on attendance: unknown where no held convening has a record of it; where some have none,
    there are at least so many.
    """
    notes = [f"attendance is on record for {known} of {known + unknown} convenings held"] if known and unknown else []
    return basis.figure(
        measure, None if unknown and not known else value, n=known, unknown=unknown, notes=notes, **more
    )


def host_staff(participations: Iterable[ParticipationRecord], hosts: Mapping[str, str | None], basis: Basis) -> Figure:
    """Participants who belonged to the host of the community on a day they came. `hosts`: community -> organisation."""
    staff = {
        participation.person_id
        for participation in participations
        for day in participation.attended.values()
        if day <= basis.as_at
        for affiliation in participation.affiliated(day)
        if affiliation.organisation_id is not None
        and affiliation.organisation_id == hosts.get(participation.community_id)
    }
    return basis.figure(HOST_STAFF, len(staff))
