"""The catalogue: every measure there is. One that is defined in a module here is in it."""

from collections import defaultdict

from shared.measures import adoption, convenings, feedback, membership, participation
from shared.measures.measure import Measure
from shared.views.records import Record

MEASURES: dict[str, Measure] = {
    measure.name: measure
    for module in (membership, participation, convenings, feedback, adoption)
    for measure in vars(module).values()
    if isinstance(measure, Measure)
}

SUMMED: dict[type[Record], list[Measure]] = defaultdict(list)
"""The measures that are kept as sums, by the record they are summed over."""
for _measure in MEASURES.values():
    if _measure.record is not None:
        SUMMED[_measure.record].append(_measure)
