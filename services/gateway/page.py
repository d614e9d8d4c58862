"""The page of achievements, for people: what it shows, and how it is written."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import jinja2
from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import HTMLResponse

router = APIRouter(include_in_schema=False)


class Shown(BaseModel):
    """A figure as people read it."""

    name: str
    value: int | float | str | None
    """None where what it needs is unknown, which is not zero."""
    unit: str = ""
    n: int | None = None
    unknown: int = 0
    note: str | None = None

    @property
    def value_in_words(self) -> str:
        if self.unit == "share" and isinstance(self.value, int | float):
            return f"{number(100 * self.value)} %"
        return number(self.value)

    @property
    def unit_in_words(self) -> str:
        return "" if self.value is None or self.unit == "share" else self.unit

    @property
    def basis(self) -> str:
        """What it rests on, and what it would rest on were it on record."""
        parts = [
            "" if self.n is None else f"n = {number(self.n)}",
            f"{number(self.unknown)} unknown" if self.unknown else "",
        ]
        return ", ".join(filter(None, parts))


class Bar(BaseModel):
    """One part, as long as its share: `value` of `of`."""

    label: str
    value: float
    of: float

    @property
    def percent(self) -> float:
        """Its length. One that is not nothing can be seen."""
        share = 100 * self.value / self.of if self.of > 0 else 0.0
        return round(min(max(share, 0.0), 100.0), 1)


class Chart(BaseModel):
    """Parts that belong together."""

    heading: str
    bars: list[Bar]


class Statement(BaseModel):
    """One achievement, with what it is made of."""

    group: str
    """The community, programme or innovation that it is about."""
    text: str
    figures: list[Shown] = []
    charts: list[Chart] = []
    sources: list[str] = []
    demonstration: str | None = None
    """The day that it is a demonstration for; None where it is real."""


class Page(BaseModel):
    as_at: str
    """The day at whose end all of it holds, as it is to be read: "31 December 2020"."""
    demonstration: str | None = None
    """The day that a demonstration was made for, if some of it is one; shown at the top and on each card that is."""
    statements: list[Statement] = []

    @property
    def groups(self) -> dict[str, list[Statement]]:
        """The statements by what they are about, in their own order."""
        groups: dict[str, list[Statement]] = {}
        for statement in self.statements:
            groups.setdefault(statement.group, []).append(statement)
        return groups


Achievements = Callable[[], Awaitable[Page]]
"""What the page shows just now."""

ONLY_FROM_HERE = "default-src 'none'; style-src 'self'; img-src 'self'"

_templates = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def number(value: float | str | None) -> str:
    """As people write it: thousands apart, no more digits than it can bear."""
    match value:
        case None:
            return "not known"
        case str():
            return value
        case float() if not value.is_integer():
            return f"{value:,.1f}" if abs(value) >= 1 else f"{value:.2g}"
        case _:
            return f"{int(value):,}"


_templates.filters["number"] = number


def render(page: Page) -> str:
    return _templates.get_template("achievements.html").render(page=page)


@router.get("/")
async def achievements(request: Request) -> HTMLResponse:
    read: Achievements = request.state.achievements
    return HTMLResponse(render(await read()), headers={"Content-Security-Policy": ONLY_FROM_HERE})
