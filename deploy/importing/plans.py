"""What a row becomes: who has to be known, and which commands follow. Pure: no I/O, no clock."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from deploy.client import Command
from deploy.importing.dates import DateOrder, read_date
from deploy.importing.failures import RowRefused
from deploy.importing.files import Row
from deploy.importing.kinds import Kind
from shared.events.feedback import SourceKind
from shared.events.membership import CommunityKind, Governance, Role
from shared.events.words import CoarseDate, slug

PERSON = "{person}"
"""Stands in a path for the id that the server gave to the plan's person."""


@dataclass(frozen=True)
class Person:
    """Somebody by their source's own key; a name and an e-mail where the source has them."""

    ref: str
    name: str | None = None
    email: str | None = None


@dataclass(frozen=True)
class Plan:
    """One row's commands, sent one after the other."""

    commands: tuple[Command, ...]
    person: Person | None = None
    """Registered first, by reference."""
    community: str | None = None
    """The reference of the community that it is about."""
    founds: Command | None = None
    """Founds its community where that is not on record."""
    convening: str | None = None
    makes: bool = False
    """Whether it makes the thing that it is about: what builds on it waits for it, and falls with it."""


@dataclass(frozen=True)
class Context:
    """What a row cannot say of itself."""

    source: str
    dates: DateOrder | None = None
    community_of: Callable[[str], str | None] = lambda convening: None
    """convening_ref -> community_ref, from the convenings read so far."""


def plan(kind: Kind, row: Row, context: Context) -> Plan:
    """
    Raises:
        RowRefused: it lacks something, or has a date that is none.
    """
    return _PLANS[kind](row, context)


def found(ref: str, name: str | None, source: str, **words: Any) -> Command:
    """Found a community as its source calls it; what the source does not say is said to be not stated."""
    body = {
        "title": name or ref,
        "kind": CommunityKind.PRACTICE,
        "governance": Governance.NOT_STATED,
        "reference": {"source": source, "ref": ref},
        **{word: value for word, value in words.items() if value is not None},
    }
    return Command("PUT", f"/v1/communities/{derived('community_ref', ref)}", body)


def convene(
    community: str, ref: str, title: str, scheduled_on: str, held_on: str | None, source: str, **words: Any
) -> tuple[Command, ...]:
    """Schedule a convening and, where it took place, hold it. Its attendance stays unknown."""
    path = f"/v1/communities/{derived('community_ref', community)}/convenings/{derived('convening_ref', ref)}"
    scheduled = {"title": title, "scheduled_on": scheduled_on, "reference": {"source": source, "ref": ref}, **words}
    held = (Command("PUT", f"{path}/held", {"held_on": held_on}),) if held_on else ()
    return (Command("PUT", path, scheduled), *held)


def derived(column: str, ref: str) -> str:
    """The id that a source's own key is given."""
    if made := slug(ref):
        return made
    raise RowRefused(column, f"'{ref}' has neither letters nor digits to make an id of")


def _community(row: Row, context: Context) -> Plan:
    ref = row.need("community_ref")
    words: dict[str, Any] = {
        column: row.get(column) for column in ("description", "programme_id", "host_id", "kind", "governance")
    }
    words["founded_on"] = _date(row, context, "founded_on")
    words["services"] = _several(row.get("services"))
    command = found(ref, row.get("name"), context.source, **words)
    return Plan((command,), community=ref, makes=True)


def _person(row: Row, context: Context) -> Plan:
    person = Person(row.need("person_ref"), row.get("name"), row.get("email"))
    affiliation: dict[str, Any] = {
        "organisation_id": _organisation(row),
        "service": row.get("service"),
        "profession": row.get("profession"),
    }
    affiliation = {word: value for word, value in affiliation.items() if value is not None}
    if not affiliation:
        return Plan((), person=person)
    began_on = _date(row, context, "affiliated_on")
    if began_on is None:
        raise RowRefused("affiliated_on", "it is empty: since when they belong there has to be said, be it by year")
    affiliation_id = derived("profession", "-".join((began_on, *affiliation.values())))
    path = f"/v1/people/{PERSON}/affiliations/{affiliation_id}"
    return Plan((Command("PUT", path, {**affiliation, "began_on": began_on}),), person=person)


def _membership(row: Row, context: Context) -> Plan:
    community = row.need("community_ref")
    body: dict[str, Any] = {
        "role": row.get("role") or Role.MEMBER,
        "joined_on": _needed_date(row, context, "joined_on"),
    }
    if (how := row.get("how")) is not None:  # the server takes it as not stated, and does not hold that against others
        body["how"] = how
    if (left_on := _date(row, context, "left_on")) is not None:
        body["left_on"] = left_on
    path = f"/v1/communities/{derived('community_ref', community)}/members/{PERSON}"
    return Plan((Command("PUT", path, body),), person=Person(row.need("person_ref")), community=community)


def _convening(row: Row, context: Context) -> Plan:
    ref, community = row.need("convening_ref"), row.need("community_ref")
    held_on = _date(row, context, "held_on")
    scheduled_on = _date(row, context, "scheduled_on") or held_on or row.need("held_on", "scheduled_on")
    words = {} if (capacity := _number(row, "capacity")) is None else {"capacity": capacity}
    commands = convene(community, ref, row.need("title"), scheduled_on, held_on, context.source, **words)
    founds = found(community, None, context.source)
    return Plan(commands, community=community, founds=founds, convening=ref, makes=True)


def _attendance(row: Row, context: Context) -> Plan:
    convening = row.need("convening_ref")
    community = row.get("community_ref") or context.community_of(convening)
    if community is None:
        raise RowRefused("convening_ref", f"'{convening}' is not among the convenings of this import")
    path = f"/v1/communities/{derived('community_ref', community)}/convenings/{derived('convening_ref', convening)}"
    body = {} if (minutes := _number(row, "minutes")) is None else {"minutes": minutes}
    command = Command("PUT", f"{path}/attendance/{PERSON}", body)
    return Plan((command,), person=Person(row.need("person_ref")), community=community, convening=convening)


def _adoption(row: Row, context: Context) -> Plan:
    innovation = f"/v1/innovations/{derived('innovation_ref', row.need('innovation_ref'))}"
    organisation = _organisation(row) or row.need("organisation_id", "ods_code")
    words = row.need("source")
    kind = SourceKind.LINK if words.startswith(("https://", "http://")) else SourceKind.REPORTED
    reached = {
        "stage": row.need("stage"),
        "reached_on": _needed_date(row, context, "reached_on"),
        "source": {"kind": kind, "words": words},
    }
    commands = [Command("PUT", f"{innovation}/adoption/{organisation}", reached)]
    if title := row.get("innovation"):
        commands.insert(0, Command("PUT", innovation, {"title": title}))
    if eligible_from := _date(row, context, "eligible_from"):  # last, so that a refused stage leaves nothing behind
        commands.append(Command("PUT", f"{innovation}/eligible/{organisation}", {"eligible_from": eligible_from}))
    return Plan(tuple(commands))


def _organisation(row: Row) -> str | None:
    """An organisation's id; one with an ODS code has the code as its id, in lower case."""
    code = row.get("ods_code")
    return row.get("organisation_id") or (code.lower() if code else None)


def _needed_date(row: Row, context: Context, column: str) -> CoarseDate:
    row.need(column)
    date = _date(row, context, column)
    assert date is not None
    return date


def _date(row: Row, context: Context, column: str) -> CoarseDate | None:
    text = row.get(column)
    if text is None:
        return None
    try:
        return read_date(text, context.dates)
    except ValueError as problem:
        raise RowRefused(column, str(problem)) from None


def _number(row: Row, column: str) -> int | None:
    text = row.get(column)
    if text is None:
        return None
    if not text.isdecimal():
        raise RowRefused(column, f"'{text}' is not a whole number")
    return int(text)


def _several(text: str | None) -> list[str] | None:
    return [part.strip() for part in text.split(";") if part.strip()] if text else None


_PLANS: Mapping[Kind, Callable[[Row, Context], Plan]] = {
    Kind.COMMUNITIES: _community,
    Kind.PEOPLE: _person,
    Kind.CONVENINGS: _convening,
    Kind.MEMBERSHIPS: _membership,
    Kind.ATTENDANCES: _attendance,
    Kind.ADOPTION: _adoption,
}
