"""What changes of records make of the sums: what a record added before is taken back, what it adds now is added. Pure.

It is most of the work of a batch. So what cannot have changed is left out, and what is left is counted all at once.
"""

from collections import Counter, defaultdict
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from shared.measures.catalogue import SUMMED
from shared.measures.measure import Contribution, contributions
from shared.views.records import ParticipationRecord, Record


class SumId(NamedTuple):
    scope: str
    measure: str
    key: str
    year: str


class Differences:
    """Gathers what the records of a batch added before, and what they add now."""

    def __init__(self) -> None:
        self._before = defaultdict[tuple[str, str], list[Contribution]](list)
        """(scope, measure) -> contributions"""
        self._now = defaultdict[tuple[str, str], list[Contribution]](list)

    def changed(self, scope: str, before: Record, now: Record) -> None:
        """A record is another one now. What is of merged people adds to the sums together, and is told together."""
        if _is_merged(now):  # a merge is never undone
            if not _is_merged(before):
                self.gone(scope, before)
            return
        fields = now.others_than(before)
        parts = _at_convenings(before, now, fields)
        for measure in SUMMED.get(type(now), ()):
            if not measure.is_untouched(fields):
                was, is_now = parts if parts and measure.by_convening else (before, now)
                self._before[scope, measure.name] += contributions(was, measure)
                self._now[scope, measure.name] += contributions(is_now, measure)

    def began(self, scope: str, record: Record) -> None:
        """A record is there now: one without facts adds nothing, so nothing is taken back."""
        if not _is_merged(record):
            self.came(scope, record)

    def gone(self, scope: str, record: Record) -> None:
        for measure in SUMMED.get(type(record), ()):
            self._before[scope, measure.name] += contributions(record, measure)

    def came(self, scope: str, record: Record) -> None:
        for measure in SUMMED.get(type(record), ()):
            self._now[scope, measure.name] += contributions(record, measure)

    def by_year(self) -> dict[SumId, dict[str, int]]:
        """Day -> delta, without what adds nothing."""
        sums = dict[SumId, dict[str, int]]()
        for scope, measure in self._before.keys() | self._now.keys():
            for (key, year), deltas in self._deltas(scope, measure).items():
                if days := {day: delta for day, delta in deltas.items() if delta}:
                    sums[SumId(scope, measure, key, year)] = days
        return sums

    def _deltas(self, scope: str, measure: str) -> dict[tuple[str, str], dict[str, int]]:
        """(key, year) -> day -> delta"""
        added = Counter(self._now.get((scope, measure)))
        added.subtract(Counter(self._before.get((scope, measure))))
        deltas = defaultdict[tuple[str, str], dict[str, int]](dict)
        for (day, key, delta), times in added.items():
            if times:
                days = deltas[key, day[:4]]
                days[day] = days.get(day, 0) + times * delta
        return deltas


def _is_merged(record: Record) -> bool:
    return isinstance(record, ParticipationRecord) and record.is_merged


def _at_convenings(before: Record, now: Record, fields: AbstractSet[str]) -> tuple[Record, Record] | None:
    """What is left of a participation where nothing changed save at some convenings, and only these matter."""
    if not isinstance(before, ParticipationRecord) or not isinstance(now, ParticipationRecord):
        return None
    if not fields <= ParticipationRecord.OF_CONVENINGS:
        return None
    convenings = now.convenings_otherwise_than(before)
    return before.at(convenings), now.at(convenings)
