"""A child process: started in a session of its own, found again by its pid file, awaited, stopped."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path

import psutil

from deploy.local.failures import Died, DiskFull, NotReady, PortInUse, RunsElsewhere

POLL = 0.05
NO_SPACE = "No space left on device"
NOTHING_LEFT = 16_000_000  # bytes: what ends with no more than these ended for that, whatever it calls it
LOG_LIMIT = 20_000_000  # bytes; a longer log is put aside when its process starts
LOG_END = 1_000_000  # bytes: after the reason why it aborts, mongod writes a backtrace of about 75,000
NEEDED_TO_RUN = 500_000_000  # bytes: Kafka's and MongoDB's journals, with room for a demonstration

Say = Callable[[str], None]
"""Told, in a line, what is being waited for."""


class State(StrEnum):
    RUNNING = "running"
    STOPPED = "stopped"
    KILLED = "killed"
    """It was started and not stopped, and is gone."""


@dataclass(frozen=True)
class Identity:
    """A pid alone is reused; with the moment it was started and its command line it is one process."""

    pid: int
    started: float
    """Seconds after the machine's start, so that a clock that is set does not matter."""
    command: tuple[str, ...]
    ports: tuple[int, ...] = ()

    def alive(self) -> bool:
        try:
            process = psutil.Process(self.pid)
            if process.status() == psutil.STATUS_ZOMBIE or abs(_started(process) - self.started) > 0.5:
                return False
            return tuple(process.cmdline()) == self.command
        except psutil.AccessDenied:
            return False  # somebody else's now
        except psutil.NoSuchProcess:
            return False


def _started(process: psutil.Process) -> float:
    return process.create_time() - psutil.boot_time()


@dataclass(frozen=True)
class Listens:
    """A port that a process opens, and the setting by which the user moves it."""

    port: int
    setting: str


@dataclass
class Child:
    """A process by name in a home: at most one runs. Its pid file is removed when it is stopped."""

    name: str
    home: Path
    command: Sequence[str]
    listens: Sequence[Listens] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None
    data: Path | None = None
    """Where it keeps its data, if it does: that disk may be full."""
    grace: float = 20.0
    """Seconds from SIGTERM to SIGKILL."""
    _log_begin: int = field(default=0, repr=False)
    _started_here: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def pid_file(self) -> Path:
        return self.home / "run" / f"{self.name}.json"

    @property
    def log_file(self) -> Path:
        return self.home / "logs" / f"{self.name}.log"

    @property
    def pid(self) -> int | None:
        identity = self._identity()
        return identity.pid if identity and self._alive(identity) else None

    @property
    def state(self) -> State:
        identity = self._identity()
        if identity is None:
            return State.STOPPED
        return State.RUNNING if self._alive(identity) else State.KILLED

    def runs_here(self) -> bool:
        """Whether it runs; refused if it does so on other ports than these."""
        identity = self._identity()
        if identity is None or not self._alive(identity):
            return False
        wanted = tuple(listens.port for listens in self.listens)
        if identity.ports != wanted:
            setting = self.listens[0].setting
            raise RunsElsewhere(self.name, identity.pid, identity.ports, wanted, setting)
        return True

    def start(self) -> bool:
        """Start it unless it runs; true if it was started. What a killed one left behind does not disturb."""
        if self.runs_here():
            return False
        for listens in self.listens:
            require_free(self.name, listens)
        self.pid_file.parent.mkdir(parents=True, exist_ok=True)
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        if self.log_file.exists() and self.log_file.stat().st_size > LOG_LIMIT:
            self.log_file.replace(self.log_file.with_suffix(".log.1"))
        with self.log_file.open("ab") as log:
            self._log_begin = log.tell()
            child = subprocess.Popen(
                list(self.command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env={**os.environ, **self.environment},
                start_new_session=True,  # Ctrl-C at the terminal is not for it
            )
        self._started_here = child
        with suppress(psutil.NoSuchProcess):
            ports = tuple(listens.port for listens in self.listens)
            started = _started(psutil.Process(child.pid))
            self._remember(Identity(child.pid, started, tuple(self.command), ports))
        return True

    def signal(self, number: signal.Signals) -> None:
        """Send a signal if it runs: SIGSTOP freezes it, SIGCONT lets it go on."""
        if pid := self.pid:
            os.kill(pid, number)

    def kill(self) -> None:
        """SIGKILL to it and all that it started, as when the machine takes it away. Its pid file stays."""
        if pid := self.pid:
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
            self._wait_gone(10.0)

    def ask_to_stop(self) -> None:
        with suppress(ProcessLookupError):
            self.signal(signal.SIGTERM)

    def stop(self) -> bool:
        """Stop it, wait until it is gone; true if it ran. A stale pid file is removed, its pid untouched."""
        ran = self.pid is not None
        if ran:
            self.ask_to_stop()
            if not self._wait_gone(self.grace):
                self.kill()
        self.pid_file.unlink(missing_ok=True)
        return ran

    def last_lines(self, count: int = 12) -> list[str]:
        """The end of its log, of this start if it was started here."""
        return [line[:400] for line in self._end_of_log().splitlines() if line.strip()][-count:]

    def failed(self) -> Died | DiskFull | PortInUse:
        """Why it ended, as far as its log tells."""
        lines, text = self.last_lines(), self._end_of_log()
        disk, free = self._disk()
        if NO_SPACE in text or free < NOTHING_LEFT:
            return DiskFull(disk, free, NEEDED_TO_RUN, lines)
        if "ddress already in use" in text:
            for listens in self.listens:
                require_free(self.name, listens)
        return Died(self.name, self.log_file, lines)

    def still_full(self) -> DiskFull | None:
        """Whether its disk is full, so that it ended for that, and would again."""
        disk, free = self._disk()
        is_full = free < NOTHING_LEFT or (free < NEEDED_TO_RUN and NO_SPACE in self._end_of_log())
        return DiskFull(disk, free, NEEDED_TO_RUN) if is_full else None

    def _disk(self) -> tuple[Path, int]:
        """Where it writes, and how much room is left there."""
        disk = self.data or self.home
        return disk, shutil.disk_usage(disk if disk.exists() else self.home).free

    def _end_of_log(self) -> str:
        if not self.log_file.exists():
            return ""
        with self.log_file.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(self._log_begin, size - LOG_END))
            return log.read().decode(errors="replace")

    def _identity(self) -> Identity | None:
        try:
            stored = json.loads(self.pid_file.read_text())
            command, ports = tuple(stored["command"]), tuple(stored["ports"])
            return Identity(int(stored["pid"]), float(stored["started"]), command, ports)
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError):
            return Identity(-1, 0.0, ())  # half written when the disk was full: started, and not to be found

    def _remember(self, identity: Identity) -> None:
        written = self.pid_file.with_suffix(".new")
        written.write_text(json.dumps(asdict(identity)))
        written.replace(self.pid_file)

    def _alive(self, identity: Identity) -> bool:
        if self._started_here is not None and self._started_here.pid == identity.pid:
            return self._started_here.poll() is None  # reaps it as well
        return identity.pid > 0 and identity.alive()

    def _wait_gone(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self.pid is not None:
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL)
        return True


def require_free(name: str, listens: Listens) -> None:
    """Refuse with who holds the port, where the machine lets us see it."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", listens.port))
        except OSError:
            pid = _holder(listens.port)
            program = ""
            with suppress(psutil.Error):
                program = psutil.Process(pid).name() if pid else ""
            raise PortInUse(name, listens.port, listens.setting, pid, program) from None


def _holder(port: int) -> int | None:
    with suppress(psutil.Error):
        for connection in psutil.net_connections("inet"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port:
                return connection.pid
    return None


def require_room(folder: Path, needed: int) -> None:
    existing = folder
    while not existing.exists():
        existing = existing.parent
    free = shutil.disk_usage(existing).free
    if free < needed:
        raise DiskFull(folder, free, needed)


@dataclass(frozen=True)
class Awaited:
    """A process and the question whether it is ready: nothing if so, else what it waits for."""

    child: Child
    waiting_for: Callable[[], str | None]
    seconds: float


def wait_until_ready(awaited: Sequence[Awaited], say: Say) -> None:
    """Wait for all of them at once; fail with the check that failed and the last lines of that log."""
    begun = time.monotonic()
    pending = list(awaited)
    while pending:
        still: list[Awaited] = []
        reasons: list[str] = []
        for each in pending:
            if each.child.pid is None:
                raise each.child.failed()
            reason = each.waiting_for()
            if reason is None:
                continue
            if time.monotonic() - begun > each.seconds:
                raise NotReady(each.child.name, reason, each.seconds, each.child.log_file, each.child.last_lines())
            still.append(each)
            reasons.append(f"{each.child.name}: {reason}")
        pending = still
        if pending:
            others = ", ".join(each.child.name for each in pending[1:])
            say(reasons[0] + (f" (and for {others})" if others else ""))
            time.sleep(POLL)
