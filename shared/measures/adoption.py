"""How far an innovation has come."""

from collections.abc import Iterator

from shared.events.feedback import AdoptionStage
from shared.measures.measure import WHOLE, Contribution, Cycle, Measure, sweep
from shared.views.records import AdoptionRecord

SOURCE = "Praxis: shared/measures/adoption.py"
ADOPTED = frozenset({AdoptionStage.ADOPTED, AdoptionStage.SUSTAINED})


def _eligible(record: AdoptionRecord) -> Iterator[Contribution]:
    days = [day for period in record.eligible for day in (period.since, period.until)]
    return sweep(days, lambda day: {WHOLE} if record.is_eligible(day) else set())


ELIGIBLE = Measure(
    name="organisations-eligible",
    title="Organisations eligible",
    unit="organisations",
    counts="Organisations that may adopt the innovation on the day.",
    excludes="Organisations elsewhere that adopted it all the same.",
    source=SOURCE,
    cycle=Cycle.APPLIED,
    record=AdoptionRecord,
    contributions=_eligible,
)


def _by_stage(record: AdoptionRecord, *, eligible: bool) -> Iterator[Contribution]:
    def keys_on(day: str) -> set[str]:
        stage = record.stage_on(day)
        if stage is None or record.is_eligible(day) is not eligible:
            return set()
        return {f"stage={stage.stage}"} | ({WHOLE} if stage.stage in ADOPTED else set())

    days = [day for period in record.eligible for day in (period.since, period.until)]
    return sweep([*days, *(stage.reached_on for stage in record.stages)], keys_on)


ADOPTERS = Measure(
    name="adopters",
    title="Organisations that have adopted",
    unit="organisations",
    counts="Eligible organisations whose stage on the day is adopted or sustained; by stage, those at each.",
    excludes="Organisations outside the eligible set: that is spread, and shown apart.",
    source="Health Innovation Network, Communities of Practice: 'Four out of seven trusts … have adopted'",
    cycle=Cycle.APPLIED,
    mechanisms=("collaborating",),
    by=("stage",),
    record=AdoptionRecord,
    contributions=lambda record: _by_stage(record, eligible=True),
)

SPREAD = Measure(
    name="adopters-elsewhere",
    title="Adopters elsewhere",
    unit="organisations",
    counts="Organisations outside the eligible set whose stage on the day is adopted or sustained; by stage, those at "
    "each.",
    excludes="Eligible organisations.",
    source=SOURCE,
    cycle=Cycle.APPLIED,
    by=("stage",),
    record=AdoptionRecord,
    contributions=lambda record: _by_stage(record, eligible=False),
)
