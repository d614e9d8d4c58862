"""Organisations: their names have dates, their ids and codes do not change."""

from msgspec.structs import replace

from shared.events.fact import Fact
from shared.events.membership import (
    OrganisationJoinedBoard,
    OrganisationJoinedNetwork,
    OrganisationRegistered,
    OrganisationRenamed,
)
from shared.views.records import Name, OrganisationRecord

FROM_THE_BEGINNING = "0001-01-01"


def evolve(record: OrganisationRecord, fact: Fact) -> OrganisationRecord | None:
    """The organisation after a fact; None if the fact is not about an organisation."""
    match fact:
        case OrganisationRegistered():
            first = Name(name=fact.name, since=FROM_THE_BEGINNING)
            return replace(
                record,
                **fact.model_dump(include={"ods_code", "region", "demonstration_on"}),
                organisation_kind=fact.kind,
                names=_in_order((first, *record.names)),
            )
        case OrganisationRenamed(renamed_on=on, name=name):
            return replace(record, names=_in_order((*record.names, Name(name=name, since=on.last_day))))
        case OrganisationJoinedBoard(joined_on=on) if on.last_day < (record.board_since or FROM_THE_BEGINNING):
            return record  # recorded late: it has come under another since
        case OrganisationJoinedBoard(board_id=board, joined_on=on):
            return replace(record, board_id=board, board_since=on.last_day)
        case OrganisationJoinedNetwork(joined_on=on):
            return replace(record, network_since=on.last_day)
        case _:
            return None


def _in_order(names: tuple[Name, ...]) -> tuple[Name, ...]:
    return tuple(sorted(names, key=lambda name: name.since))
