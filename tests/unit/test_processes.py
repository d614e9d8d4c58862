"""Children: found again, awaited and stopped; what is in their way is named with its remedy."""

import json
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from deploy.local.failures import Died, DiskFull, NotReady, PortInUse, RunsElsewhere
from deploy.local.processes import (
    Awaited,
    Child,
    Listens,
    State,
    require_free,
    require_room,
    wait_until_ready,
)

SLEEPS = "import time; time.sleep(60)"

Make = Callable[..., Child]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Child] = []

    def make(program: str = SLEEPS, name: str = "child", listens: tuple[Listens, ...] = ()) -> Child:
        made.append(Child(name, tmp_path, (sys.executable, "-c", program), listens, grace=5.0))
        return made[-1]

    yield make
    for child in made:
        child.kill()
        child.stop()


@pytest.fixture
def taken() -> Iterator[int]:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield server.getsockname()[1]


def quiet(_: str) -> None: ...


def test_a_child_is_found_again_by_its_pid_file(make: Make) -> None:
    started = make()
    started.start()
    again = make()
    assert again.state is State.RUNNING
    assert again.pid == started.pid


def test_starting_twice_starts_once(make: Make) -> None:
    assert make().start() is True
    second = make()
    assert second.start() is False
    assert second.pid is not None


def test_stopping_removes_the_pid_file_and_ends_the_process(make: Make) -> None:
    child = make()
    child.start()
    pid = child.pid
    assert pid is not None
    assert child.stop() is True
    assert not psutil.pid_exists(pid)
    assert child.state is State.STOPPED
    assert child.stop() is False


def test_a_child_that_does_not_heed_sigterm_is_killed(make: Make) -> None:
    child = make("import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1); time.sleep(60)")
    child.grace = 0.2
    child.start()
    while not child.log_file.read_text():
        time.sleep(0.01)
    assert child.stop() is True
    assert child.pid is None


def test_a_killed_child_is_told_from_a_stopped_one_and_starts_again(make: Make) -> None:
    child = make()
    child.start()
    child.kill()
    assert make().state is State.KILLED
    assert child.start() is True
    assert child.state is State.RUNNING


def test_a_stale_pid_file_with_a_reused_pid_never_touches_that_process(make: Make) -> None:
    child = make()
    child.pid_file.parent.mkdir(parents=True)
    stored = {"pid": os.getpid(), "started": 1.0, "command": [sys.executable, "-c", SLEEPS], "ports": []}
    child.pid_file.write_text(json.dumps(stored))
    assert child.state is State.KILLED
    assert child.stop() is False  # or this test would not go on
    assert not child.pid_file.exists()


def test_a_pid_that_was_reused_for_another_program_at_the_same_moment_is_not_the_child(make: Make) -> None:
    other = make(name="other")
    other.start()
    stored = json.loads(other.pid_file.read_text()) | {"command": ["something", "else"]}
    child = make()
    child.pid_file.write_text(json.dumps(stored))
    assert child.state is State.KILLED


def test_a_pid_file_that_was_half_written_counts_as_killed(make: Make) -> None:
    child = make()
    child.pid_file.parent.mkdir(parents=True)
    child.pid_file.write_text('{"pid": 12')
    assert child.state is State.KILLED
    assert child.start() is True


def test_a_child_is_in_a_session_of_its_own_so_that_ctrl_c_is_not_for_it(make: Make) -> None:
    child = make()
    child.start()
    assert child.pid is not None
    assert os.getsid(child.pid) == child.pid != os.getsid(0)


def test_a_frozen_child_still_runs(make: Make) -> None:
    child = make()
    child.start()
    child.signal(signal.SIGSTOP)
    assert child.state is State.RUNNING


def test_a_port_in_use_is_refused_with_its_holder_and_the_setting_that_moves_it(taken: int) -> None:
    with pytest.raises(PortInUse) as refused:
        require_free("kafka", Listens(taken, "PRAXIS_KAFKA_PORT"))
    text = str(refused.value)
    assert f"Port {taken}, where kafka should listen, is held by process {os.getpid()}" in text
    assert f"PRAXIS_KAFKA_PORT={taken + 100}" in text


def test_a_child_whose_port_is_taken_is_not_started(make: Make, taken: int) -> None:
    child = make(listens=(Listens(taken, "PRAXIS_MONGO_PORT"),))
    with pytest.raises(PortInUse):
        child.start()
    assert child.state is State.STOPPED


def test_a_child_that_runs_on_another_port_than_the_settings_say_is_refused(make: Make) -> None:
    make(listens=(Listens(20001, "PRAXIS_MONGO_PORT"),)).start()
    with pytest.raises(RunsElsewhere, match=r"on port 20001; the settings say 20002"):
        make(listens=(Listens(20002, "PRAXIS_MONGO_PORT"),)).start()


def test_one_that_ends_before_it_is_ready_is_told_with_its_last_lines(make: Make) -> None:
    child = make("print('cannot open the vault'); raise SystemExit(3)")
    child.start()
    with pytest.raises(Died, match="ended before it was ready") as died:
        wait_until_ready([Awaited(child, lambda: "waiting for the vault", 10.0)], quiet)
    assert died.value.log == ("cannot open the vault",)
    assert "read " in died.value.remedy


def test_a_full_disk_is_recognised_in_the_log(make: Make) -> None:
    child = make("raise SystemExit('java.io.IOException: No space left on device')")
    child.start()
    with pytest.raises(DiskFull, match="PRAXIS_HOME"):
        wait_until_ready([Awaited(child, lambda: "waiting", 10.0)], quiet)


@pytest.mark.parametrize(
    ("says", "free", "is_full"),
    [
        ("x" * 500 + "No space left on device", 10**10, True),  # mongod says it late in a long line
        ("No space left on device" + "\n[a frame of the stack]" * 5_000, 10**10, True),  # and a backtrace after it
        ("a fault occurred in an unsafe memory access operation", 0, True),  # Java, of a file that it has mapped
        ("cannot open the vault", 10**10, False),
    ],
)
def test_a_full_disk_is_recognised_however_it_is_told(
    make: Make, monkeypatch: pytest.MonkeyPatch, says: str, free: int, is_full: bool
) -> None:
    child = make(f"raise SystemExit({says!r})")
    child.start()
    while child.pid:
        time.sleep(0.05)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**10, 10**10, free))
    assert isinstance(child.failed(), DiskFull) is is_full
    assert (child.still_full() is not None) is (free == 0), "what has room again is started again"


def test_too_little_room_is_refused_before_anything_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 1_000_000))
    with pytest.raises(DiskFull, match="1 MB free, 500 MB needed"):
        require_room(tmp_path / "not" / "there" / "yet", 500_000_000)


def test_after_its_deadline_the_check_that_failed_is_named(make: Make) -> None:
    child = make("import time; print('still thinking', flush=True); time.sleep(60)")
    child.start()
    said: list[str] = []
    with pytest.raises(NotReady, match=r"child was not ready after 0 s: waiting for a primary") as late:
        wait_until_ready([Awaited(child, lambda: "waiting for a primary", 0.3)], said.append)
    assert said[0] == "child: waiting for a primary"
    assert late.value.log == ("still thinking",)


def test_only_the_lines_of_this_start_are_shown(make: Make) -> None:
    first = make("print('of the first start')")
    first.start()
    while first.pid:
        time.sleep(0.01)
    second = make("print('of the second start')")
    second.start()
    while second.pid:
        time.sleep(0.01)
    assert second.last_lines() == ["of the second start"]
