"""The importer: sends what rows ask for, many at once, each after what it builds on."""

import asyncio
import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from deploy.client import Command, Done, Gateway, Refused
from deploy.importing.failures import RowRefused
from deploy.importing.feedback import before_answers, response
from deploy.importing.files import Row, Table, rows
from deploy.importing.kinds import Kind
from deploy.importing.mapping import FeedbackReading
from deploy.importing.plans import PERSON, Context, Person, Plan, derived, plan
from deploy.importing.report import FileReport
from deploy.local.failures import Failure

Advance = Callable[[], object]
Positions = tuple[str, ...]
Thing = tuple[str, str]
"""community or convening, and its reference."""


class Importer:
    """One import of one source. What is made in it is remembered, so that what builds on it can say so."""

    def __init__(self, gateway: Gateway, source: str, *, at_once: int = 64) -> None:
        self._gateway, self._source, self._at_once = gateway, source, at_once
        self._people: dict[str, asyncio.Task[tuple[str, Positions, bool]]] = {}
        self._foundings: dict[str, asyncio.Task[Positions]] = {}
        self._convenings: dict[str, str] = {}
        """convening_ref -> community_ref"""
        self._made: dict[Thing, Positions] = {}
        self._refused: dict[Thing, str] = {}
        """What was to be made and was refused -> why: what builds on it is refused with it."""
        self._references: dict[tuple[str, str], str] = {}
        """(what, id) -> the reference that the id was derived from in this import."""
        self.heads: dict[str, int] = {}
        """Stream -> the last version that it is known to have from this import; not those of people."""

    @property
    def positions(self) -> list[str]:
        """Sent back as `Praxis-After`, views include what was imported."""
        return [f"{stream}@{version}" for stream, version in sorted(self.heads.items())]

    async def load(self, table: Table, report: FileReport, advance: Advance = lambda: None) -> None:
        """Send a file's rows, and return when each is stored or refused.

        Raises:
            Failure: the system was away for too long; what was sent is stored, and may be sent again.
        """
        begun = time.monotonic()
        try:
            if isinstance(table.reading, FeedbackReading):
                await self._stand_up(table.reading)
            slots = asyncio.Semaphore(self._at_once)
            async with asyncio.TaskGroup() as group:
                for line, work in self._work(table, report):
                    await slots.acquire()
                    group.create_task(self._judged(line, work, report, slots, advance))
        except BaseExceptionGroup as several:
            raise _first_failure(several) from None
        finally:
            report.seconds = time.monotonic() - begun

    def _work(self, table: Table, report: FileReport) -> Iterator[tuple[int, Plan | RowRefused | None]]:
        """Each row's line with its plan; None for a row that says what an earlier one did."""
        context = Context(self._source, table.reading.dates, self._convenings.get)
        seen: set[bytes] = set()
        for row in rows(table):
            if not isinstance(row, Row):
                yield row
                continue
            digest = hashlib.blake2b(repr(sorted(row.values.items())).encode(), digest_size=8).digest()
            if digest in seen:
                report.repeated += 1
                yield row.line, None
                continue
            seen.add(digest)
            try:
                planned = self._plan(table, row, context)
                self._remember(table.kind, planned)
            except RowRefused as refused:
                yield row.line, refused
            else:
                yield row.line, planned

    def _plan(self, table: Table, row: Row, context: Context) -> Plan:
        if isinstance(table.reading, FeedbackReading):
            return response(row, table.reading, context)
        return plan(table.kind, row, context)

    def _remember(self, kind: Kind, planned: Plan) -> None:
        """
        Raises:
            RowRefused: another reference has been given the same id in this import.
        """
        for what, ref in (("community_ref", planned.community), ("convening_ref", planned.convening)):
            if ref is not None:
                first = self._references.setdefault((what, derived(what, ref)), ref)
                if first != ref:
                    raise RowRefused(what, f"'{ref}' and '{first}' would both be '{derived(what, ref)}': rename one")
        if kind is Kind.CONVENINGS and planned.convening and planned.community:
            self._convenings.setdefault(planned.convening, planned.community)

    async def _judged(
        self,
        line: int,
        work: Plan | RowRefused | None,
        report: FileReport,
        slots: asyncio.Semaphore,
        advance: Advance,
    ) -> None:
        try:
            if isinstance(work, RowRefused):
                raise work
            if work is None or await self._carry_out(work, report.kind):
                report.unchanged += 1
            else:
                report.created += 1
        except RowRefused as refused:
            report.refuse(line, refused.field, refused.reason)
        except Refused as refused:
            report.refuse(line, refused.field, refused.reason)
        finally:
            slots.release()
            advance()

    async def _carry_out(self, planned: Plan, kind: str) -> bool:
        """Whether all was on record already. What it makes is remembered, made or refused."""
        try:
            unchanged, positions = await self._send(planned, kind)
        except (Refused, RowRefused) as refused:
            if planned.makes:
                self._refused[_made_by(planned)] = refused.reason
            raise
        if planned.makes:
            self._made[_made_by(planned)] = positions
        return unchanged

    async def _send(self, planned: Plan, kind: str) -> tuple[bool, Positions]:
        after = await self._stands(planned, kind)
        unchanged, person_id = True, ""
        if planned.person is not None:
            person_id, positions, known = await self._person(planned.person)
            after += positions
            unchanged = known or kind != Kind.PEOPLE
        added: Positions = ()
        for command in planned.commands:
            sent = Command(command.method, command.path.replace(PERSON, person_id), command.body)
            done = await self._command(sent, kind, after)
            unchanged, added = unchanged and done.unchanged, added + done.positions
        return unchanged, added

    async def _stands(self, planned: Plan, kind: str) -> Positions:
        """The positions of the community that the plan builds on, where this import made it.

        Raises:
            RowRefused: its community or convening was refused in this import.
        """
        if planned.convening is not None and kind != Kind.CONVENINGS:
            self._require("convening", planned.convening)
        if planned.community is None or kind == Kind.COMMUNITIES:
            return ()
        self._require("community", planned.community)
        if planned.founds is not None and ("community", planned.community) not in self._made:
            if planned.community not in self._foundings:
                self._foundings[planned.community] = asyncio.create_task(self._on_record(planned.founds))
            return await self._foundings[planned.community]
        return self._made.get(("community", planned.community), ())

    def _require(self, what: str, ref: str) -> None:
        why = self._refused.get((what, ref))
        if why and (what, ref) not in self._made:
            raise RowRefused(f"{what}_ref", f"its {what} was refused: {why}")

    async def _on_record(self, founding: Command) -> Positions:
        """Found a community in the words of who builds on it, unless it is on record in others."""
        try:
            return (await self._command(founding, Kind.COMMUNITIES)).positions
        except Refused as refused:
            if refused.status == 409 and refused.field != "reference":
                return ()
            raise RowRefused("community_ref", f"its community was refused: {refused.reason}") from None

    async def _person(self, person: Person) -> tuple[str, Positions, bool]:
        """Their id, the positions of their registration, and whether they were on record already."""
        if person.ref not in self._people:
            self._people[person.ref] = asyncio.create_task(self._registered(person))
        return await self._people[person.ref]

    async def _registered(self, person: Person) -> tuple[str, Positions, bool]:
        body: dict[str, Any] = {"reference": {"source": self._source, "ref": person.ref}}
        body |= {word: value for word in ("name", "email") if (value := getattr(person, word)) is not None}
        done = await self._command(Command("POST", "/v1/people", body), Kind.PEOPLE)
        return str(done.answer["person_id"]), done.positions, done.unchanged

    async def _command(self, command: Command, kind: str, after: Sequence[str] = ()) -> Done:
        key = command.key(self._source, kind)
        done = await self._gateway.command(command, key=key, after=after if _is_elsewhere(command) else ())
        for position in done.positions:
            stream, _, version = position.rpartition("@")
            if "/person." not in stream:
                self.heads[stream] = max(self.heads.get(stream, 0), int(version))
        return done

    async def _stand_up(self, reading: FeedbackReading) -> None:
        """What the answers are about, and the form that they answer."""
        for planned in before_answers(reading, self._source):
            try:
                await self._carry_out(planned, Kind.FEEDBACK)
            except (Refused, RowRefused) as refused:
                remedy = "correct the mapping's words about community, convening or form."
                raise Failure(f"The form could not be opened: {refused.reason}.", remedy) from None


def _made_by(planned: Plan) -> Thing:
    return ("convening", planned.convening) if planned.convening else ("community", str(planned.community))


def _is_elsewhere(command: Command) -> bool:
    """Whether it goes to a service that follows the one where communities and people are made."""
    return any(part in command.path for part in ("/convenings/", "/feedback-forms/", "/v1/innovations/"))


def _first_failure(several: BaseExceptionGroup[BaseException]) -> BaseException:
    first = several.exceptions[0]
    return _first_failure(first) if isinstance(first, BaseExceptionGroup) else first
