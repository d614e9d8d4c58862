"""What every release recorded gives the same figures under the present code."""

import json
from pathlib import Path

import pytest

from shared.events.fact import FACTS
from tests.golden.figures import as_recorded, folded, read_facts
from tests.golden.recount import recounted

RELEASES = sorted(path.parent for path in Path(__file__).parent.glob("*/figures.json"))


@pytest.mark.parametrize("release", RELEASES, ids=lambda path: path.name)
def test_a_recorded_history_gives_the_recorded_figures(release: Path) -> None:
    expected = json.loads((release / "figures.json").read_text())
    found = as_recorded(json.loads(json.dumps(folded(read_facts(release / "facts.jsonl.gz")))), expected)
    for name, figures in expected.items():
        assert found[name] == figures, name


@pytest.mark.parametrize("release", RELEASES, ids=lambda path: path.name)
def test_the_recorded_figures_are_those_of_a_plain_recount(release: Path) -> None:
    expected = json.loads((release / "figures.json").read_text())
    found = as_recorded(json.loads(json.dumps(recounted(read_facts(release / "facts.jsonl.gz")))), expected)
    for name, figures in found.items():
        assert figures == expected[name], name


def test_every_fact_there_is_has_been_recorded_by_a_release() -> None:
    """A new fact needs a new recording: see docs/how-to/release.md."""
    told = {line["headers"]["ce_type"] for release in RELEASES for line in read_facts(release / "facts.jsonl.gz")}
    assert FACTS.keys() - told == set()
