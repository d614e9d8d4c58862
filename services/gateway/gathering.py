"""Gathers from one snapshot what a view is made from."""

from services.gateway.holdings import Holdings
from services.gateway.views.achievements import AchievementHoldings
from services.gateway.views.community import CommunityHoldings
from services.gateway.views.innovation import InnovationHoldings
from services.gateway.views.network import NetworkView, network_view
from services.gateway.views.organisation import OrganisationHoldings
from services.gateway.views.programme import ProgrammeHoldings
from shared.events.membership import CommunityKind
from shared.events.words import latest
from shared.measures.measure import Basis
from shared.refusals import NotFound
from shared.views.builds import scope_of
from shared.views.records import (
    AdoptionRecord,
    CommunityRecord,
    ConveningRecord,
    FormRecord,
    InnovationRecord,
    OrganisationRecord,
    ProgrammeRecord,
)


class NotOnRecord(NotFound):
    def __init__(self, kind: str, id: str) -> None:
        detail = f"No {kind} '{id}' is on record. If you have just written it, send its position as Praxis-After"
        super().__init__(detail, field=kind)


class Gathering:
    """What one request's views are made from, as at a day."""

    def __init__(self, holdings: Holdings, as_at: str) -> None:
        self._holdings, self.as_at = holdings, as_at

    async def _basis(self, scopes: list[str], demonstration_on: str | None) -> Basis:
        return Basis(self.as_at, await self._holdings.is_incomplete(scopes), demonstration_on)

    async def community(self, id: str) -> tuple[CommunityHoldings, Basis]:
        community = await self._holdings.record(CommunityRecord, id)
        if community is None:
            raise NotOnRecord("community", id)
        return await self._community(community)

    async def _community(self, community: CommunityRecord) -> tuple[CommunityHoldings, Basis]:
        scope = scope_of("community", community.community_id)
        programme = None
        if community.programme_id is not None:
            programme = await self._holdings.record(ProgrammeRecord, community.programme_id)
        held = CommunityHoldings(
            community=community,
            programme=programme,
            convenings=await self._holdings.records(ConveningRecord, [scope]),
            came=await self._holdings.participations([scope], first_attended_on={"$gt": ""}),
            forms=await self._holdings.records(FormRecord, [scope]),
            sums=(await self._holdings.sums([scope], self.as_at))[scope],
        )
        return held, await self._basis([scope], community.demonstration_on)

    async def programme(self, id: str) -> tuple[ProgrammeHoldings, Basis]:
        programme = await self._holdings.record(ProgrammeRecord, id)
        if programme is None:
            raise NotOnRecord("programme", id)
        return await self._programme(programme)

    async def _programme(self, programme: ProgrammeRecord) -> tuple[ProgrammeHoldings, Basis]:
        communities = await self._holdings.records(CommunityRecord, programme_id=programme.programme_id)
        scopes = {scope_of("community", c.community_id): c.community_id for c in communities}
        sums = await self._holdings.sums(list(scopes), self.as_at)
        held = ProgrammeHoldings(
            programme=programme,
            communities=communities,
            convenings=await self._holdings.records(ConveningRecord, scopes),
            participations=await self._holdings.participations(scopes),
            sums={scopes[scope]: of_one for scope, of_one in sums.items()},
            followed_by=await self._holdings.records(ProgrammeRecord, follows=programme.programme_id),
        )
        own = scope_of("programme", programme.programme_id)
        marks = [programme.demonstration_on, *(community.demonstration_on for community in communities)]
        return held, await self._basis([own, *scopes], latest(marks))

    async def organisation(self, id: str) -> tuple[OrganisationHoldings, Basis]:
        organisation = await self._holdings.record(OrganisationRecord, id)
        if organisation is None:
            raise NotOnRecord("organisation", id)
        participations = await self._holdings.participations(affiliations__organisation_id=id)
        adoptions = await self._holdings.records(AdoptionRecord, organisation_id=id)
        communities = await self._holdings.by_id(CommunityRecord, {p.community_id for p in participations})
        innovations = await self._holdings.by_id(InnovationRecord, {a.innovation_id for a in adoptions})
        held = OrganisationHoldings(organisation, participations, communities, adoptions, innovations)
        scopes = [scope_of("organisation", id), *(scope_of("community", c) for c in communities)]
        scopes += [scope_of("innovation", innovation) for innovation in innovations]
        marks = [organisation.demonstration_on, *(community.demonstration_on for community in communities.values())]
        marks += [innovation.demonstration_on for innovation in innovations.values()]
        return held, await self._basis(scopes, latest(marks))

    async def innovation(self, id: str) -> tuple[InnovationHoldings, Basis]:
        innovation = await self._holdings.record(InnovationRecord, id)
        if innovation is None:
            raise NotOnRecord("innovation", id)
        return await self._innovation(innovation)

    async def _innovation(self, innovation: InnovationRecord) -> tuple[InnovationHoldings, Basis]:
        scope = scope_of("innovation", innovation.innovation_id)
        adoptions = await self._holdings.records(AdoptionRecord, [scope])
        ids = {adoption.organisation_id for adoption in adoptions}
        organisations = await self._holdings.by_id(OrganisationRecord, ids)
        sums = (await self._holdings.sums([scope], self.as_at))[scope]
        held = InnovationHoldings(innovation, adoptions, organisations, sums)
        return held, await self._basis([scope], innovation.demonstration_on)

    async def achievements(self) -> AchievementHoldings:
        programmes = {
            record.programme_id: await self._programme(record)
            for record in await self._holdings.records(ProgrammeRecord)
        }
        cohorts = []
        for community in await self._holdings.records(CommunityRecord, community_kind=CommunityKind.COHORT.value):
            held, basis = await self._community(community)
            programme = programmes.get(community.programme_id or "")
            cohorts.append((held, programme[0] if programme else None, basis))
        innovations = [await self._innovation(one) for one in await self._holdings.records(InnovationRecord)]
        organisations = {o.organisation_id: o for o in await self._holdings.records(OrganisationRecord)}
        return AchievementHoldings(list(programmes.values()), cohorts, innovations, organisations)

    async def network(self) -> NetworkView:
        communities = await self._holdings.records(CommunityRecord)
        scopes = [scope_of("community", community.community_id) for community in communities]
        left = [{"left_on": None}, {"left_on": {"$gt": self.as_at}}]
        belongs = {"value.memberships": {"$elemMatch": {"joined_on": {"$lte": self.as_at}, "$or": left}}}
        members = await self._holdings.distinct_people(belongs)
        participants = await self._holdings.distinct_people({"value.first_attended_on": {"$lte": self.as_at}})
        basis = await self._basis(scopes, latest([community.demonstration_on for community in communities]))
        return network_view(members, participants, await self._holdings.sums(scopes, self.as_at), basis)
