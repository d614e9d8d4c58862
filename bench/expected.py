"""What the figures must be: counted from the history itself, by other means than any contender's, and read back."""

from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from bench.figures import COMMUNITIES
from shared.events.convenings import PersonAttended
from shared.events.fact import Fact, Stream
from shared.events.membership import AffiliationBegan, AffiliationEnded, MemberJoined, MemberLeft
from shared.mongo import Database, Document
from shared.views.builds import FIRST

Figures = dict[str, int]
"""The figures of one community that are not zero: `role member`, `organisation organisation-7`, `attendances` …"""
ByCommunity = dict[str, Figures]


class WrongFigures(Exception):
    """A contender is quick and wrong: the bench has failed."""

    def __init__(self, contender: str, found: ByCommunity, expected: ByCommunity) -> None:
        wrong = [name for name in sorted(found.keys() | expected.keys()) if found.get(name) != expected.get(name)]
        one = wrong[0]
        differences = dict(expected.get(one, {}).items() ^ found.get(one, {}).items())
        super().__init__(f"{contender}: {len(wrong)} communities are not as expected, the first {one}: {differences}")


class Expected:
    """Sets of people, filled while the history goes by, counted at its end."""

    def __init__(self) -> None:
        self._members = defaultdict[str, dict[str, str]](dict)
        self._organisations = defaultdict[tuple[str, str], dict[str, str]](dict)
        self._attendances = defaultdict[str, Counter[str]](Counter)

    def note(self, stream: Stream, fact: Fact) -> None:
        match fact:
            case MemberJoined():
                self._members[stream.id][fact.person_id] = fact.role.value
            case MemberLeft():
                self._members[stream.id].pop(fact.person_id, None)
            case AffiliationBegan() if fact.organisation_id:
                self._organisations[stream.id, fact.person_id][fact.affiliation_id] = fact.organisation_id
            case AffiliationEnded():
                self._organisations[stream.id, fact.person_id].pop(fact.affiliation_id, None)
            case PersonAttended():
                self._attendances[stream.id][fact.person_id] += 1
            case _:
                pass

    def figures(self) -> ByCommunity:
        return {
            community: _figures(
                self._members[community].values(),
                (
                    organisation
                    for person in self._members[community]
                    for organisation in set(self._organisations[community, person].values())
                ),
                self._attendances[community].total(),
                len(self._attendances[community]),
            )
            for community in self._members.keys() | self._attendances.keys()
        }


Read = Callable[[Database], Coroutine[Any, Any, ByCommunity]]


async def of_communities(db: Database) -> ByCommunity:
    """As contenders keep them: a document a community."""
    found = {}
    async for document in db[COMMUNITIES].find():
        counts = {f"role {role}": count for role, count in document["by_role"].items()}
        counts |= {f"organisation {id}": count for id, count in document["by_organisation"].items()}
        counts |= {name: document[name] for name in ("attendances", "participants")}
        found[document["_id"]] = {name: count for name, count in counts.items() if count}
    return found


async def of_records(db: Database) -> ByCommunity:
    """From the records that the metrics processor keeps."""
    people = defaultdict[str, list[Document]](list)
    async for document in db[FIRST.records].find({"kind": "participation"}, {"scope": 1, "value": 1}):
        people[document["scope"].removeprefix("community.")].append(document["value"])
    return {
        community: _figures(
            (role for value in values for role in _roles(value)),
            (organisation for value in values if any(_roles(value)) for organisation in _organisations(value)),
            sum(len(value.get("attended", ())) for value in values),
            sum(1 for value in values if value.get("attended")),
        )
        for community, values in people.items()
    }


def _roles(participation: Document) -> list[str]:
    return [one["role"] for one in participation.get("memberships", ()) if one.get("left_on") is None]


def _organisations(participation: Document) -> set[str]:
    affiliations = participation.get("affiliations", ())
    return {one["organisation_id"] for one in affiliations if one.get("ended_on") is None}


def _figures(roles: Iterable[str], organisations: Iterable[str], attendances: int, participants: int) -> Figures:
    counts = Counter(f"role {role}" for role in roles)
    counts.update(f"organisation {organisation}" for organisation in organisations)
    counts.update(attendances=attendances, participants=participants)
    return {name: count for name, count in counts.items() if count}
