"""What the long version says and gives back: also where it is interrupted, or has struck less than it was to."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.faults import __main__ as long_version
from tests.faults import sabotage
from tests.faults.anomaly import Anomaly, Kind
from tests.faults.load import NotAnswered
from tests.faults.nemesis import FAULTS
from tests.faults.run import Result

WRONG = Anomaly(Kind.LOST, "membership/community.a@1", "is gone")


def a_result(seed: int, *, missed: int = 0, anomalies: tuple[Anomaly, ...] = ()) -> Result:
    return Result("nothing", seed, Path(), 7, anomalies, 0.1, missed, 0.2)


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[Result | BaseException]:
    """What comes of each run, in its turn; nothing is started for it."""
    planned: list[Result | BaseException] = []
    closed: list[bool] = []

    async def run(*_: Any) -> Result:
        await asyncio.sleep(0)
        one = planned.pop(0)
        if isinstance(one, BaseException):
            raise one
        return one

    monkeypatch.setattr(long_version, "run", run)
    monkeypatch.setattr(long_version.Grounds, "get", lambda *_: None)
    monkeypatch.setattr(long_version.Grounds, "close", lambda _: closed.append(True))
    return planned


def _exit_code(folder: Path) -> int:
    return long_version.main(["nothing", "--seeds", "2", "--histories", str(folder)])


def test_all_is_well(runs: list[Result | BaseException], tmp_path: Path) -> None:
    runs += [a_result(0), a_result(1)]
    assert _exit_code(tmp_path) == 0


def test_something_is_wrong(runs: list[Result | BaseException], tmp_path: Path) -> None:
    runs += [a_result(0), a_result(1, anomalies=(WRONG,))]
    assert _exit_code(tmp_path) == 1


def test_strikes_that_were_missed_are_told_and_fail(
    runs: list[Result | BaseException], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs += [a_result(0), a_result(1, missed=3)]
    assert _exit_code(tmp_path) == 1
    assert "3 of nothing 1" in " ".join(capsys.readouterr().out.split())


def test_who_interrupts_it_is_told_what_was_run(
    runs: list[Result | BaseException], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs += [a_result(0), KeyboardInterrupt()]
    assert _exit_code(tmp_path) == long_version.INTERRUPTED
    said = "".join(capsys.readouterr().out.split())
    assert "│nothing│1│7│" in said
    assert f"Histories:{tmp_path}" in said
    assert "Interrupted" in said


def test_who_interrupts_the_first_run_is_shown_no_empty_table(
    runs: list[Result | BaseException], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs += [KeyboardInterrupt()]
    assert _exit_code(tmp_path) == long_version.INTERRUPTED
    said = capsys.readouterr().out
    assert "Interrupted" in said
    assert "Fault" not in said


def test_without_a_terminal_no_heading_breaks(
    runs: list[Result | BaseException], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    longest = max(FAULTS, key=len)
    runs += [replace(a_result(seed), fault=longest) for seed in range(2)]
    assert _exit_code(tmp_path) == 0
    (headings,) = [line for line in capsys.readouterr().out.splitlines() if "Fault" in line]
    assert "Longest without progress" in headings
    assert "Longest to catch up" in headings


def test_its_help_says_what_it_does_and_what_holds_if_nothing_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        long_version.main(["--help"])
    assert end.value.code == 0
    said = " ".join(capsys.readouterr().out.split())
    for words in (
        *FAULTS,
        "by the public door",
        "default: 20",
        "default: 0",
        "default: a new folder",
        "docs/reference/faults.md",
    ):
        assert words in said


def test_a_mistake_that_nobody_knows_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        sabotage.main(["no-comparison", "nosuch"])
    assert end.value.code == 2
    assert "no mistake is called 'nosuch'" in " ".join(capsys.readouterr().err.split())


def test_where_a_seed_strikes_a_part_it_is_told_which(
    runs: list[Result | BaseException], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs += [a_result(3)]
    assert long_version.main(["kill-at-points", "--seeds", "1", "--first", "3", "--histories", str(tmp_path)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "kill-at-points 3 (convenings at relay.deleted, metrics at sink.folded, convenings at sink.folded):" in said


def test_a_run_that_breaks_off_is_wrong_and_says_why(
    runs: list[Result | BaseException], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    problem = NotAnswered([{"call": {"method": "PUT", "path": "/v1/x"}, "statuses": [503, 503]}])
    runs += [problem, a_result(1)]
    assert _exit_code(tmp_path) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "PUT /v1/x (2 times 503)" in said
    assert "Traceback" not in said
