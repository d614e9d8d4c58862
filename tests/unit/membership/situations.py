"""What the membership service has on record, with defaults, for rules to be decided from."""

from services.membership.domain.communities import Community
from services.membership.domain.organisations import Organisation
from services.membership.domain.people import Affiliation, Person
from services.membership.domain.programmes import Programme
from shared.events.membership import AffiliationBegan, AffiliationEnded, CommunityKind, OrganisationRegistered
from tests.builders import ANNA, community_closed, community_founded, organisation_registered, programme_commissioned

REHABILITATION = "rehabilitation"


def an_organisation(key: str = "university", registered: OrganisationRegistered | None = None) -> Organisation:
    return Organisation(key=key, version=1, registered=registered or organisation_registered())


def a_programme(key: str = "cancer", commissioned_on: str = "2019-01") -> Programme:
    return Programme(key=key, version=1, commissioned=programme_commissioned(commissioned_on=commissioned_on))


def a_community(
    key: str = REHABILITATION,
    *,
    kind: CommunityKind = CommunityKind.PRACTICE,
    founded_on: str | None = "2019-01",
    closed_on: str | None = None,
) -> Community:
    founded = community_founded(kind=kind, founded_on=founded_on)
    return Community(
        key=key, version=1, founded=founded, closed=community_closed(closed_on) if closed_on is not None else None
    )


def a_person(
    key: str = ANNA,
    *affiliations: tuple[AffiliationBegan, AffiliationEnded | None],
    communities: tuple[str, ...] = (),
) -> Person:
    held = tuple(Affiliation(began=began, ended=ended) for began, ended in affiliations)
    return Person(key=key, version=1, registered=True, affiliations=held, communities=communities)
