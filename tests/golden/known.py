"""What a release knew: which figures, which measures and parts of them, which fields of records.

What a later release adds is set aside where it is held against the recording; what the release knew never is.
"""

from collections.abc import Iterator, Mapping
from typing import Any, TypedDict, get_args

from msgspec import Struct, to_builtins
from msgspec.structs import fields

from shared.measures.catalogue import SUMMED
from shared.views.records import RECORDS, Record

Figures = dict[str, Any]


class Known(TypedDict):
    figures: list[str]
    measures: dict[str, list[str]]
    """By measure, the kinds of its keys: `role` of `role=member`; the whole has none."""
    fields: dict[str, list[str]]
    """By kind of record, and by field that holds parts, as in `participation.memberships`."""


def known_now(figures: Figures) -> Known:
    """What the present code knows, and gives these figures."""
    kinds = {measure.name: {"", *measure.by} for measures in SUMMED.values() for measure in measures}
    for scopes in figures["sums"].values():
        for of_scope in scopes.values():
            for measure, keyed in of_scope.items():
                kinds[measure].update(map(_kind_of, keyed))
    return {
        "figures": sorted(figures),
        "measures": {measure: sorted(kinds[measure]) for measure in sorted(kinds)},
        "fields": {place: names for kind in sorted(RECORDS) for place, names in _fields(RECORDS[kind], kind).items()},
    }


def known_figures(found: Figures, known: Known) -> Figures:
    """The figures without what the release did not know."""

    def of_scope(measures: Mapping[str, Mapping[str, int]]) -> Figures:
        return {
            measure: {key: value for key, value in keyed.items() if _kind_of(key) in known["measures"][measure]}
            for measure, keyed in measures.items()
            if measure in known["measures"]
        }

    kept = {name: found[name] for name in known["figures"] if name in found}
    if "sums" in kept:
        kept["sums"] = {
            day: {scope: of_scope(measures) for scope, measures in scopes.items()}
            for day, scopes in kept["sums"].items()
        }
    if "records" in kept:
        kept["records"] = {kind: count for kind, count in kept["records"].items() if kind in known["fields"]}
    return kept


def known_records(found: Mapping[str, Record], known: Known) -> dict[str, Any]:
    """The records by id as they are stored, without the fields and the kinds that the release did not know."""
    return {
        id: _stored(record, known["fields"], record.kind)
        for id, record in sorted(found.items())
        if record.kind in known["fields"]
    }


def _kind_of(key: str) -> str:
    return key.partition("=")[0]


def _stored(value: object, known: Mapping[str, list[str]], place: str) -> Any:
    match value:
        case Struct():
            there = to_builtins(value, enc_hook=str)  # what it omits is as it begins
            names = [name for name in known.get(place, ()) if name in there]
            return {name: _stored(getattr(value, name), known, f"{place}.{name}") for name in names}
        case Mapping():
            return {key: _stored(held, known, place) for key, held in value.items()}
        case tuple():
            return [_stored(held, known, place) for held in value]
        case _:
            return to_builtins(value, enc_hook=str)


def _fields(kind: type[Struct], place: str) -> dict[str, list[str]]:
    """The names of its fields, and those of the parts that it holds, by place."""
    told = {place: [field.name for field in fields(kind)]}
    for field in fields(kind):
        for part in _parts(field.type):
            told |= _fields(part, f"{place}.{field.name}")
    return told


def _parts(hint: Any) -> Iterator[type[Struct]]:
    if isinstance(hint, type) and issubclass(hint, Struct):
        yield hint
    for within in get_args(hint):
        yield from _parts(within)
