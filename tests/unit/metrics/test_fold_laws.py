"""Laws of the fold: whatever the interleaving of topics, the batches, what is repeated and what comes late, the same
facts give the same records and sums.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import bson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import fields

from services.metrics.projections import Held, Placed, SumId, concerned, fold, folded_again, with_them
from shared.events.fact import SOURCE_TOPICS, Fact, Recorded, Stream, Topic
from shared.events.feedback import AdoptionStage
from shared.events.membership import AffiliationFact, Role
from shared.measures.catalogue import SUMMED
from shared.measures.measure import contributions
from shared.measures.united import united
from shared.reading.heads import Seen
from shared.views.records import Affiliation, ParticipationRecord
from tests import builders as a
from tests.builders import ANNA, BEN, CHIDI, recorded, stream
from tests.unit.shared.figures import DAYS

Days = dict[str, int]


class Memory:
    """What the sink and the fold keep, without a database: a batch either is in it or is not."""

    def __init__(self) -> None:
        self.held: dict[str, Held] = {}
        self.sums: dict[SumId, Days] = defaultdict(lambda: defaultdict(int))
        self._facts: dict[str, list[Placed]] = defaultdict(list)
        self._seen: dict[Stream, Seen] = defaultdict(Seen)

    def put(self, batch: Iterable[Recorded]) -> None:
        about = concerned([one for one in batch if self._seen[one.stream].take(one.version, one.id)])
        held = {id: self.held[id] for id in about if id in self.held}
        while others := with_them(held) - held.keys():
            held |= {id: self.held[id] for id in others}
        earlier = {id: list(self._facts[id]) for id in folded_again(about, held)}
        changes = fold(about, held, earlier)
        self.held |= {id: _stored_and_restored(held) for id, held in changes.records.items()}
        for sum_id, days in changes.sums.items():
            for day, delta in days.items():
                self.sums[sum_id][day] += delta
        for id, news in about.items():
            self._facts[id] += [Placed(one.stream.topic, one.version, one.fact) for one in news.facts]

    def figures(self) -> dict[SumId, Days]:
        """The sums without those that are zero."""
        kept = {sum_id: {day: delta for day, delta in days.items() if delta} for sum_id, days in self.sums.items()}
        return {sum_id: days for sum_id, days in kept.items() if days}


def _stored_and_restored(held: Held) -> Held:
    stored = bson.encode({"kind": held.record.kind, "value": held.record.to_store(), "seen": held.seen})
    return Held.restored(bson.decode(stored))


def remembered(batches: Iterable[Iterable[Recorded]]) -> Memory:
    memory = Memory()
    for batch in batches:
        memory.put(batch)
    return memory


PEOPLE = st.sampled_from([ANNA, ANNA, ANNA, BEN])
CONVENINGS = st.sampled_from(["spring", "spring", "spring", "autumn"])
ROLES = st.sampled_from([Role.MEMBER, Role.CONVENOR])
AFFILIATIONS: list[AffiliationFact] = [
    fact
    for person in (ANNA, BEN)
    for fact in (
        a.affiliation_began("first", person, organisation_id="rj1", began_on="2019-12-31"),
        a.affiliation_ended("first", person, ended_on="2020-01-02"),
        a.affiliation_began("second", person, organisation_id="rjz", began_on="2020-01-02"),
    )
]
"""The same in both topics that hold them: they are copies."""

FACTS: dict[Topic, st.SearchStrategy[Fact]] = {
    "membership": st.one_of(
        st.sampled_from(AFFILIATIONS),
        st.builds(lambda who, role, on: a.member_joined(who, role=role, joined_on=on), PEOPLE, ROLES, DAYS),
        st.builds(
            lambda who, role, since, on: a.member_left(who, role=role, joined_on=since, left_on=on),
            *(PEOPLE, ROLES, DAYS, DAYS),
        ),
        st.builds(lambda who, on: a.member_completed(who, completed_on=on), PEOPLE, DAYS),
        st.sampled_from([a.person_merged(ANNA, BEN), a.person_merged(BEN, CHIDI), a.person_erased(ANNA)]),
        st.just(a.community_founded()),
        st.just(a.domains_decided()),
    ),
    "convenings": st.one_of(
        st.sampled_from(AFFILIATIONS),
        st.sampled_from([a.person_merged(ANNA, BEN), a.person_merged(BEN, CHIDI)]),
        st.builds(lambda which, on: a.convening_scheduled(which, scheduled_on=on), CONVENINGS, DAYS),
        st.builds(lambda which, on: a.convening_held(which, held_on=on), CONVENINGS, DAYS),
        st.builds(lambda which, on: a.convening_cancelled(which, cancelled_on=on), CONVENINGS, DAYS),
        st.builds(lambda which: a.attendance_taken(which), CONVENINGS),
        st.builds(lambda who, which, on: a.registration_made(who, which, registered_on=on), PEOPLE, CONVENINGS, DAYS),
        st.builds(
            lambda who, which, on: a.registration_withdrawn(who, which, withdrawn_on=on), PEOPLE, CONVENINGS, DAYS
        ),
        st.builds(lambda who, which, on: a.person_attended(who, which, attended_on=on), PEOPLE, CONVENINGS, DAYS),
    ),
    "feedback": st.one_of(
        st.just(a.form_opened()),
        st.builds(lambda which, on: a.response_received(which, received_on=on), PEOPLE, DAYS),
    ),
}


def numbered(topic: Topic, facts: Sequence[Fact]) -> list[Recorded]:
    return [recorded(fact, version, stream(topic=topic)) for version, fact in enumerate(facts, start=1)]


HISTORIES = st.fixed_dictionaries(
    {topic: st.lists(facts, min_size=4, max_size=12) for topic, facts in FACTS.items()}
).map(lambda histories: [numbered(topic, facts) for topic, facts in histories.items()])


@st.composite
def delivered(draw: st.DrawFn, histories: list[list[Recorded]]) -> list[list[Recorded]]:
    """The facts as they may come: topics interleaved, some again, some late, cut into batches."""
    turns = draw(st.permutations([number for number, history in enumerate(histories) for _ in history]))
    left = [iter(history) for history in histories]
    come = [next(left[number]) for number in turns]
    if come:
        for index in draw(st.lists(st.integers(0, len(come) - 1), max_size=4)):
            come.insert(draw(st.integers(index + 1, len(come))), come[index])
        for index in draw(st.lists(st.integers(0, len(come) - 1), min_size=1, max_size=3)):
            come.insert(draw(st.integers(index, len(come) - 1)), come.pop(index))
    cuts = sorted(draw(st.lists(st.integers(0, len(come)), max_size=5)))
    return [come[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(come)], strict=True)]


@given(HISTORIES.flatmap(lambda histories: st.tuples(st.just(histories), delivered(histories))))
def test_however_the_facts_come_the_records_and_the_sums_are_the_same(
    case: tuple[list[list[Recorded]], list[list[Recorded]]],
) -> None:
    histories, batches = case
    in_order, as_they_came = remembered(histories), remembered(batches)
    assert as_they_came.held == in_order.held
    assert as_they_came.figures() == in_order.figures()


@given(HISTORIES.flatmap(delivered))
def test_the_sums_are_what_the_records_contribute(batches: list[list[Recorded]]) -> None:
    memory = remembered(batches)
    expected: dict[SumId, Days] = defaultdict(lambda: defaultdict(int))
    records = [held.record for held in memory.held.values()]
    people = united(record for record in records if isinstance(record, ParticipationRecord))
    for record in [*people, *(record for record in records if not isinstance(record, ParticipationRecord))]:
        for measure in SUMMED.get(type(record), []):
            for day, key, delta in contributions(record, measure):
                expected[SumId("community.rehabilitation", measure.name, key, day[:4])][day] += delta
    kept = {id: {day: delta for day, delta in days.items() if delta} for id, days in expected.items()}
    assert memory.figures() == {id: days for id, days in kept.items() if days}


@given(HISTORIES.flatmap(delivered))
def test_a_measure_rests_on_nothing_but_what_it_says(batches: list[list[Recorded]]) -> None:
    for held in remembered(batches).held.values():
        record = held.record
        for measure in SUMMED.get(type(record), []):
            unread = {f.name for f in fields(record) if not f.required} - measure.rests_on
            if measure.rests_on and unread:
                bare = type(record)(**{f.name: getattr(record, f.name) for f in fields(record) if f.name not in unread})
                assert Counter(contributions(bare, measure)) == Counter(contributions(record, measure)), measure.name


def test_a_fact_that_comes_late_takes_its_place_among_the_others() -> None:
    joined, left, back = numbered(
        "membership",
        [
            a.member_joined(joined_on="2019-01-01"),
            a.member_left(joined_on="2019-01-01", left_on="2019-06-01"),
            a.member_joined(joined_on="2020-01-01"),
        ],
    )
    late = remembered([[left, back], [joined]])
    assert late.held == remembered([[joined, left, back]]).held


@pytest.mark.parametrize("elsewhere", [1, 9])
def test_versions_of_two_topics_say_nothing_of_each_other(elsewhere: int) -> None:
    """What comes late is folded in its place in its topic, wherever the other topic is."""
    copied = recorded(a.affiliation_began(), elsewhere, stream(topic="convenings"))
    first, last = recorded(a.affiliation_began(), 1), recorded(a.affiliation_began(service="maternity"), 5)
    (held,) = remembered([[copied], [last], [first]]).held.values()
    assert held.record.only("affiliations") == {
        "affiliations": (Affiliation("first", began_on="2018-12-31", service="maternity", profession="midwife"),)
    }


def test_what_came_before_is_taken_back_where_a_later_fact_undoes_it() -> None:
    joined, left = numbered(
        "membership",
        [a.member_joined(joined_on="2019-01-01"), a.member_left(joined_on="2019-01-01", left_on="2019-01-01")],
    )
    memory = remembered([[joined]])
    assert any(sum_id.measure == "members" for sum_id in memory.figures())
    memory.put([left])
    assert memory.figures() == {}


def test_two_members_who_are_one_count_once_at_all_dates_and_again_when_one_of_them_comes() -> None:
    facts = [a.member_joined(ANNA, joined_on="2019-01-01"), a.member_joined(BEN, joined_on="2020-01-01")]
    memory = remembered([numbered("membership", [*facts, a.person_merged(ANNA, BEN)])])
    whole = {id.year: days for id, days in memory.figures().items() if (id.measure, id.key) == ("members", "")}
    assert whole == {"2019": {"2019-01-01": 1}}
    came = [
        recorded(a.person_attended(one, "spring", attended_on="2020-02-01"), n, stream(topic="convenings"))
        for n, one in enumerate((ANNA, BEN), start=1)
    ]
    memory.put(came)
    attendances = [days for id, days in memory.figures().items() if (id.measure, id.key) == ("attendances", "")]
    assert attendances == [{"2020-02-01": 1}]


INNOVATION = stream("gdm-health", "feedback", "innovation")
ADOPTIONS = st.lists(
    st.one_of(
        st.builds(lambda on: a.became_eligible(eligible_from=on), DAYS),
        st.builds(lambda on: a.ceased_eligible(eligible_until_on=on), DAYS),
        st.builds(lambda stage, on: a.stage_reached(stage, reached_on=on), st.sampled_from(AdoptionStage), DAYS),
    ),
    max_size=10,
).map(lambda facts: [[recorded(fact, version, INNOVATION) for version, fact in enumerate(facts, start=1)]])


@given(ADOPTIONS.flatmap(lambda histories: st.tuples(st.just(histories), delivered(histories))))
def test_adoption_is_the_same_however_its_facts_come(case: tuple[list[list[Recorded]], list[list[Recorded]]]) -> None:
    histories, batches = case
    in_order, as_they_came = remembered(histories), remembered(batches)
    assert as_they_came.held == in_order.held
    assert as_they_came.figures() == in_order.figures()


def test_the_histories_are_of_all_source_topics() -> None:
    assert tuple(FACTS) == SOURCE_TOPICS
