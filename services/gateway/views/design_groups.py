"""Design groups and what they decided, as views show them."""

from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict

from shared.views.records import DesignGroup


class DomainView(BaseModel):
    """What a community was decided to be about, from this day on."""

    model_config = ConfigDict(from_attributes=True)

    community_id: str
    domain: str
    decided_on: str
    decided_stated: str


class DesignGroupView(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    design_group_id: str
    met_on: str | None
    met_stated: str | None
    person_ids: tuple[str, ...]
    organisation_ids: tuple[str, ...]
    domains: tuple[DomainView, ...]


def domain_of(community_id: str, groups: Iterable[DesignGroup], as_at: str) -> DomainView | None:
    """What the community was last decided to be about, by a day."""
    decided = [d for group in groups for d in group.domains if d.community_id == community_id and d.decided_on <= as_at]
    last = max(decided, key=lambda domain: domain.decided_on, default=None)
    return None if last is None else DomainView.model_validate(last)


def met_by(groups: Iterable[DesignGroup], as_at: str) -> list[DesignGroupView]:
    """Those that had met by a day."""
    return [DesignGroupView.model_validate(g) for g in groups if g.met_on is not None and g.met_on <= as_at]
