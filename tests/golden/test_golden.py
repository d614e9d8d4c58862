"""What every release recorded gives the same records and figures under the present code."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from shared.events.fact import FACTS
from tests.golden import recording
from tests.golden.differences import differences, told
from tests.golden.figures import figures_of, records_of, replayed
from tests.golden.known import Figures, known_figures, known_records
from tests.golden.recording import Recording
from tests.golden.recount import recounted

RELEASES = recording.releases()
of_every_release = pytest.mark.parametrize("release", RELEASES, ids=lambda path: path.name)


def require_whole(beginning: str = "") -> None:
    """That the files whose names begin so are as they were recorded."""
    if names := [name for name in recording.broken() if name.startswith(beginning)]:
        pytest.fail(str(recording.NotAsRecorded(names)), pytrace=False)


@cache
def recorded_in(release: Path) -> Recording:
    require_whole(f"{release.name}/")
    return recording.read(release)


def by_day(figures: Figures) -> Figures:
    """The sums of a day beside the other figures, so that a place among them is as short as it can be."""
    return {**{name: value for name, value in figures.items() if name != "sums"}, **figures.get("sums", {})}


def as_kept(value: Any) -> Any:
    return json.loads(json.dumps(value))


def require_same(recorded: Mapping[str, Any], found: Mapping[str, Any], verb: str = "folded") -> None:
    if differ := differences(recorded, found):
        pytest.fail(told(differ, verb), pytrace=False)


def test_what_releases_recorded_is_as_they_recorded_it() -> None:
    require_whole()


@of_every_release
def test_a_recorded_history_gives_the_recorded_records_and_figures(release: Path) -> None:
    facts, figures, records, known = recorded_in(release)
    memory = replayed(facts)
    found = as_kept(known_figures(figures_of(memory), known))
    require_same({**by_day(figures), **records}, {**by_day(found), **known_records(records_of(memory), known)})


@of_every_release
def test_the_recorded_figures_are_those_of_a_plain_recount(release: Path) -> None:
    facts, figures, _, known = recorded_in(release)
    found = as_kept(known_figures(recounted(facts), known))
    require_same(by_day({name: figures[name] for name in found if name in figures}), by_day(found), "recounted")


def test_every_fact_there_is_has_been_recorded_by_a_release() -> None:
    """A new fact needs a new recording: see docs/how-to/release.md."""
    told = {line["headers"]["ce_type"] for release in RELEASES for line in recorded_in(release).facts}
    assert FACTS.keys() - told == set()
