"""The kinds of files that can be imported, in the order in which they build on each other, and their columns. Pure."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    COMMUNITIES = "communities"
    PEOPLE = "people"
    CONVENINGS = "convenings"
    MEMBERSHIPS = "memberships"
    ATTENDANCES = "attendances"
    ADOPTION = "adoption"
    FEEDBACK = "feedback"


@dataclass(frozen=True)
class Columns:
    """`needed` has groups: of each, at least one column."""

    needed: tuple[tuple[str, ...], ...]
    optional: tuple[str, ...] = ()

    @property
    def known(self) -> frozenset[str]:
        return frozenset(name for group in self.needed for name in group) | frozenset(self.optional)

    def missing(self, found: Collection[str]) -> list[str]:
        return [" or ".join(group) for group in self.needed if not set(group) & set(found)]


_COMMUNITY_WORDS = ("kind", "governance", "founded_on", "programme_id", "host_id", "services")

COLUMNS: dict[Kind, Columns] = {
    Kind.COMMUNITIES: Columns((("community_ref",), ("name",)), ("description", *_COMMUNITY_WORDS)),
    Kind.PEOPLE: Columns(
        (("person_ref",),),
        ("name", "email", "organisation_id", "ods_code", "service", "profession", "affiliated_on"),
    ),
    Kind.CONVENINGS: Columns(
        (("convening_ref",), ("community_ref",), ("title",), ("held_on", "scheduled_on")), ("capacity",)
    ),
    Kind.MEMBERSHIPS: Columns((("community_ref",), ("person_ref",), ("joined_on",)), ("role", "how", "left_on")),
    Kind.ATTENDANCES: Columns((("convening_ref",), ("person_ref",)), ("community_ref", "minutes")),
    Kind.ADOPTION: Columns(
        (("innovation_ref",), ("organisation_id", "ods_code"), ("stage",), ("reached_on",), ("source",)),
        ("innovation", "eligible_from"),
    ),
    Kind.FEEDBACK: Columns((("response_ref",),), ("received_on",)),
}
