"""What `praxis up`, `down` and `status` say when there is nothing to do or something in the way."""

import json
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from deploy import cli
from deploy.local.settings import Ports


@pytest.fixture(autouse=True)
def _own_home_and_ports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PRAXIS_KAFKA", "PRAXIS_MONGO"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PRAXIS_HOME", str(tmp_path / "home"))
    for name, port in Ports.free():
        monkeypatch.setenv(f"PRAXIS_{name.upper()}_PORT", str(port))


def praxis(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["praxis", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


def test_status_lists_every_part_and_fails_while_it_is_not_ready(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert praxis(monkeypatch, "status", "--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert told["ready"] is False
    assert {part["name"]: part["state"] for part in told["parts"]} == dict.fromkeys(
        ("kafka", "mongo", "membership", "convenings", "metrics", "gateway"), "stopped"
    )


def test_what_finds_no_room_says_so_without_a_traceback() -> None:
    command = [sys.executable, "-c", "from deploy.cli import main; main()", "status"]
    with Path("/dev/full").open("w") as full:
        said = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert said.returncode == 1
    assert "The disk is full" in said.stderr
    assert "Traceback" not in said.stderr


def test_down_with_nothing_running_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert praxis(monkeypatch, "down") == 0
    assert "nothing was running" in capsys.readouterr().out


def test_a_port_in_use_ends_up_with_its_remedy_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setenv("PRAXIS_METRICS_PORT", str(port))
        assert praxis(monkeypatch, "up") == 1
    told = capsys.readouterr().err
    assert f"Port {port}, where metrics should listen" in told
    assert "choose another port with PRAXIS_METRICS_PORT" in told
    assert "Traceback" not in told


def test_a_named_engine_that_does_not_answer_ends_up_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PRAXIS_KAFKA", "127.0.0.1:1")
    assert praxis(monkeypatch, "up") == 1
    assert "Kafka does not answer at 127.0.0.1:1" in capsys.readouterr().err
