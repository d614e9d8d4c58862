"""Compares two builds, a partition number at a time: what they make of the same facts, and what they have seen."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, NamedTuple, TypeVar

from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo.asynchronous.collection import AsyncCollection

from shared.mongo import Database, Document, Session
from shared.reading.heads import Seen
from shared.views.builds import Build
from shared.views.records import ids_in

AT_ONCE = 200
MOST_TOLD = 1_000
"""Differences that are kept one by one; all are counted."""
RAW: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)

Place = tuple[str, str, str]
"""(scope, measure, key)"""
Runs = list[tuple[int, int]]
"""Versions: the first and the last of each run."""
SumsByDay = dict[Place, dict[str, int]]
"""Place -> day -> delta"""
T = TypeVar("T")


class Difference(NamedTuple):
    """A figure, or a field of a record, that the two builds have otherwise."""

    scope: str
    what: str
    """The measure, or `record` and its kind."""
    key: str
    """The part of the measure, or the record and its field."""
    since: str | None
    """The first day on which it differs; None for a record."""
    as_at: str | None
    """The last day on which it does; None where it does until today, and for a record."""
    before: Any
    """At the end of the last day."""
    after: Any


class Apart(NamedTuple):
    """A stream of which the two builds have not seen the same facts."""

    stream: str
    only_before: Runs
    """The versions that the old build alone has seen."""
    only_after: Runs
    given_up: Runs = []  # noqa: RUF012 - a tuple's default, which nobody changes
    """Those of the first that the new build does without: what stands there was discarded."""
    ids: tuple[str, str] | None = None
    """Those of the facts at its head, in the old and in the new build, where they are two."""


@dataclass
class Comparison:
    """What came of it so far."""

    scopes: int = 0
    figures: int = 0
    records: int = 0
    left_out: int = 0
    """Scopes that were not compared, because the topics are others and the builds have not seen the same of them."""
    apart: int = 0
    """Streams of which the builds have not seen the same."""
    streams_apart: list[Apart] = field(default_factory=list)
    """The first of those, `MOST_TOLD` at most."""
    behind: int = 0
    """Those of them of which the old build alone has seen something."""
    differences: list[Difference] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    """How many there are, by measure and by kind and field of a record."""

    @property
    def differs(self) -> bool:
        """Whether taking over is to be accepted: a figure is another one, or a fact that was seen is not there."""
        return bool(self.counts) or bool(self.behind)

    def tell(self, difference: Difference) -> None:
        is_record = difference.since is None
        field_ = difference.key.rpartition(" ")[2]
        self.counts[f"{difference.what}: {field_}" if is_record else difference.what] += 1
        if len(self.differences) < MOST_TOLD:
            self.differences.append(difference)

    def tell_apart(self, stream: Apart) -> None:
        self.apart += 1
        self.behind += bool(stream.only_before)
        if len(self.streams_apart) < MOST_TOLD:
            self.streams_apart.append(stream)


async def compare(
    into: Comparison, db: Database, builds: tuple[Build, Build], number: int | None, session: Session
) -> None:
    """Compare what belongs to a partition number. The old build is read in the session's snapshot, the new one as it
    is, which must stay as it is meanwhile.

    With None for all of them, where topics made anew may hold more than the old build has seen: a scope of which the
    builds have not seen the same versions is left out then, as its figures must differ.
    """
    old, new = builds
    seen_before = await _seen(db[old.heads], number, session)
    seen_after = await _seen(db[new.heads], number)
    compared = list[str]()
    for scope in sorted(seen_before.keys() | seen_after.keys()):
        streams = list(_apart(seen_before.get(scope, {}), seen_after.get(scope, {})))
        for stream in streams:
            into.tell_apart(stream)
        if number is None and any(stream.only_before or stream.only_after for stream in streams):
            into.left_out += 1
        else:
            compared.append(scope)
    into.scopes += len(compared)
    for scopes in _portions(compared):
        await _compare_sums(into, db[old.sums], db[new.sums], {"scope": {"$in": scopes}}, session)
        places = {"$or": [place for scope in scopes for place in ids_in(scope)]}
        await _compare_records(into, db[old.records], db[new.records], places, session)


async def _seen(
    heads: AsyncCollection[Document], number: int | None, session: Session | None = None
) -> dict[str, dict[str, Seen]]:
    """Scope -> stream -> what was seen of it."""
    seen: dict[str, dict[str, Seen]] = defaultdict(dict)
    async for document in heads.find({} if number is None else {"partition": number}, session=session):
        scope = document["_id"].partition("/")[2]
        seen[scope][document["_id"]] = Seen.restored(document)
    return seen


def _apart(before: Mapping[str, Seen], after: Mapping[str, Seen]) -> Iterator[Apart]:
    """The streams of which not the same versions were seen, or not the same fact at their heads."""
    for stream in sorted(before.keys() | after.keys()):
        old, new = before.get(stream, Seen()), after.get(stream, Seen())
        ids = (old.last, new.last) if old.last and new.stands_elsewise(old.head, old.last) else None
        only_before = old.not_in(new)
        given_up = runs([version for version in only_before if version in new.given_up])
        apart = Apart(stream, runs(only_before), runs(new.not_in(old)), given_up, ids)
        if any(apart[1:]):
            yield apart


def runs(versions: Sequence[int]) -> Runs:
    """Versions in order as runs of them: (2, 4, 5, 6) is 2 to 2 and 4 to 6."""
    found: Runs = []
    for version in versions:
        if found and version == found[-1][1] + 1:
            found[-1] = (found[-1][0], version)
        else:
            found.append((version, version))
    return found


def versions_of(runs: Runs) -> set[int]:
    """Each version of some runs."""
    return {version for first, last in runs for version in range(first, last + 1)}


async def _compare_sums(
    into: Comparison,
    before: AsyncCollection[Document],
    after: AsyncCollection[Document],
    query: Document,
    session: Session,
) -> None:
    old, new = await _digests(before, query, {"days": 1}, session), await _digests(after, query, {"days": 1})
    into.figures += len(new)
    unlike = sorted({_place(id) for id in _unlike(old, new)})  # the order of the days may be all that is otherwise
    for places in _portions(unlike):
        for difference in _changes(await _sums(before, places, session), await _sums(after, places)):
            into.tell(difference)


def _place(id: str) -> Place:
    """Where a sum's document belongs, whatever its year."""
    scope, measure, rest = id.split("|", 2)
    return scope, measure, rest.rpartition("|")[0]


async def _sums(sums: AsyncCollection[Document], places: Sequence[Place], session: Session | None = None) -> SumsByDay:
    wanted = [{"scope": scope, "measure": measure, "key": key} for scope, measure, key in places]
    held: SumsByDay = defaultdict(dict)
    async for document in sums.find({"$or": wanted}, session=session):
        days = {day: delta for day, delta in document["days"].items() if delta}
        held[document["scope"], document["measure"], document["key"]] |= days
    return held


def _changes(before: SumsByDay, after: SumsByDay) -> Iterator[Difference]:
    for place in sorted(before.keys() | after.keys()):
        old, new = before.get(place, {}), after.get(place, {})
        days = sorted(old.keys() | new.keys())
        unlike = [day for day in days if _at(old, day) != _at(new, day)]
        if unlike:
            last = unlike[-1]
            following = next((day for day in days if day > last), None)
            yield Difference(*place, unlike[0], following and _day_before(following), _at(old, last), _at(new, last))


def _day_before(day: str) -> str:
    return (date.fromisoformat(day) - timedelta(days=1)).isoformat()


def _at(days: Mapping[str, int], as_at: str) -> int:
    return sum(delta for day, delta in days.items() if day <= as_at)


async def _compare_records(
    into: Comparison,
    before: AsyncCollection[Document],
    after: AsyncCollection[Document],
    query: Document,
    session: Session,
) -> None:
    old, new = await _digests(before, query, {"value": 1}, session), await _digests(after, query, {"value": 1})
    into.records += len(new)
    for ids in _portions(_unlike(old, new)):
        wanted = {"_id": {"$in": ids}}
        was = {document["_id"]: document async for document in before.find(wanted, session=session)}
        became = {document["_id"]: document async for document in after.find(wanted)}
        for id in ids:
            for difference in _fields(was.get(id), became.get(id)):
                into.tell(difference)


def _fields(before: Document | None, after: Document | None) -> Iterator[Difference]:
    document = after or before
    assert document is not None
    old, new = _told((before or {}).get("value", {})), _told((after or {}).get("value", {}))
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            what, key = f"record {document['kind']}", f"{document['_id']} {name}"
            yield Difference(document["scope"], what, key, None, None, old.get(name), new.get(name))


def _told(value: Any) -> Any:
    """A value without what tells nothing: one release stores it, another one leaves it out."""
    match value:
        case dict():
            return {name: _told(part) for name, part in value.items() if not _tells_nothing(part)}
        case list():
            return [_told(part) for part in value]
        case _:
            return value


def _tells_nothing(part: Any) -> bool:
    return part is None or part is False or part == [] or part == {}


async def _digests(
    collection: AsyncCollection[Document], query: Document, fields: Document, session: Session | None = None
) -> dict[str, bytes]:
    found = collection.with_options(codec_options=RAW).find(query, fields, session=session)
    return {document["_id"]: hashlib.blake2b(document.raw, digest_size=16).digest() async for document in found}


def _unlike(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> list[str]:
    return sorted(id for id in before.keys() | after.keys() if before.get(id) != after.get(id))


def _portions(of: Sequence[T]) -> Iterator[Sequence[T]]:
    return (of[begin : begin + AT_ONCE] for begin in range(0, len(of), AT_ONCE))
