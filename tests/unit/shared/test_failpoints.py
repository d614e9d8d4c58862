"""Fail points: nothing unless they are named, a signal when they are."""

import re
import signal
import subprocess
import sys

import pytest

from deploy.local.settings import REPOSITORY
from shared import failpoints
from shared.failpoints import POINTS, Planted, armed, was_killed


def test_what_is_not_named_does_nothing() -> None:
    failpoints.reached("relay.sent")
    armed("relay.deleted:kill@1")("relay.sent")


def test_the_third_time_kills() -> None:
    program = (
        "from shared.failpoints import reached\n"
        "for time in range(1, 9):\n"
        "    print(time, flush=True)\n"
        "    reached('relay.sent')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PRAXIS_FAILPOINTS": "relay.sent:kill@3", "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    assert done.stdout.split() == ["1", "2", "3"]
    assert done.stderr == "fail point relay.sent: SIGKILL\n"


@pytest.mark.parametrize(
    ("line", "says_so"),
    [
        ("fail point sink.folded: SIGKILL", True),
        ('{"event": "half a lifail point sink.folded: SIGKILL', True),
        ("fail point sink.folded: SIGSTOP", False),
        ("KeyError: 'x'", False),
    ],
)
def test_who_was_killed_is_told_by_what_it_says(line: str, says_so: bool) -> None:
    assert was_killed(line) == says_so


def test_what_is_to_fail_fails_each_time_and_nothing_else_does() -> None:
    reached = armed("writer.deciding:fail@spoilt")
    for _ in range(2):
        with pytest.raises(Planted, match="spoilt-7"):
            reached("writer.deciding", "spoilt-7")
        reached("writer.deciding", "another")
        reached("writer.decided", "spoilt-7")


@pytest.mark.parametrize("text", ["relay.set:kill", "relay.sent", "relay.sent:sleep@2"])
def test_a_name_or_signal_that_there_is_none_of_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no fail point"):
        armed(text)


def test_every_point_stands_somewhere_in_the_code_and_no_other() -> None:
    files = [path for folder in ("shared", "services") for path in (REPOSITORY / folder).rglob("*.py")]
    found = {name for path in files for name in re.findall(r'failpoints\.reached\("([^"]+)"[,)]', path.read_text())}
    assert found == POINTS
