"""What the page of achievements shows just now: the statements of the views, in the words of the page."""

from datetime import UTC, datetime
from itertools import groupby

from services.gateway import page
from services.gateway.gathering import Gathering
from services.gateway.holdings import Views
from services.gateway.views.achievements import Achievement, Achievements, achievements
from shared.events.words import CoarseDate
from shared.measures.measure import Figure


class Front:
    """Shows today's statements; where all of them are demonstrations, those of the day that these were made for."""

    def __init__(self, views: Views) -> None:
        self._views = views

    async def __call__(self) -> page.Page:
        today = datetime.now(UTC).date().isoformat()
        shown = await self._as_at(today)
        marks = {achievement.demonstration_on for achievement in shown.achievements}
        if shown.demonstration_on is not None and None not in marks:
            shown = await self._as_at(shown.demonstration_on)
        return _page(shown)

    async def _as_at(self, day: str) -> Achievements:
        async with self._views.open() as holdings:
            return achievements(await Gathering(holdings, day).achievements(), day)


def _page(shown: Achievements) -> page.Page:
    return page.Page(
        as_at=CoarseDate(shown.as_at).in_words,
        demonstration=_in_words(shown.demonstration_on),
        statements=[_statement(achievement) for achievement in shown.achievements],
    )


def _statement(achievement: Achievement) -> page.Statement:
    return page.Statement(
        group=achievement.about.title,
        text=achievement.text,
        figures=[_shown(figure) for figure in achievement.figures],
        charts=[
            page.Chart(
                heading=heading,
                bars=[page.Bar(label=part.label, value=part.value, of=part.of) for part in parts],
            )
            for heading, parts in groupby(achievement.parts, key=lambda part: part.heading)
        ],
        sources=achievement.sources,
        demonstration=_in_words(achievement.demonstration_on),
    )


def _shown(figure: Figure) -> page.Shown:
    notes = [*figure.notes, *(["facts are known to be missing"] if figure.incomplete else [])]
    return page.Shown(
        name=figure.title,
        value=figure.value,
        unit=figure.unit,
        n=figure.n,
        unknown=figure.unknown,
        note="; ".join(notes) or None,
    )


def _in_words(day: str | None) -> str | None:
    return CoarseDate(day).in_words if day else None
