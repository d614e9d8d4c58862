"""Programmes, and the design groups of programmes and communities."""

from typing import Any, assert_never

from msgspec.structs import replace

from shared.events.fact import Fact
from shared.events.membership import DesignGroupMet, DomainsDecided, ProgrammeCommissioned, ProgrammeFollowed
from shared.views.records import DesignGroup, Domain, ProgrammeRecord


def evolve(record: ProgrammeRecord, fact: Fact) -> ProgrammeRecord | None:
    """The programme after a fact; None if the fact is not about a programme."""
    match fact:
        case ProgrammeCommissioned():
            return replace(
                record,
                **fact.model_dump(include={"title", "commissioned_by", "commissioned_from", "communities"}),
                **fact.model_dump(include={"convenings_each", "within_months", "source", "demonstration_on"}),
                commissioned_on=fact.commissioned_on.last_day,
                commissioned_stated=str(fact.commissioned_on),
                begins_on=fact.begins_on and fact.begins_on.last_day,
                begins_stated=fact.begins_on and str(fact.begins_on),
            )
        case ProgrammeFollowed(earlier_programme_id=earlier, stated_reason=reason):
            return replace(record, follows=earlier, stated_reason=reason)
        case DesignGroupMet() | DomainsDecided():
            return replace(record, design_groups=with_group(record.design_groups, fact))
        case _:
            return None


def with_group(groups: tuple[DesignGroup, ...], fact: DesignGroupMet | DomainsDecided) -> tuple[DesignGroup, ...]:
    """The design groups after one met or decided, in order of their ids."""
    by_id = {group.design_group_id: group for group in groups}
    group = by_id.get(fact.design_group_id, DesignGroup(design_group_id=fact.design_group_id))
    changes: dict[str, Any]
    match fact:
        case DesignGroupMet():
            changes = {
                "met_on": fact.met_on.last_day,
                "met_stated": str(fact.met_on),
                "person_ids": fact.person_ids,
                "organisation_ids": fact.organisation_ids,
            }
        case DomainsDecided(decided_on=on, domains=domains):
            decided = tuple(
                Domain(community_id=d.community_id, domain=d.domain, decided_on=on.last_day, decided_stated=str(on))
                for d in domains
            )
            changes = {"domains": (*group.domains, *decided)}
        case _:
            assert_never(fact)
    by_id[fact.design_group_id] = replace(group, **changes)
    return tuple(by_id[id] for id in sorted(by_id))
