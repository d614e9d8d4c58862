"""Organisations that adopted, by stage and as at any day; those elsewhere."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from shared.events.feedback import AdoptionStage, SourceKind
from shared.measures.adoption import ADOPTERS, ELIGIBLE, SPREAD
from shared.views.records import AdoptionRecord, Eligibility, Source, Stage
from tests.unit.shared.figures import CALENDAR, DAYS, LATER, sums, whole


def reached(stage: AdoptionStage, on: str) -> Stage:
    return Stage(
        stage=stage,
        reached_on=on,
        reached_stated=on,
        source=Source(SourceKind.ILLUSTRATIVE, "Made up to show adoption"),
    )


def adoption(
    *stages: Stage, eligible: tuple[Eligibility, ...] = (Eligibility(since="2018-01-01"),), organisation_id: str = "rj6"
) -> AdoptionRecord:
    return AdoptionRecord(innovation_id="gdm-health", organisation_id=organisation_id, eligible=eligible, stages=stages)


IN_PROGRESS = reached(AdoptionStage.IN_PROGRESS, "2018-06-01")
ADOPTED = reached(AdoptionStage.ADOPTED, "2018-10-16")


def test_four_of_seven_have_adopted_and_three_are_in_progress() -> None:
    sustained = reached(AdoptionStage.SUSTAINED, "2019-06-01")
    on_the_way = [adoption(IN_PROGRESS, organisation_id=id) for id in ("rj1", "rj2", "rjz")]
    adopters = [adoption(IN_PROGRESS, ADOPTED, organisation_id=id) for id in ("rj6", "rj7", "rvr")]
    trusts = [*on_the_way, *adopters, adoption(ADOPTED, sustained, organisation_id="rax")]
    assert whole(ELIGIBLE, *trusts, at="2020-12-31") == 7
    assert sums(ADOPTERS, *trusts, at="2020-12-31") == {
        "": 4,
        "stage=adopted": 3,
        "stage=sustained": 1,
        "stage=in-progress": 3,
    }
    assert sums(ADOPTERS, *trusts, at="2018-10-15") == {"stage=in-progress": 6}


def test_backwards_is_legal_and_undoes_from_its_day_on() -> None:
    back = adoption(ADOPTED, reached(AdoptionStage.DISCONTINUED, "2020-01-01"))
    assert sums(ADOPTERS, back, at="2019-12-31") == {"": 1, "stage=adopted": 1}
    assert sums(ADOPTERS, back, at="2020-01-01") == {"stage=discontinued": 1}


def test_of_two_stages_on_one_day_the_one_recorded_last_counts() -> None:
    twice = adoption(reached(AdoptionStage.ADOPTED, "2019-12-31"), reached(AdoptionStage.PAUSED, "2019-12-31"))
    assert sums(ADOPTERS, twice, at="2019-12-31") == {"stage=paused": 1}


def test_an_adopter_outside_the_eligible_set_is_spread_and_shown_apart() -> None:
    elsewhere = adoption(ADOPTED, eligible=())
    assert sums(ADOPTERS, elsewhere, at="2020-12-31") == {}
    assert sums(SPREAD, elsewhere, at="2020-12-31") == {"": 1, "stage=adopted": 1}


def test_an_adopter_that_becomes_and_ceases_eligible_moves_between_the_two() -> None:
    moving = adoption(ADOPTED, eligible=(Eligibility(since="2019-01-01", until="2020-01-01"),))
    days = ("2018-12-31", "2019-01-01", "2019-12-31", "2020-01-01")
    assert [whole(ADOPTERS, moving, at=day) for day in days] == [0, 1, 1, 0]
    assert [whole(SPREAD, moving, at=day) for day in days] == [1, 0, 0, 1]


def test_an_organisation_is_eligible_in_each_of_its_periods_in_whatever_order_they_were_recorded() -> None:
    now, before = Eligibility(since="2019-01-01"), Eligibility(since="2010-01-01", until="2012-01-01")
    days = ("2009-12-31", "2011-01-01", "2015-01-01", "2020-01-01")
    for periods in [(now, before), (before, now)]:
        assert [whole(ELIGIBLE, adoption(eligible=periods), at=day) for day in days] == [0, 1, 0, 1]


RECORDS = st.lists(
    st.builds(
        lambda stages, periods: adoption(*sorted(stages, key=lambda one: one.reached_on), eligible=tuple(periods)),
        st.lists(st.builds(reached, st.sampled_from(AdoptionStage), DAYS), max_size=4),
        st.lists(st.builds(Eligibility, since=DAYS, until=LATER), max_size=2),
    ),
    max_size=4,
)


@given(RECORDS)
def test_on_every_day_the_sums_are_what_asking_each_organisation_gives(records: list[AdoptionRecord]) -> None:
    for day in CALENDAR:
        eligible, adopters, spread = 0, Counter[str](), Counter[str]()
        for record in records:
            is_eligible = any(p.since <= day < (p.until or "9999") for p in record.eligible)
            eligible += is_eligible
            stage = None
            for one in record.stages:
                stage = one.stage.value if one.reached_on <= day else stage
            if stage:
                counted = adopters if is_eligible else spread
                counted.update({f"stage={stage}"} | ({""} if stage in ("adopted", "sustained") else set()))
        assert whole(ELIGIBLE, *records, at=day) == eligible
        assert sums(ADOPTERS, *records, at=day) == dict(adopters)
        assert sums(SPREAD, *records, at=day) == dict(spread)
