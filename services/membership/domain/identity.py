"""Who somebody is: two records of one person are merged, and a person is erased. Pure.

Whatever else is decided about a person writes the head of their stream, so that nobody becomes known in a community
while they are merged or erased without that being recorded there too.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from services.membership.domain.people import (
    CameToBeKnown,
    Person,
    PersonWasMerged,
    ReferenceHolder,
    brought_along,
    require_known,
    require_may_begin,
)
from services.membership.domain.references import reference_key
from shared.events.fact import Stream
from shared.events.membership import PersonErased, PersonMerged
from shared.events.words import Day, PersonId
from shared.refusals import Invalid
from shared.writing.decider import Command, Decider, Forgotten, Kept, On
from shared.writing.otherwise import require_same


class Merge(Command):
    """The record goes on under another id, that of the same person."""

    into_id: PersonId
    merged_on: Day


class Erase(Command):
    erased_on: Day


class WordsDeleted(Kept):
    """Names, e-mails and references, of all records that are the person's."""


@dataclass(frozen=True)
class Merging:
    person: Person
    into: Person
    earlier: tuple[Person, ...] = ()
    """Whose records were merged into the person's before."""
    references: tuple[ReferenceHolder, ...] = ()
    """Whatever led to one of these."""


@dataclass(frozen=True)
class Erasing:
    person: Person
    earlier: tuple[Person, ...] = ()
    references: tuple[ReferenceHolder, ...] = ()


class MergedIntoThemselves(Invalid):
    field = "into_id"

    def __init__(self, person: PersonId) -> None:
        super().__init__(f"'{person}' cannot be merged into itself: name the other record of the person")


# merging


def decide_merging(command: Merge, situation: Merging) -> Sequence[PersonMerged | CameToBeKnown | On]:
    person, into = situation.person, situation.into
    require_known(person, "person")
    require_known(into, "into_id")
    if person.key == into.key:
        raise MergedIntoThemselves(person.key)
    merged = PersonMerged(person_id=person.key, into_id=into.key, merged_on=command.merged_on)
    if person.merged is not None:
        require_same(f"That '{person.key}' was merged", person.merged, merged)
        return []
    require_may_begin(person, "person")
    require_may_begin(into, "into_id")
    return [merged, *(change for stream in person.streams() for change in _passed_on(merged, into, stream))]


def _passed_on(merged: PersonMerged, into: Person, stream: Stream) -> list[CameToBeKnown | On]:
    """Where the one was known the other is known from now on."""
    first = brought_along(into, stream.id)
    return [*(one if isinstance(one, CameToBeKnown) else On(stream, one) for one in first), On(stream, merged)]


def evolve_merging(situation: Merging, change: PersonMerged | CameToBeKnown) -> Merging:
    person, into = situation.person, situation.into
    match change:
        case PersonMerged():
            return replace(
                situation,
                person=person.model_copy(update={"merged": change}),
                into=into.model_copy(update={"merged_from": (*into.merged_from, person.key)}),
                references=_led_to(into.key, situation.references),
            )
        case CameToBeKnown(community_id=community):
            return replace(situation, into=into.known_in(community))
        case _:
            assert_never(change)


def _follow_merging(situation: Merging) -> Merging:
    earlier, references = _further((situation.person, *situation.earlier), situation.references)
    if not earlier and not references:
        return situation
    return replace(
        situation,
        earlier=(*situation.earlier, *earlier),
        references=(*situation.references, *references),
    )


mergers = Decider(
    stream=lambda person, *_: Person(key=person).stream(),
    initial=lambda person, into: Merging(Person(key=person), Person(key=into)),
    decide=decide_merging,
    evolve=evolve_merging,
    following=_follow_merging,
)
"""Key: the person, and the id that goes on."""


# erasing


def decide_erasing(command: Erase, situation: Erasing) -> Sequence[PersonErased | WordsDeleted | On | Forgotten]:
    person = situation.person
    require_known(person, "person")
    if person.merged is not None:
        raise PersonWasMerged(person.merged, "person")
    erased = PersonErased(person_id=person.key, erased_on=command.erased_on)
    if person.erased is not None:
        require_same(f"That '{person.key}' was erased", person.erased, erased)
        return []
    ids = tuple(one.key for one in (person, *situation.earlier))
    passed_on = [On(stream, erased) for stream in person.streams()]
    return [erased, WordsDeleted(), *passed_on, Forgotten("person_id", ids)]


def evolve_erasing(situation: Erasing, change: PersonErased | WordsDeleted) -> Erasing:
    match change:
        case PersonErased():
            return replace(situation, person=situation.person.model_copy(update={"erased": change}))
        case WordsDeleted():
            return Erasing(
                _without_words(situation.person),
                tuple(_without_words(one) for one in situation.earlier),
                _led_to(None, situation.references),
            )
        case _:
            assert_never(change)


def _follow_erasing(situation: Erasing) -> Erasing:
    earlier, references = _further((situation.person, *situation.earlier), situation.references)
    if not earlier and not references:
        return situation
    return Erasing(situation.person, (*situation.earlier, *earlier), (*situation.references, *references))


erasures = Decider(
    stream=lambda person: Person(key=person).stream(),
    initial=lambda person: Erasing(Person(key=person)),
    decide=decide_erasing,
    evolve=evolve_erasing,
    following=_follow_erasing,
)
"""Key: the person."""


def _further(
    people: Sequence[Person], references: Iterable[ReferenceHolder]
) -> tuple[list[Person], list[ReferenceHolder]]:
    """The records that were merged into these, and their references, which are not there yet."""
    known, held = {person.key for person in people}, {holder.key for holder in references}
    earlier = [Person(key=key) for person in people for key in person.merged_from if key not in known]
    keys = [reference_key(one.reference.source, one.reference.ref) for one in people if one.reference is not None]
    return earlier, [ReferenceHolder(key=key) for key in keys if key not in held]


def _led_to(person: PersonId | None, references: Iterable[ReferenceHolder]) -> tuple[ReferenceHolder, ...]:
    return tuple(holder.model_copy(update={"person_id": person}) for holder in references)


def _without_words(person: Person) -> Person:
    return person.model_copy(update={"name": None, "email": None, "reference": None})
