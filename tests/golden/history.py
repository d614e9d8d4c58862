"""A made-up history over every fact there is, seeded: corrected, recorded late, repeated, out of order on the way."""

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta

from shared.events.fact import FACTS, Fact, Kind, Recorded, Stream, Topic
from shared.events.feedback import AdoptionStage, Scale, Source, SourceKind
from shared.events.membership import (
    CommunityKind,
    Governance,
    HowJoined,
    OrganisationKind,
    Role,
)
from tests import builders as a
from tests.golden.seldom import SELDOM

SEED = 20190131
FIRST_DAY = date(2019, 1, 1)
BEGAN = datetime(2021, 3, 1, 9, 0, tzinfo=UTC)
"""When it was recorded: long after it happened, as imports are."""
CODES = ("rj1", "rj2", "rjz", "rj7", "rj6", "rvr", "rax")
SERVICES = ("diabetes", "maternity", "oncology", None)
PROFESSIONS = ("midwife", "nurse", "physiotherapist", "consultant", None)
QUESTIONS = (
    a.question("useful", Scale.ORDERED, "not at all", "a little", "very"),
    a.question("format", Scale.CHOICE, "in person", "online"),
    a.question("recommend", Scale.RECOMMENDATION),
    a.question("comments", Scale.WORDS),
)
COMMUNITIES = ("rehabilitation", "ultrasound", "diabetes-in-pregnancy", "leadership-2020")


MERGES = ((0, 1), (2, 3), (4, 5), (6, 7), (8, 9), (10, 11), (1, 3), (3, 12))
"""Whose record goes on as whose: some more than once."""
ERASED = (12, 13, 14)


def lacking(facts: Iterable[Fact]) -> list[str]:
    """What of the language they tell nothing of: kinds of facts, and fields of those that are told."""
    told = defaultdict[str, set[str]](set)
    for fact in facts:
        told[fact.type].update(name for name, value in fact if value not in (None, ()))
    fields = [(type, name) for type in FACTS for name in FACTS[type].model_fields]
    return [
        *(type for type in FACTS if type not in told),
        *(f"{name} of {type}" for type, name in fields if type in told and name not in told[type]),
    ]


class History:
    """Facts in the order in which they were recorded."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.recorded: list[Recorded] = []
        self._heads: dict[Stream, int] = defaultdict(int)
        self._people = [f"01hzy{number:021d}" for number in range(60)]
        self._merges = [(self._people[one], self._people[other]) for one, other in MERGES]
        self._organisations()
        self._programmes()
        self._persons()
        for community in COMMUNITIES:
            self._community(community)
        self._adoption()
        for topic, kind, id, facts in SELDOM:
            self._tell(topic, kind, id, *facts)

    def delivered(self) -> list[Recorded]:
        """As Kafka may hold them: topics interleaved, some again, and a few behind later ones of their stream."""
        queues = defaultdict[str, list[Recorded]](list)
        for one in self.recorded:
            queues[one.stream.topic].append(one)
        come = list[Recorded]()
        while queues:
            topic = self.chance.choice(sorted(queues))
            come.append(queues[topic].pop(0))
            if not queues[topic]:
                del queues[topic]
        for index in self.chance.sample(range(len(come)), 25):
            come.insert(self.chance.randrange(index, len(come)), come[index])
        for index in sorted(self.chance.sample(range(len(come) - 200), 120)):
            come.insert(self.chance.randrange(index, index + 200), come.pop(index))
        return come

    def _tell(self, topic: Topic, kind: Kind, id: str, *facts: Fact) -> None:
        stream = Stream(topic, kind, id)
        for fact in facts:
            self._heads[stream] += 1
            at = BEGAN + timedelta(seconds=len(self.recorded))
            self.recorded.append(a.recorded(fact, self._heads[stream], stream, recorded_at=at))

    def _day(self, begin: int = 0, end: int = 900) -> str:
        """A day, sometimes only as coarse as it is known."""
        day = FIRST_DAY + timedelta(days=self.chance.randrange(begin, end))
        return day.isoformat()[: self.chance.choice((10, 10, 10, 10, 10, 7, 4))]

    def _organisations(self) -> None:
        for code in CODES:
            registered = a.organisation_registered(f"Trust {code}", OrganisationKind.TRUST, ods_code=code.upper())
            self._tell("membership", "organisation", code, registered, a.organisation_joined_network("2013"))
        for code, board in (("rj1", "qkk"), ("rax", "qwe")):
            self._tell("membership", "organisation", code, a.organisation_joined_board(board))
        self._tell("membership", "organisation", "rax", a.organisation_renamed("Kingston and Richmond"))

    def _programmes(self) -> None:
        groups = (
            a.design_group_met(person_ids=tuple(self._people[:3]), organisation_ids=("rj1", "rj2", "rjz")),
            a.domains_decided(domains={"rehabilitation": "Rehabilitation", "ultrasound": "Imaging"}),
            a.domains_decided(decided_on="2019-09", domains={"ultrasound": "Ultrasound imaging"}),
        )
        commissioned = a.programme_commissioned(commissioned_by="rj2", commissioned_from="network", communities=2)
        self._tell("membership", "programme", "first", commissioned, *groups)
        again = a.programme_commissioned("Once more", commissioned_on="2020-11", convenings_each=None)
        self._tell("membership", "programme", "second", again, a.programme_followed("first", "It went well"))

    def _persons(self) -> None:
        for person in self._people:
            facts = (a.person_registered(person), *self._affiliations(person))
            self._tell("membership", "person", person, *facts)
        for person, into in self._merges:
            self._tell("membership", "person", person, a.person_merged(person, into))
        for number in ERASED:
            self._tell("membership", "person", self._people[number], a.person_erased(self._people[number]))

    def _affiliations(self, person: str) -> list[Fact]:
        chance = random.Random(person)  # the same wherever they are told
        day = (FIRST_DAY + timedelta(days=chance.randrange(-400, 300))).isoformat()
        until = (FIRST_DAY + timedelta(days=chance.randrange(400, 800))).isoformat()
        facts: list[Fact] = [
            a.affiliation_began(
                *("one", person),
                began_on=chance.choice((day, day[:7])),
                organisation_id=chance.choice((*CODES, None)),
                service=chance.choice(SERVICES),
                profession=chance.choice(PROFESSIONS),
            )
        ]
        if chance.random() < 0.4:
            facts.append(a.affiliation_ended("one", person, ended_on=until))
            facts.append(a.affiliation_began("two", person, began_on=until, organisation_id=chance.choice(CODES)))
        return facts

    def _community(self, id: str) -> None:
        cohort = id.startswith("leadership")
        founded = a.community_founded(
            *(id.capitalize(), CommunityKind.COHORT if cohort else CommunityKind.PRACTICE),
            governance=Governance.SELF_GOVERNING if id.startswith("diabetes") else Governance.FACILITATED,
            programme_id="first" if id in ("rehabilitation", "ultrasound") else None,
            host_id="rj2",
        )
        self._tell("membership", "community", id, founded)
        people = self.chance.sample(self._people, 25)
        convenings = {f"{id}-{number}"[:64]: number * 90 + 40 for number in range(6)}
        self._convenings(id, convenings)
        self._forms(id, next(iter(convenings)))
        turns = [turn for person in people for turn in self._participation(id, person, convenings)]
        self.chance.shuffle(turns)
        for turn in turns:
            for topic, fact in turn:
                self._tell(topic, "community", id, fact)
        self._identities(id, people)
        if id.startswith("diabetes"):
            group = a.design_group_met("own", met_on="2020-02", organisation_ids=("rj1",))
            self._tell("membership", "community", id, group, a.domains_decided("own", domains={id: "Diabetes"}))
        if cohort:
            self._tell("membership", "community", id, a.community_closed("2021-02"))

    def _identities(self, community: str, people: list[str]) -> None:
        """What became of those who are known there, and of those who go on in their place."""
        topics: tuple[Topic, ...] = ("membership", "convenings")
        for topic in topics:
            known = set(people)
            for person, into in self._merges:
                if person in known:
                    first = [] if into in known else self._affiliations(into)
                    self._tell(topic, "community", community, *first, a.person_merged(person, into))
                    known.add(into)
            erased = [self._people[number] for number in ERASED if self._people[number] in known]
            self._tell(topic, "community", community, *map(a.person_erased, erased))

    def _convenings(self, community: str, convenings: dict[str, int]) -> None:
        for number, (convening, at) in enumerate(convenings.items()):
            day = (FIRST_DAY + timedelta(days=at)).isoformat()
            facts: list[Fact] = [a.convening_scheduled(convening, scheduled_on=day, called_by_members=number % 2 == 0)]
            match number:
                case 2:
                    facts += [a.convening_cancelled(convening, cancelled_on=day, reason="Snow")]
                case 3:  # attendance stays unknown, and the day is corrected
                    moved = (FIRST_DAY + timedelta(days=at + 9)).isoformat()
                    facts += [a.convening_rescheduled(convening, scheduled_on=moved)]
                    facts += [a.convening_held(convening, held_on=day), a.convening_held(convening, held_on=moved)]
                case _:
                    facts += [a.convening_held(convening, held_on=day), a.attendance_taken(convening, held_on=day)]
            self._tell("convenings", "community", community, *facts)

    def _participation(
        self, community: str, person: str, convenings: dict[str, int]
    ) -> Iterator[list[tuple[Topic, Fact]]]:
        """What one person does there, in turns that keep the order of what builds on each other."""
        known = self._affiliations(person)
        turns: list[tuple[Topic, Fact]] = [("membership", fact) for fact in known]
        role, joined = self.chance.choice(list(Role)), self._day(0, 300)
        turns.append(
            (
                "membership",
                a.member_joined(person, role=role, how=self.chance.choice(list(HowJoined)), joined_on=joined),
            )
        )
        if self.chance.random() < 0.4:
            left, back = self._day(400, 600), self._day(600, 800)
            turns.append(("membership", a.member_left(person, role=role, joined_on=joined, left_on=left)))
            if self.chance.random() < 0.5:
                turns.append(("membership", a.member_joined(person, role=Role.OBSERVER, joined_on=back)))
        if community.startswith("leadership") and self.chance.random() < 0.7:
            turns.append(("membership", a.member_completed(person, completed_on="2020-12")))
            if self.chance.random() < 0.2:  # corrected
                turns.append(("membership", a.member_completed(person, completed_on="2020-11-30")))
        yield turns
        turns = [("convenings", fact) for fact in known]
        for number in sorted(self.chance.sample([0, 1, 4, 5], 3)):
            convening, at = list(convenings.items())[number]
            day = (FIRST_DAY + timedelta(days=at)).isoformat()
            if self.chance.random() < 0.6:
                turns.append(("convenings", a.registration_made(person, convening, registered_on=self._day(0, 40))))
                if self.chance.random() < 0.3:
                    withdrawn = a.registration_withdrawn(person, convening, withdrawn_on=self._day(380, 400))
                    turns.append(("convenings", withdrawn))
                    if self.chance.random() < 0.6:  # and registered again after all
                        again = a.registration_made(person, convening, registered_on=self._day(400, 410))
                        turns.append(("convenings", again))
                        if self.chance.random() < 0.5:
                            for_good = a.registration_withdrawn(person, convening, withdrawn_on=self._day(412, 420))
                            turns.append(("convenings", for_good))
            if self.chance.random() < 0.7:
                turns.append(("convenings", a.person_attended(person, convening, attended_on=day, minutes=45)))
        yield turns

    def _forms(self, community: str, convening: str) -> None:
        opened = a.form_opened(*QUESTIONS, opened_on="2019-02-15", convening_id=convening)
        self._tell("feedback", "community", community, opened)
        for number in range(14):
            answers = {"useful": self.chance.choice(QUESTIONS[0].answers), "recommend": str(self.chance.randrange(11))}
            if number % 3:
                answers["format"] = self.chance.choice(QUESTIONS[1].answers)
            response = f"01hzz{self.chance.randrange(10**21):021d}"
            received = (FIRST_DAY + timedelta(days=45 + number)).isoformat()
            in_words = ("comments",) if number % 4 == 0 else ()
            fact = a.response_received(response, received_on=received, answers=answers, in_words=in_words)
            self._tell("feedback", "community", community, fact)

    def _adoption(self) -> None:
        told: list[Fact] = [a.innovation_registered(community_id="diabetes-in-pregnancy")]
        told += [a.became_eligible(code, eligible_from="2018") for code in CODES]
        reported = Source(kind=SourceKind.REPORTED, words="By its lead")
        for code in (*CODES, "elsewhere"):
            for _ in range(self.chance.randrange(1, 4)):
                stage = self.chance.choice(list(AdoptionStage))
                told.append(a.stage_reached(stage, organisation_id=code, reached_on=self._day(), source=reported))
        told.append(a.ceased_eligible("rvr", eligible_until_on="2020-07-01"))
        self._tell("feedback", "innovation", "gdm-health", *told)
