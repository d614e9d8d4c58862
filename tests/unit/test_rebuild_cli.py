"""`praxis rebuild` when its process is ended from outside, and what it shows of a comparison."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from deploy.cli import rebuild as cli
from deploy.cli.rebuild_shown import show
from deploy.local.failures import Failure
from deploy.local.settings import REPOSITORY

COMPARED: dict[str, Any] = {
    "scopes": 3,
    "figures": 20,
    "records": 10,
    "left_out": 0,
    "apart": 1,
    "streams_apart": [
        {
            "stream": "membership/community.here",
            "only_before": [],
            "only_after": [[4, 4], [6, 9], [11, 11], [13, 13], [15, 15], [17, 17]],
            "ids": ["one", "another"],
        }
    ],
    "counts": {"members": 2, "record community: title": 1},
    "differences": [
        {
            "scope": "community.here",
            "what": "members",
            "key": key,
            "since": "2019-11-05",
            "as_at": "2020-06-30" if key else None,
            "before": 4,
            "after": 2,
        }
        for key in ("", "lead")
    ]
    + [
        {
            "scope": "community.here",
            "what": "record community",
            "key": "community/here title",
            "since": None,
            "as_at": None,
            "before": "Here",
            "after": None,
        }
    ],
}


def test_each_difference_is_a_line_that_reads_without_its_neighbours(capsys: pytest.CaptureFixture[str]) -> None:
    show({"stage": "compared", **COMPARED})
    seen = "the new one alone has seen 4, 6 to 9, 11, 13, 15 and 1 more"
    assert capsys.readouterr().out.splitlines() == [
        "streams of which the two builds have not seen the same facts: 1",
        f"  membership/community.here: {seen}, the last fact is one in the old one, and another in the new one",
        "20 sums and 10 records of 3 things compared: 3 are not equal",
        "  members of community.here, since 2019-11-05: was 4, becomes 2",
        "  members lead of community.here, 2019-11-05 to 2020-06-30: was 4, becomes 2",
        "  record community, community/here title: was Here, becomes not there",
        "members: 2",
        "record community: title: 1",
    ]


def test_a_killed_one_is_told_as_such_without_what_an_earlier_one_wrote(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "rebuild.log").write_text(json.dumps({"event": "rebuild.began_again", "reason": "of long ago"}) + "\n")
    nowhere = {"PRAXIS_HOME": str(tmp_path), "PRAXIS_KAFKA": "127.0.0.1:1", "PRAXIS_MONGO": "mongodb://127.0.0.1:1"}
    command = subprocess.Popen(
        [sys.executable, "-c", "from deploy.cli import main; main()", "rebuild"],
        cwd=REPOSITORY,
        env={**os.environ, **nowhere},
        stderr=subprocess.PIPE,
        text=True,
    )
    kill_child(command)
    _, complaint = command.communicate(timeout=60)
    assert command.returncode == 1
    assert "The rebuild was killed by SIGKILL, without saying why." in complaint
    assert "run it again, and it goes on" in complaint
    assert "of long ago" not in complaint


def test_whom_nobody_hears_any_more_ends_without_a_word() -> None:
    nowhere = {"PRAXIS_KAFKA": "127.0.0.1:1", "PRAXIS_MONGO": "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=100"}
    process = subprocess.Popen(
        [sys.executable, "-m", "services.metrics.rebuild"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=REPOSITORY,
        env={**os.environ, **nowhere},
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=60) == 1
    assert process.stderr.read() == b""
    process.stderr.close()


HELD = {"stage": "held elsewhere", "reason": "another rebuild is running: wait for its end, or end it"}


@pytest.mark.parametrize(
    ("last", "why"), [([HELD], f": {HELD['reason']}."), ([], ", and the rebuild did not say why.")]
)
def test_what_has_taken_over_is_not_said_to_have_stopped(
    last: list[dict[str, str]], why: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[dict[str, Any]] = [{"stage": "flipped", "build": 2, "grace_s": 0}, *last]
    monkeypatch.setattr(cli, "_running", lambda flags: one_that_tells(told))
    with pytest.raises(Failure) as failure:
        cli.rebuild(grace=0)
    assert failure.value.what.startswith("The new build has taken over, and is read.")
    assert failure.value.what.endswith(why)
    assert "build 2 has taken over" in capsys.readouterr().out


def test_who_comes_while_another_runs_is_not_told_to_drop_what_that_one_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "_running", lambda flags: one_that_tells([HELD]))
    with pytest.raises(Failure) as failure:
        cli.rebuild(grace=0)
    assert failure.value.what == f"The rebuild stopped: {HELD['reason']}."
    assert failure.value.remedy == "run it again after that, if it is still wanted."


@contextmanager
def one_that_tells(told: list[dict[str, Any]]) -> Iterator[tuple[subprocess.Popen[str], None]]:
    script = "; ".join(f"print({json.dumps(one)!r})" for one in told)
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        yield process, None


def kill_child(command: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with suppress(psutil.NoSuchProcess):
            for child in psutil.Process(command.pid).children():
                child.kill()
                return
        time.sleep(0.02)
    command.kill()
    pytest.fail("it started nothing")
