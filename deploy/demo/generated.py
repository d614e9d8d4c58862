"""What the demonstration makes up: people without names, days, and who came. Pure: the same seed gives the same."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from ulid import ULID

from deploy.demo.content import Community, Content, Form, Group, Profession
from shared.events.membership import HowJoined, Role
from shared.events.words import CoarseDate

EAGERNESS = (0.75, 0.5, 0.25)  # how likely somebody comes to a convening
EAGER_WEIGHTS = (40, 35, 25)
REGISTERING = 0.85  # how likely somebody registers before they come
NO_SHOW = 0.08  # how likely somebody registers who then does not come
WALK_IN = 0.006  # how likely a member of a sister community comes once


@dataclass(frozen=True)
class Affiliation:
    since: CoarseDate
    organisation_id: str | None
    service: str | None
    profession: str | None


@dataclass(frozen=True)
class Membership:
    community_id: str
    joined_on: date
    left_on: date | None = None


@dataclass(frozen=True)
class Person:
    ref: str
    role: Role
    how: HowJoined
    affiliation: Affiliation | None
    memberships: tuple[Membership, ...]
    sisters: tuple[str, ...]
    """The communities of their group, where they may walk in."""
    eagerness: float
    completed_on: CoarseDate | None = None


@dataclass(frozen=True)
class Convening:
    """`registered` and `came` hold references of people."""

    community: Community
    id: str
    title: str
    held_on: date
    registered: tuple[str, ...]
    came: tuple[str, ...]


@dataclass(frozen=True)
class Response:
    id: str
    received_on: date
    answers: dict[str, str]


@dataclass(frozen=True)
class Generated:
    people: tuple[Person, ...]
    convenings: tuple[Convening, ...]
    responses: tuple[Response, ...]


def generate(content: Content) -> Generated:
    people = tuple(_people(content))
    convenings = tuple(
        convening for community in content.communities for convening in _convenings(content.seed, community, people)
    )
    return Generated(people, convenings, tuple(_responses(content.seed, content.form, people, convenings)))


def _people(content: Content) -> Iterator[Person]:
    convened = {community.id: community.convened_in for community in content.communities}
    number = 0
    for place, group in enumerate(content.groups):
        chance = Random(f"{content.seed} group {place}")
        stays = _shuffled([True] * (group.people - group.do_not_complete) + [False] * group.do_not_complete, chance)
        for stay in stays:
            number += 1
            yield _person(f"participant-{number:03d}", group, stay, convened, chance)


def _person(ref: str, group: Group, stays: bool, convened: dict[str, tuple[CoarseDate, ...]], chance: Random) -> Person:
    name, profession = _drawn_profession(group, chance)
    first = (profession.leans_to if profession else None) or chance.choice(group.communities)
    communities = [first]
    if chance.random() < group.a_second_community:
        communities.append(chance.choice([one for one in group.communities if one != first]))
    affiliation = None
    if group.affiliated_since is not None:
        organisation = _drawn(group.organisations, chance)
        affiliation = Affiliation(group.affiliated_since, organisation, group.service, name)
    memberships = tuple(
        Membership(
            community, _day_between(*group.joining, chance), None if stays else _middle(convened[community], chance)
        )
        for community in communities
    )
    return Person(
        ref=ref,
        role=group.role,
        how=group.how,
        affiliation=affiliation,
        memberships=memberships,
        sisters=group.communities,
        eagerness=1.0 if group.always_comes else chance.choices(EAGERNESS, EAGER_WEIGHTS)[0],
        completed_on=group.completed_on if stays else None,
    )


def _convenings(seed: str, community: Community, people: Sequence[Person]) -> Iterator[Convening]:
    for number, month in enumerate(community.convened_in, start=1):
        chance = Random(f"{seed} convening {community.id} {number}")
        held_on = _working_day(month, chance)
        registered, came = [], []
        for person in people:
            comes, registers = _takes_part(person, community, held_on, chance)
            if registers:
                registered.append(person.ref)
            if comes:
                came.append(person.ref)
        yield Convening(
            community=community,
            id=f"{community.id}-{number}",
            title=f"{community.title}: convening {number}",
            held_on=held_on,
            registered=tuple(registered),
            came=tuple(came),
        )


def _takes_part(person: Person, community: Community, on: date, chance: Random) -> tuple[bool, bool]:
    """Whether they come, and whether they registered. Everybody takes as many draws, so nobody changes another's."""
    coming, registering, not_showing = chance.random(), chance.random(), chance.random()
    belongs = any(
        one.community_id == community.id and one.joined_on <= on and (one.left_on is None or on < one.left_on)
        for one in person.memberships
    )
    if belongs:
        likely = 0.95 if person.completed_on else person.eagerness
        comes = coming < likely
        return comes, registering < REGISTERING if comes else not_showing < NO_SHOW
    return community.id in person.sisters and len(person.sisters) > 1 and coming < WALK_IN, False


def _responses(seed: str, form: Form, people: Sequence[Person], convenings: Sequence[Convening]) -> Iterator[Response]:
    """Answers of those who completed the course and came to its last convening; nothing says whose is whose."""
    last = max((one for one in convenings if one.community.id == form.community_id), key=lambda one: one.held_on)
    completed = {person.ref for person in people if person.completed_on}
    chance = Random(f"{seed} responses")
    for _ in range(len(completed.intersection(last.came))):
        responds, bits = chance.random() < form.responding, chance.getrandbits(128)
        answers = {}
        for question in form.questions:
            answer = chance.choices(question.answers, question.weights)[0]
            if chance.random() >= question.unanswered:
                answers[question.question_id] = answer
        day = last.held_on + timedelta(days=chance.randint(0, 6))
        if responds:
            yield Response(str(ULID.from_bytes(bits.to_bytes(16, "big"))).lower(), day, answers)


def _drawn_profession(group: Group, chance: Random) -> tuple[str | None, Profession | None]:
    name = _drawn({name: profession.weight for name, profession in group.professions.items()}, chance)
    return name, group.professions[name] if name else None


def _drawn(weights: dict[str, int], chance: Random) -> str | None:
    return chance.choices(list(weights), list(weights.values()))[0] if weights else None


def _shuffled(flags: list[bool], chance: Random) -> list[bool]:
    chance.shuffle(flags)
    return flags


def _day_between(first: CoarseDate, last: CoarseDate, chance: Random) -> date:
    begin, end = date.fromisoformat(first), date.fromisoformat(last)
    return begin + timedelta(days=chance.randint(0, (end - begin).days))


def _middle(months: Sequence[CoarseDate], chance: Random) -> date:
    """A day in a month of a convening that is neither the first nor the last."""
    return _working_day(chance.choice(months[1:-1]), chance)


def _working_day(month: CoarseDate, chance: Random) -> date:
    last = date.fromisoformat(month.last_day)
    days = [last.replace(day=day) for day in range(2, 21)]
    return chance.choice([day for day in days if day.weekday() < 5])
