"""The short version of the suite: a run each of the most telling faults, and whether the mistakes still can be made.

The history of a run in which something was wrong stays in the folder that the failure names.
"""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.settings import REPOSITORY
from tests.engines import skipped_where_unavailable
from tests.faults.ground import Ground, Layout, laid_out
from tests.faults.mistakes import MISTAKES, Mistake, applied
from tests.faults.nemesis.engines import KafkaKilled
from tests.faults.nemesis.fault import Fault
from tests.faults.nemesis.services import KillAtPoints
from tests.faults.nemesis.workers import OnlyAnotherTopic
from tests.faults.nemesis.writers import FailingCommand, UnknownCommit
from tests.faults.run import run


class KillInTheFold(KillAtPoints):
    """After the commit of metrics: the rest is for the long version."""

    strikes = 1


class KafkaKilledOnce(KafkaKilled):
    strikes = 1


class UnknownCommitOfOne(UnknownCommit):
    """Connections are cut only: who has one node has no other primary."""

    layout = Layout(doors=True)
    cuts, deaths = 3, 0


RUNS = [KillInTheFold(4), OnlyAnotherTopic(0), KafkaKilledOnce(0), UnknownCommitOfOne(1), FailingCommand(0)]


@pytest.fixture(scope="module")
def ground() -> Iterator[Ground]:
    with skipped_where_unavailable(), laid_out(Layout(doors=True)) as ground:
        yield ground


@pytest.mark.parametrize("fault", RUNS, ids=lambda fault: fault.name)
def test_nothing_is_lost_doubled_or_stale(fault: Fault, ground: Ground) -> None:
    folder = Path(tempfile.mkdtemp(prefix="praxis-history-"))
    result = asyncio.run(run(ground, fault, f"short-{fault.name}", folder))
    assert result.acknowledged > 100
    assert not result.missed, f"the fault did not come about: see {folder}"
    assert not result.anomalies, f"see {folder}: " + "\n".join(map(str, result.anomalies[:20]))
    shutil.rmtree(folder)


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_a_mistake_that_the_suite_is_to_find_can_still_be_made(mistake: Mistake) -> None:
    files = applied(mistake, REPOSITORY)
    assert files
    for path, text in files.items():
        compile(text, path, "exec")  # what cannot be read at all is found by anybody
