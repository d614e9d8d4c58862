"""The few figures of a community that every contender of `bench streams` folds, as a projection for the exact sink.

As the facts stand: members by role and by organisation (who joined and has not left; where they are affiliated),
attendances, and distinct people who came. A document per participation and one per community, nothing else. A fact that
is late within its stream is folded where it comes: that the records of the product can do better is not measured here.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

from pymongo import InsertOne, ReplaceOne
from pymongo.errors import CollectionInvalid

from services.metrics import dead_letters
from services.metrics.settings import Settings
from shared.events.convenings import PersonAttended
from shared.events.fact import SOURCE_TOPICS, Recorded
from shared.events.membership import AffiliationBegan, AffiliationEnded, MemberJoined, MemberLeft
from shared.mongo import Client, Database, Document
from shared.reading.sink import Sink, Unit
from shared.views.builds import FIRST

PARTICIPATIONS, COMMUNITIES = "participations", "communities"

ParticipationFact = AffiliationBegan | AffiliationEnded | MemberJoined | MemberLeft | PersonAttended


class Participation(NamedTuple):
    """One person in one community, as far as the figures need it."""

    role: str | None = None
    affiliations: tuple[tuple[str, str], ...] = ()
    """Those that have not ended, with the organisation."""
    attended: int = 0

    @classmethod
    def restored(cls, document: Document) -> Self:
        return cls(document["role"], tuple(document["affiliations"].items()), document["attended"])

    def document(self, id: str, partition: int) -> Document:
        return {
            "_id": id,
            "partition": partition,
            "role": self.role,
            "affiliations": dict(self.affiliations),
            "attended": self.attended,
        }

    def evolved(self, fact: ParticipationFact) -> "Participation":
        role, affiliations, attended = self
        match fact:
            case PersonAttended():
                return Participation(role, affiliations, attended + 1)
            case AffiliationBegan(affiliation_id=id, organisation_id=str(organisation)):
                others = tuple(other for other in affiliations if other[0] != id)
                return Participation(role, (*others, (id, organisation)), attended)
            case MemberJoined():
                return Participation(fact.role.value, affiliations, attended)
            case MemberLeft():
                return Participation(None, affiliations, attended)
            case AffiliationEnded(affiliation_id=id):
                return Participation(role, tuple(other for other in affiliations if other[0] != id), attended)
            case _:  # of no organisation
                return self


@dataclass
class Community:
    """The figures of one community."""

    by_role: dict[str, int] = field(default_factory=dict)
    by_organisation: dict[str, int] = field(default_factory=dict)
    attendances: int = 0
    participants: int = 0

    @classmethod
    def restored(cls, document: Document) -> Self:
        return cls(
            dict(document["by_role"]),
            dict(document["by_organisation"]),
            document["attendances"],
            document["participants"],
        )

    def document(self, id: str, partition: int) -> Document:
        return {"_id": id, "partition": partition, **vars(self)}

    def copied(self) -> "Community":
        return Community(dict(self.by_role), dict(self.by_organisation), self.attendances, self.participants)

    def change(self, before: Participation, after: Participation) -> None:
        self.attendances += after.attended - before.attended
        self.participants += (after.attended > 0) - (before.attended > 0)
        if before[:2] != after[:2]:
            self._count(before, -1)
            self._count(after, 1)

    def _count(self, participation: Participation, by: int) -> None:
        role = participation.role
        if role is None:
            return
        self.by_role[role] = self.by_role.get(role, 0) + by
        for organisation in {organisation for _, organisation in participation.affiliations}:
            self.by_organisation[organisation] = self.by_organisation.get(organisation, 0) + by


class Figures:
    """The projection."""

    async def project(self, unit: Unit, facts: Sequence[Recorded]) -> None:
        about = defaultdict[tuple[str, str], list[ParticipationFact]](list)
        for recorded in facts:
            fact = recorded.fact
            if isinstance(fact, ParticipationFact):
                about[recorded.stream.id, fact.person_id].append(fact)
        if not about:
            return
        ids = {place: f"{place[0]}|{place[1]}" for place in about}
        earlier = await unit.load(PARTICIPATIONS, ids.values(), Participation.restored)
        known = await unit.load(COMMUNITIES, {community for community, _ in about}, Community.restored)
        communities: dict[str, Community] = {}
        participations: dict[str, Participation] = {}
        for place, news in about.items():
            community, id = place[0], ids[place]
            figures = communities.get(community)
            if figures is None:  # a copy: what is cached is changed only by a commit
                there = known.get(community)
                figures = communities[community] = there.copied() if there else Community()
            before = after = earlier.get(id) or Participation()
            for fact in news:
                after = after.evolved(fact)
            figures.change(before, after)
            participations[id] = after
        await _write(unit, PARTICIPATIONS, participations, earlier)
        await _write(unit, COMMUNITIES, communities, known)


async def _write(unit: Unit, collection: str, values: dict[str, Any], known: dict[str, Any]) -> None:
    number = unit.partition.number
    writes: list[InsertOne[Document] | ReplaceOne[Document]] = []
    for id, value in values.items():
        document = value.document(id, number)
        writes.append(ReplaceOne({"_id": id}, document) if id in known else InsertOne(document))
    await unit.db[collection].bulk_write(writes, ordered=False, session=unit.session)
    unit.keep(collection, values)


async def prepare(db: Database) -> None:
    for name in (PARTICIPATIONS, COMMUNITIES, FIRST.heads, FIRST.partitions):
        try:
            await db.create_collection(name)  # a transaction cannot always do it
        except CollectionInvalid:
            continue  # another process has
    await dead_letters.prepare(db)


def sink(settings: Settings, client: Client, db: Database) -> Sink:
    """The sink as the metrics processor has it, but for the projection, on a database that is prepared."""
    return Sink(
        client,
        db,
        SOURCE_TOPICS,
        Figures(),
        dead_letters.bury,
        heads=FIRST.heads,
        partitions=FIRST.partitions,
        cached=settings.most_cached,
        spread_over=settings.partitions,
    )
