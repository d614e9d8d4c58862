"""Organisations: registered once, by ODS code where their kind has one; what changes about them has dates. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, ClassVar, TypeVar, assert_never

from pydantic import StringConstraints

from services.membership.domain.ods import Listed, OdsList
from shared.events.fact import Fact, Stream
from shared.events.membership import (
    OrganisationFact,
    OrganisationJoinedBoard,
    OrganisationJoinedNetwork,
    OrganisationKind,
    OrganisationRegistered,
    OrganisationRenamed,
)
from shared.events.words import CoarseDate, Day, OrganisationId, Title
from shared.refusals import Conflict, Invalid, UnknownReference
from shared.writing.decider import Command, Decider, State
from shared.writing.otherwise import require_same

OdsCode = Annotated[str, StringConstraints(strip_whitespace=True, to_upper=True, pattern=r"^[A-Za-z0-9]{2,10}$")]

CODED = (
    OrganisationKind.TRUST,
    OrganisationKind.INTEGRATED_CARE_BOARD,
    OrganisationKind.GENERAL_PRACTICE,
)
"""The kinds whose key is an ODS code."""


F = TypeVar("F", bound=Fact)


class Register(Command):
    """`name` may be left out where the code gives it."""

    kind: OrganisationKind
    name: Title | None = None
    ods_code: OdsCode | None = None
    region: Title | None = None
    demonstration_on: Day | None = None


class Rename(Command):
    name: Title
    renamed_on: CoarseDate


class JoinBoard(Command):
    board_id: OrganisationId
    joined_on: CoarseDate


class JoinNetwork(Command):
    joined_on: CoarseDate


OrganisationCommand = Register | Rename | JoinBoard | JoinNetwork


class Organisation(State):
    collection: ClassVar[str] = "organisations"

    registered: OrganisationRegistered | None = None
    names: tuple[OrganisationRenamed, ...] = ()
    boards: tuple[OrganisationJoinedBoard, ...] = ()
    network: OrganisationJoinedNetwork | None = None

    def stream(self) -> Stream:
        return Stream("membership", "organisation", self.key)


class CodeHolder(State):
    """Whose an ODS code is."""

    collection: ClassVar[str] = "ods_codes"

    organisation_id: OrganisationId | None = None


@dataclass(frozen=True)
class Situation:
    organisation: Organisation
    code: CodeHolder | None = None
    board: Organisation | None = None


class UnknownOrganisation(UnknownReference):
    def __init__(self, organisation: str, field: str) -> None:
        super().__init__(f"No organisation '{organisation}' is registered here: register it first", field=field)


class CodeNeeded(Invalid):
    field = "ods_code"

    def __init__(self, kind: OrganisationKind) -> None:
        super().__init__(f"ods_code is missing: organisations of kind '{kind.value}' are known by theirs")


class CodeNotTaken(Invalid):
    field = "ods_code"

    def __init__(self, kind: OrganisationKind, code: str) -> None:
        coded = ", ".join(kind.value for kind in CODED)
        super().__init__(
            f"ods_code '{code}' is not taken for kind '{kind.value}': leave it out; those with a code are {coded}"
        )


class NameNeeded(Invalid):
    field = "name"

    def __init__(self) -> None:
        super().__init__("name is missing: it may be left out only where an ODS code gives it")


class UnknownCode(Invalid):
    """A code that is in nobody's reference list, with the nearest that are."""

    field = "ods_code"

    def __init__(self, code: str, nearest: Sequence[Listed]) -> None:
        offered = " or ".join(f"{one.code} ({one.name})" for one in nearest)
        remedy = f"did you mean {offered}?" if nearest else "none in the list is like it"
        super().__init__(
            f"ods_code '{code}' is not in the ODS reference list: {remedy}",
            nearest=[one._asdict() for one in nearest],
        )


class CodeTaken(Conflict):
    field = "ods_code"

    def __init__(self, code: str, holder: str) -> None:
        super().__init__(
            f"ods_code '{code}' belongs to organisation '{holder}': a code belongs to one organisation, use that one",
            organisation_id=holder,
        )


class NotABoard(Conflict):
    field = "board_id"

    def __init__(self, board: str, kind: OrganisationKind) -> None:
        super().__init__(f"board_id '{board}' is of kind '{kind.value}': name an integrated-care-board")


def require_registered(organisation: Organisation, field: str) -> OrganisationRegistered:
    """
    Raises:
        UnknownOrganisation: nobody has registered it; `field` named it.
    """
    if organisation.registered is None:
        raise UnknownOrganisation(organisation.key, field)
    return organisation.registered


def decide(ods: OdsList, command: OrganisationCommand, situation: Situation) -> Sequence[OrganisationFact]:
    organisation = situation.organisation
    match command:
        case Register():
            return _register(ods, command, organisation, situation.code)
        case Rename(name=name, renamed_on=on):
            require_registered(organisation, "organisation")
            renamed = OrganisationRenamed(renamed_on=on, name=name)
            return _unless_on_record(
                f"Another name of '{organisation.key}' from that day on", renamed, organisation.names
            )
        case JoinBoard(board_id=board_id, joined_on=on):
            require_registered(organisation, "organisation")
            _require_board(situation.board, board_id)
            joined_board = OrganisationJoinedBoard(board_id=board_id, joined_on=on)
            return _unless_on_record(
                f"The board of '{organisation.key}' from that day on", joined_board, organisation.boards
            )
        case JoinNetwork(joined_on=on):
            require_registered(organisation, "organisation")
            joined = OrganisationJoinedNetwork(joined_on=on)
            if organisation.network is None:
                return [joined]
            require_same(f"That '{organisation.key}' joined the network", organisation.network, joined)
            return []
        case _:
            assert_never(command)


def _register(
    ods: OdsList, command: Register, organisation: Organisation, holder: CodeHolder | None
) -> Sequence[OrganisationFact]:
    code, on_record = command.ods_code, organisation.registered
    if command.kind in CODED and code is None:
        raise CodeNeeded(command.kind)
    if command.kind not in CODED and code is not None:
        raise CodeNotTaken(command.kind, code)
    name = command.name
    if code is not None:
        listed = ods.get(code)
        if listed is None:
            raise UnknownCode(code, ods.nearest(code, name))
        # its name may have changed in the list since it was registered
        name = name or (on_record.name if on_record and on_record.ods_code == code else listed.name)
    if name is None:
        raise NameNeeded
    registered = OrganisationRegistered(
        kind=command.kind,
        name=name,
        ods_code=code,
        region=command.region,
        demonstration_on=command.demonstration_on,
    )
    if on_record is not None:
        require_same(f"Organisation '{organisation.key}'", on_record, registered)
        return []
    if code is not None and holder is not None and holder.organisation_id is not None:
        raise CodeTaken(code, holder.organisation_id)
    return [registered]


def _require_board(board: Organisation | None, board_id: str) -> None:
    if board is None or board.registered is None:
        raise UnknownOrganisation(board_id, "board_id")
    if board.registered.kind is not OrganisationKind.INTEGRATED_CARE_BOARD:
        raise NotABoard(board_id, board.registered.kind)


def _unless_on_record(thing: str, new: F, on_record: Sequence[F]) -> Sequence[F]:
    """The new fact, unless it is on record; two of a kind cannot hold from one day on."""
    for old in on_record:
        if _day(old) == _day(new):
            require_same(thing, old, new)
            return []
    return [new]


def _day(fact: Fact) -> str | None:
    on = fact.happened_on()
    return on and on.last_day


def evolve(situation: Situation, change: OrganisationFact) -> Situation:
    organisation = situation.organisation
    changes: dict[str, object]
    match change:
        case OrganisationRegistered(ods_code=code):
            holder = CodeHolder(key=code, organisation_id=organisation.key) if code else None
            situation, changes = replace(situation, code=holder), {"registered": change}
        case OrganisationRenamed():
            changes = {"names": (*organisation.names, change)}
        case OrganisationJoinedBoard():
            changes = {"boards": (*organisation.boards, change)}
        case OrganisationJoinedNetwork():
            changes = {"network": change}
        case _:
            assert_never(change)
    return replace(situation, organisation=organisation.model_copy(update=changes))


def _situation(organisation: str, code: str | None = None, board: str | None = None) -> Situation:
    return Situation(
        Organisation(key=organisation),
        CodeHolder(key=code) if code else None,
        Organisation(key=board) if board else None,
    )


def organisations(ods: OdsList) -> Decider[OrganisationCommand, Situation]:
    """The rules, by this list. Key: organisation, ODS code, board; the last two where a command names them."""
    return Decider(
        stream=lambda organisation, *_: Organisation(key=organisation).stream(),
        initial=_situation,
        decide=partial(decide, ods),
        evolve=evolve,
    )
