"""What is written while faults happen: commands that follow from a seed, each with the facts that it must make."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

KINDS = ("charity", "university", "council", "lay")
ROLES = ("convenor", "facilitator", "member", "patient-partner", "observer")
WAYS = ("by-themselves", "invited", "nominated")
SERVICES = ("diabetes", "maternity", "imaging")
PROFESSIONS = ("nurse", "midwife", "doctor")
STAGES = ("aware", "considering", "in-progress", "adopted", "sustained", "paused")
SATISFIED = ("poor", "fair", "good", "excellent")
CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
LASTING, PASSING = 3, 4
"""How many of a client's people stay who they are, and how many are merged or erased by the next client."""
AGAIN = 5
"""How often somebody is registered again while they are erased."""
LAST_DAY = "2030-12-31"
"""After all days that commands are about."""

Made = dict[str, Any]
"""A fact that a command makes, once: its stream, its type, and the part of its data that tells it from all others."""


@dataclass(frozen=True)
class Call:
    method: str
    path: str
    body: dict[str, Any]
    makes: tuple[Made, ...]
    shows: dict[str, Any] = field(default_factory=dict)
    """What the community's view shows from then on."""
    edits: str = ""
    """The address of what its client alone changes: the ETag of its last answer is the right one."""


@dataclass
class World:
    """What all clients of a run write about; the ids of people are minted by the system."""

    name: str
    clients: int
    people: list[str] = field(default_factory=list)
    communities: list[str] = field(init=False)
    organisations: list[str] = field(init=False)
    innovations: list[str] = field(init=False)
    programmes: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.communities = [f"{self.name}-community-{number}" for number in range(5)]
        self.organisations = [f"{self.name}-organisation-{number}" for number in range(4)]
        self.innovations = [f"{self.name}-innovation-{number}" for number in range(2)]
        self.programmes = [f"{self.name}-programme-{number}" for number in range(4)]

    def groundwork(self) -> Iterator[Call]:
        """What everything else builds on."""
        for number, organisation in enumerate(self.organisations):
            body: dict[str, Any] = {"kind": KINDS[number], "name": organisation}
            made = fact(f"membership/organisation.{organisation}", "organisation-registered", name=organisation)
            yield Call("PUT", f"/v1/organisations/{organisation}", body, (made,))
        for number in range((LASTING + PASSING) * self.clients):
            yield self.registered(str(number))
        for number, community in enumerate(self.communities):
            kind = "cohort" if number == 0 else "practice"
            made = fact(f"membership/community.{community}", "community-founded", title=community)
            yield Call("PUT", f"/v1/communities/{community}", {"title": community, "kind": kind}, (made,))
        for programme in self.programmes:
            body = {"title": programme, "commissioned_on": day(0), "commissioned_from": self.organisations[0]}
            made = fact(f"membership/programme.{programme}", "programme-commissioned", **body)
            yield Call("PUT", f"/v1/programmes/{programme}", body, (made,))

    def registered(self, name: str) -> Call:
        """Somebody, with all words that are kept of people."""
        reference = {"source": "faults", "ref": f"{self.name}-{name}"}
        body = {"name": f"Person {name}", "email": f"{name}@example.org", "reference": reference}
        return Call("POST", "/v1/people", body, ())

    def further_groundwork(self) -> Iterator[Call]:
        """The same, of the service that follows the other."""
        for community in self.communities:
            form = f"{community}-form"
            questions = [
                {"question_id": "satisfied", "text": "How was it?", "scale": "ordered", "answers": SATISFIED},
                {"question_id": "recommend", "text": "Would you recommend it?", "scale": "recommendation"},
                {"question_id": "more", "text": "What else?", "scale": "words"},
            ]
            body: dict[str, Any] = {"title": "Feedback", "opened_on": day(0), "questions": questions}
            made = fact(f"feedback/community.{community}", "feedback-form-opened", form_id=form)
            yield Call("PUT", f"/v1/communities/{community}/feedback-forms/{form}", body, (made,))
        for innovation in self.innovations:
            made = fact(f"feedback/innovation.{innovation}", "innovation-registered", title=innovation)
            yield Call("PUT", f"/v1/innovations/{innovation}", {"title": innovation}, (made,))
            for number, organisation in enumerate(self.organisations[:3]):  # the last is never eligible: spread
                yield _eligible(innovation, organisation, number)


def _eligible(innovation: str, organisation: str, number: int) -> Call:
    stream = f"feedback/innovation.{innovation}"
    period = {"eligible_from": day(number)} | ({"eligible_until_on": day(20)} if number else {})
    made = [fact(stream, "organisation-became-eligible", organisation_id=organisation)]
    made += [fact(stream, "organisation-ceased-eligible", organisation_id=organisation)] if number else []
    return Call("PUT", f"/v1/innovations/{innovation}/eligible/{organisation}", period, tuple(made))


@dataclass
class _Belonging:
    """One person in one community, whom one client alone writes about."""

    community: str
    person: str
    day: int = 0
    role: str | None = None
    joined: int = 0
    completed: bool = False


@dataclass
class _Convening:
    community: str
    id: str
    day: int
    state: str = "scheduled"
    registered: list[str] = field(default_factory=list)
    withdrawn: list[str] = field(default_factory=list)
    came: list[str] = field(default_factory=list)


Crossing = Callable[[World, int, Sequence[str]], tuple[list[Call], list[Call]]]
"""What is sent about these people one after the other, and then at once."""


class Script:
    """One client's commands, one after the other. It writes about things of its own in streams that all share."""

    def __init__(self, world: World, number: int, seed: int) -> None:
        self._world, self._number, self._rng = world, number, random.Random(f"{seed}/{number}")
        own = world.people[number :: world.clients]
        self._belongings = [_Belonging(community, person) for person in own for community in world.communities]
        self._own = own
        self._passing = world.people[(number + 1) % world.clients :: world.clients][LASTING:]
        """Whom this client merges and erases, while the one before it writes about them."""
        self._affiliations: list[tuple[str, str, int]] = []
        self._convenings: list[_Convening] = []
        self._reached: set[tuple[str, str, str, int]] = set()
        self._count = 0

    def next(self, focus: str | None) -> Call:
        """The next command; where `focus` names a service, one whose facts go to its topics only."""
        of_membership = (self._belong, self._belong, self._belong, self._affiliate, self._identify)
        of_convenings = (self._convene, self._take_part, self._take_part, self._take_part, self._adopt, self._respond)
        choices = {
            "membership": (self._belong,),  # what else concerns a person is passed on to the other topic
            "convenings": of_convenings,
            None: (*of_membership, *of_convenings),
        }[focus]
        return self._rng.choice(choices)()

    def forget(self, call: Call) -> None:
        """Write no more about what this command was about: whether it was carried out is not known."""
        self._belongings = [one for one in self._belongings if f"{one.community}/members/{one.person}" not in call.path]
        self._convenings = [one for one in self._convenings if f"/convenings/{one.id}" not in call.path]
        self._affiliations = [one for one in self._affiliations if f"/affiliations/{one[1]}" not in call.path]

    def _belong(self) -> Call:
        if not self._belongings:
            return self._respond()
        one = self._rng.choice(self._belongings)
        path, stream = f"/v1/communities/{one.community}/members/{one.person}", f"membership/community.{one.community}"
        if one.role is None:
            one.role, one.joined = self._rng.choice(ROLES), one.day
            how = self._rng.choice(WAYS)
            words = {"role": one.role, "how": how, "joined_on": day(one.joined)}
            made = fact(stream, "member-joined", person_id=one.person, **words)
            return Call("PUT", path, words, (made,), edits=path)
        if one.community == self._world.communities[0] and not one.completed and self._rng.random() < 0.3:
            one.completed = True
            words = {"completed_on": day(one.day + 1)}
            made = fact(stream, "member-completed", person_id=one.person, **words)
            lasts = one.person in self._own[:LASTING]  # who is merged may count as one with another
            shows = {"community": one.community, "counts": "completions"} if lasts else {}
            return Call("PUT", f"{path}/completed", words, (made,), shows, edits=path)
        one.day += self._rng.randint(1, 3)  # the next begins on that day: a change of role
        role, one.role = one.role, None
        left = {"left_on": day(one.day)}
        made = fact(stream, "member-left", person_id=one.person, role=role, joined_on=day(one.joined), **left)
        return Call("PUT", f"{path}/left", left, (made,), edits=path)

    def _affiliate(self) -> Call:
        if self._affiliations and self._rng.random() < 0.4:
            person, id, began = self._affiliations.pop(self._rng.randrange(len(self._affiliations)))
            ended = {"ended_on": day(began + self._rng.randint(1, 9))}
            made = fact(f"membership/person.{person}", "affiliation-ended", affiliation_id=id, **ended)
            return Call("PUT", f"/v1/people/{person}/affiliations/{id}/ended", ended, (made,))
        person, id, began = self._rng.choice(self._own), self._new("affiliation"), self._rng.randint(0, 25)
        self._affiliations.append((person, id, began))
        words: dict[str, Any] = {"began_on": day(began), "organisation_id": self._rng.choice(self._world.organisations)}
        words["service"] = self._rng.choice(SERVICES)
        if self._rng.random() < 0.5:
            words["profession"] = self._rng.choice(PROFESSIONS)
        made = fact(f"membership/person.{person}", "affiliation-began", affiliation_id=id, **words)
        return Call("PUT", f"/v1/people/{person}/affiliations/{id}", words, (made,))

    def _identify(self) -> Call:
        if not self._passing:
            return self._belong()
        person = self._passing.pop(self._rng.randrange(len(self._passing)))
        if self._passing and self._rng.random() < 0.7:  # so one may be merged into who is merged later
            return merge(person, self._rng.choice(self._passing), self._rng.randint(0, 30))
        return erase(person, self._rng.randint(0, 30))

    def _convene(self) -> Call:
        decided = [one for one in self._convenings if one.state == "scheduled"]
        if decided and self._rng.random() < 0.6:
            return self._decided(self._rng.choice(decided))
        one = _Convening(self._rng.choice(self._world.communities), self._new("convening"), self._rng.randint(0, 30))
        self._convenings.append(one)
        words = {"title": one.id, "scheduled_on": day(one.day), "called_by_members": self._rng.random() < 0.5}
        return self._about(one, "", words, "convening-scheduled", **words)

    def _decided(self, one: _Convening) -> Call:
        if self._rng.random() < 0.2:
            one.state = "cancelled"
            words = {"cancelled_on": day(one.day)}
            return self._about(one, "/cancelled", words, "convening-cancelled", **words)
        one.state = "held"
        words = {"held_on": day(one.day + 1)}
        return self._about(one, "/held", words, "convening-held", **words)

    def _take_part(self) -> Call:
        open_ones = [one for one in self._convenings if one.state in ("scheduled", "held", "taken")]
        if not open_ones:
            return self._convene()
        one = self._rng.choice(open_ones)
        if one.state == "held" and self._rng.random() < 0.5:
            one.state = "taken"
            return self._about(one, "/attendance", {}, "attendance-taken")
        if one.state == "taken" and (absent := [p for p in self._world.people if p not in one.came]):
            person = self._rng.choice(absent)
            one.came.append(person)
            path = f"/attendance/{person}"
            return self._about(one, path, {"minutes": 60}, "person-attended", person_id=person)
        return self._registration(one)

    def _registration(self, one: _Convening) -> Call:
        standing = [person for person in one.registered if person not in one.withdrawn]
        if standing and self._rng.random() < 0.3:
            person = self._rng.choice(standing)
            one.withdrawn.append(person)
            words = {"withdrawn_on": day(one.day)}
            path = f"/registrations/{person}/withdrawn"
            return self._about(one, path, words, "registration-withdrawn", person_id=person)
        unregistered = [person for person in self._world.people if person not in one.registered]
        if not unregistered:
            return self._respond()
        person = self._rng.choice(unregistered)
        one.registered.append(person)
        words = {"registered_on": day(max(one.day - 3, 0))}
        return self._about(one, f"/registrations/{person}", words, "registration-made", person_id=person)

    def _about(self, one: _Convening, path: str, body: dict[str, Any], type: str, **data: Any) -> Call:
        made = fact(f"convenings/community.{one.community}", type, convening_id=one.id, **data)
        state = "held" if one.state == "taken" else one.state
        address = f"/v1/communities/{one.community}/convenings/{one.id}"
        shows = {"community": one.community, "convening": one.id, "state": state}
        edits = "" if "person_id" in data else address  # who takes part is another thing
        return Call("PUT", f"{address}{path}", body, (made,), shows, edits)

    def _adopt(self) -> Call:
        innovation, organisation = (
            self._rng.choice(self._world.innovations),
            self._rng.choice(self._world.organisations),
        )
        stage, reached = self._rng.choice(STAGES), self._number + self._world.clients * self._rng.randint(0, 30)
        if (innovation, organisation, stage, reached) in self._reached:
            return self._respond()
        self._reached.add((innovation, organisation, stage, reached))
        words = {"stage": stage, "reached_on": day(reached)}
        made = fact(
            f"feedback/innovation.{innovation}", "adoption-stage-reached", organisation_id=organisation, **words
        )
        source = {"kind": "reported", "words": f"client {self._number}"}
        path = f"/v1/innovations/{innovation}/adoption/{organisation}"
        return Call("PUT", path, {**words, "source": source}, (made,))

    def _respond(self) -> Call:
        community = self._rng.choice(self._world.communities)
        form, response = f"{community}-form", "0" + "".join(self._rng.choices(CROCKFORD, k=25))
        answers = {"satisfied": self._rng.choice(SATISFIED), "recommend": str(self._rng.randint(0, 10))}
        body = {"received_on": day(self._rng.randint(1, 30)), "answers": answers, "words": {}}
        if self._rng.random() < 0.3:
            body["words"] = {"more": "More of this"}
        made = fact(f"feedback/community.{community}", "response-received", response_id=response)
        path = f"/v1/communities/{community}/feedback-forms/{form}/responses/{response}"
        return Call("PUT", path, body, (made,), {"community": community, "counts": "responses"})

    def _new(self, kind: str) -> str:
        self._count += 1
        return f"{self._world.name}-{kind}-{self._number}-{self._count}"


def merge(person: str, into: str, on: int) -> Call:
    words = {"into_id": into, "merged_on": day(on)}
    made = fact(f"membership/person.{person}", "person-merged", person_id=person, **words)
    return Call("PUT", f"/v1/people/{person}/merged", words, (made,))


def erase(person: str, on: int) -> Call:
    words = {"erased_on": day(on)}
    made = fact(f"membership/person.{person}", "person-erased", person_id=person, **words)
    return Call("PUT", f"/v1/people/{person}/erased", words, (made,))


def crossing(world: World, number: int, people: Sequence[str]) -> tuple[list[Call], list[Call]]:
    """A convening, and what is then sent at once: these people join and come everywhere, while each is merged into the
    next and the last is erased.
    """
    community = world.communities[number % len(world.communities)]
    convening = f"{world.name}-crossing-{number}"
    path = f"/v1/communities/{community}/convenings/{convening}"
    scheduled = fact(f"convenings/community.{community}", "convening-scheduled", convening_id=convening)
    held = fact(f"convenings/community.{community}", "convening-held", convening_id=convening)
    first = [
        Call("PUT", path, {"title": convening, "scheduled_on": day(1)}, (scheduled,)),
        Call("PUT", f"{path}/held", {"held_on": day(1)}, (held,)),
    ]
    calls = [merge(one, other, 2) for one, other in pairwise(people)] + [erase(one, 3) for one in people[-1:]]
    for person in people:
        came = fact(f"convenings/community.{community}", "person-attended", convening_id=convening, person_id=person)
        calls.append(Call("PUT", f"{path}/attendance/{person}", {}, (came,)))
        for place in world.communities:
            words = {"role": "member", "how": "invited", "joined_on": day(number % 20)}
            joined = fact(f"membership/community.{place}", "member-joined", person_id=person, **words)
            calls.append(Call("PUT", f"/v1/communities/{place}/members/{person}", words, (joined,)))
    return first, calls


def meeting(world: World, number: int, people: Sequence[str]) -> tuple[list[Call], list[Call]]:
    """What is then sent at once: each of these people takes part in a design group of every programme, is registered
    again, and is erased.

    An erasure writes nothing of a programme, and the others nothing of a person: they meet only in being decided.
    """
    calls = [erase(person, 3) for person in people]
    calls += [world.registered(f"{meeting.__name__}-{number}-{one}") for one, _ in enumerate(people)] * AGAIN
    for programme in world.programmes:
        for one, person in enumerate(people):
            group = f"{world.name}-group-{number}-{one}"
            words = {"met_on": day(1), "person_ids": [person], "organisation_ids": [world.organisations[0]]}
            met = fact(f"membership/programme.{programme}", "design-group-met", design_group_id=group, **words)
            calls.append(Call("PUT", f"/v1/programmes/{programme}/design-groups/{group}", words, (met,)))
    return [], calls


def otherwise(body: dict[str, Any]) -> dict[str, Any] | None:
    """The same words but for a day; nothing where they name none."""
    days = [name for name in body if name.endswith("_on")]
    return {**body, days[0]: LAST_DAY} if days else None


def fact(stream: str, type: str, **data: Any) -> Made:
    return {"stream": stream, "type": f"praxis.{type}.v1", "data": data}


def day(number: int) -> str:
    return (date(2024, 1, 1) + timedelta(days=number)).isoformat()
