"""What a measure is, and the figures that come of it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, Field

from shared.views.records import Record

Contribution = tuple[str, str, int]
"""(day, key, delta): from this day on the sum under this key is larger by delta. The key "" is the whole, any other
is a part of it, as in `role=member`; parts may overlap and need not add up to the whole."""

WHOLE = ""


class Cycle(StrEnum):
    """Cycles of value creation (Wenger, Trayner and de Laat 2011, revised 2020). Shown side by side, never summed."""

    IMMEDIATE = "immediate"
    POTENTIAL = "potential"
    APPLIED = "applied"
    REALISED = "realised"
    REFRAMING = "reframing"


Mechanism = Literal["connecting", "collaborating", "supporting", "developing"]
"""Mechanisms of the Health Foundation's Q change model."""


@dataclass(frozen=True)
class Measure:
    """The definition of a figure. A change of what it counts is a new version, and a rebuild.

    `record` and `contributions` define the measures that are kept as sums per date; those without are computed
    when they are read, by the function of the same name.
    """

    name: str
    title: str
    unit: str
    counts: str
    excludes: str
    source: str
    cycle: Cycle
    mechanisms: tuple[Mechanism, ...] = ()
    by: tuple[str, ...] = ()
    version: int = 1
    record: type[Record] | None = None
    contributions: Callable[[Any], Iterable[Contribution]] | None = None
    rests_on: frozenset[str] = frozenset()
    """The fields of the record that `contributions` reads; all of them, where none is named."""
    by_convening: bool = False
    """Whether what a participation contributes is what it contributes at each convening, taken together."""

    def is_untouched(self, changed: AbstractSet[str]) -> bool:
        """Whether a change of these fields leaves what the record contributes."""
        return bool(self.rests_on) and self.rests_on.isdisjoint(changed)


class Figure(BaseModel):
    """A measure's value, with what it rests on."""

    measure: str
    title: str
    value: int | float | None = Field(description="None where what it needs is unknown")
    unit: str
    n: int | None = Field(default=None, description="How many observations it rests on")
    unknown: int = Field(default=0, description="How many things it would rest on, were they on record")
    as_at: str = Field(description="The day at whose end it holds")
    by: dict[str, dict[str, int | float]] = Field(default={}, description="Its parts: dimension -> part -> value")
    interval: tuple[float, float] | None = None
    incomplete: bool = Field(default=False, description="Facts are known to be missing that may change it")
    demonstration_on: str | None = Field(
        default=None, description="Set where it rests on a demonstration, made for this day"
    )
    notes: list[str] = []


@dataclass(frozen=True)
class Basis:
    """What all figures of one view share: the day, whether facts are missing, whether it is a demonstration."""

    as_at: str
    incomplete: bool = False
    demonstration_on: str | None = None

    def figure(self, measure: Measure, value: int | float | None, **more: Any) -> Figure:
        return Figure(
            measure=measure.name,
            title=measure.title,
            value=value,
            unit=measure.unit,
            as_at=self.as_at,
            incomplete=self.incomplete,
            demonstration_on=self.demonstration_on,
            **more,
        )


@dataclass(frozen=True)
class Sums:
    """Sums up to a day: measure -> key -> sum."""

    held: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def whole(self, measure: Measure, key: str = WHOLE) -> int:
        return self.held.get(measure.name, {}).get(key, 0)

    def parts(self, measure: Measure) -> dict[str, dict[str, int | float]]:
        """Its parts that are not zero: dimension -> part -> sum, the largest first."""
        parts: dict[str, dict[str, int | float]] = {}
        keyed = self.held.get(measure.name, {})
        for key, value in sorted(keyed.items(), key=lambda item: (-item[1], item[0])):
            dimension, equals, part = key.partition("=")
            if equals and value and dimension in measure.by:
                parts.setdefault(dimension, {})[part] = value
        return parts

    def figure(self, measure: Measure, basis: Basis, **more: Any) -> Figure:
        return basis.figure(measure, self.whole(measure), by=self.parts(measure), **more)


def contributions(record: Record, measure: Measure) -> Iterable[Contribution]:
    """What a record adds to a measure's sums. The same may be there twice, and is added twice."""
    assert measure.contributions is not None
    return measure.contributions(record)


def sweep(days: Iterable[str | None], keys_on: Callable[[str], AbstractSet[str]]) -> Iterator[Contribution]:
    """The contributions of something that counts under keys which change on some days."""
    before: AbstractSet[str] = frozenset()
    for day in sorted({day for day in days if day is not None}):
        now = keys_on(day)
        for key in now - before:
            yield day, key, 1
        for key in before - now:
            yield day, key, -1
        before = now


def firsts(days: Iterable[str], keys_on: Callable[[str], AbstractSet[str]]) -> Iterator[Contribution]:
    """The contributions of something that counts under a key from the first day that has it, for good."""
    before: set[str] = set()
    for day in sorted(set(days)):
        now = keys_on(day)
        if new := now - before:
            for key in new:
                yield day, key, 1
            before |= now
