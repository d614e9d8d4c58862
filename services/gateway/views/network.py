"""The network as a whole."""

from collections.abc import Mapping

from pydantic import BaseModel

from services.gateway.views.people import came_figure
from shared.measures.convenings import ATTENDANCE_UNKNOWN, HELD
from shared.measures.measure import Basis, Figure, Sums
from shared.measures.membership import DISTINCT_MEMBERS, MEMBERS
from shared.measures.participation import ATTENDANCES, DISTINCT_PARTICIPANTS


class NetworkView(BaseModel):
    as_at: str
    incomplete: bool
    demonstration_on: str | None
    communities: int
    figures: list[Figure]


def network_view(members: int, participants: int, sums: Mapping[str, Sums], basis: Basis) -> NetworkView:
    """`members` and `participants` are distinct people; `sums` are by community."""
    unknown = sum(of_one.whole(ATTENDANCE_UNKNOWN) for of_one in sums.values())
    held = sum(of_one.whole(HELD) for of_one in sums.values())
    attendances = sum(of_one.whole(ATTENDANCES) for of_one in sums.values())
    memberships = sum(of_one.whole(MEMBERS) for of_one in sums.values())
    return NetworkView(
        as_at=basis.as_at,
        incomplete=basis.incomplete,
        demonstration_on=basis.demonstration_on,
        communities=len(sums),
        figures=[
            basis.figure(DISTINCT_MEMBERS, members, notes=[f"{memberships} memberships in {len(sums)} communities"]),
            came_figure(DISTINCT_PARTICIPANTS, basis, participants, held - unknown, unknown),
            basis.figure(HELD, held),
            came_figure(ATTENDANCES, basis, attendances, held - unknown, unknown),
        ],
    )
