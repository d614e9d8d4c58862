"""The short version of the suite: a run each of the most telling faults, and whether the mistakes still can be made.

Histories of runs in which something was wrong stay in the folder that the failure names.
"""

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.settings import REPOSITORY
from deploy.local.system import System
from tests.engines import skipped_where_unavailable
from tests.faults.nemesis import FAULTS
from tests.faults.run import run, system
from tests.faults.sabotage import MISTAKES, Mistake, applied

RUNS = [("kill-at-points", 4), ("only-another-topic", 0), ("kafka-killed", 0)]


@pytest.fixture(scope="module")
def disturbed() -> Iterator[System]:
    with skipped_where_unavailable(), system(mongo_nodes=1) as made:
        yield made


@pytest.mark.parametrize(("name", "seed"), RUNS)
def test_nothing_is_lost_doubled_or_stale(name: str, seed: int, disturbed: System) -> None:
    folder = Path(tempfile.mkdtemp(prefix="praxis-history-"))
    result = asyncio.run(run(disturbed, FAULTS[name](seed), f"short-{name}", folder))
    assert result.acknowledged > 100
    assert not result.anomalies, f"see {folder}: " + "\n".join(map(str, result.anomalies[:20]))


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_a_mistake_that_the_suite_is_to_find_can_still_be_made(mistake: Mistake) -> None:
    assert applied(mistake, REPOSITORY)
