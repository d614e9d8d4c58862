"""What can go wrong when engines and services are fetched, started and stopped; each failure says what to do.

Failure
├── Misset             a setting is not as it must be
├── Unavailable        it cannot be had on this machine: no wheel, no network, a package left out
├── HashMismatch       a download is not what was locked
├── PortInUse          somebody else listens there
├── RunsElsewhere      it runs already, on other ports than the settings say
├── DiskFull           too little room to start, or the log says so
├── Died               it ended by itself before it was ready
├── NotReady           its deadline passed
└── Unreachable        an engine that the user named does not answer
"""

from collections.abc import Sequence
from pathlib import Path


class Failure(Exception):
    """Something did not start or stop. `remedy` is one line, `log` the last lines that the process wrote."""

    def __init__(self, what: str, remedy: str = "", log: Sequence[str] = ()) -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy
        self.log = tuple(log)

    def __str__(self) -> str:
        parts = [self.what]
        if self.remedy:
            parts.append(f"What to do: {self.remedy}")
        if self.log:
            parts.append("\n".join(["Its last lines:", *(f"  {line}" for line in self.log)]))
        return "\n".join(parts)


class Misset(Failure):
    def __init__(self, problems: str) -> None:
        super().__init__(f"{problems}.", "set them anew, or unset them to have their defaults.")


class Unavailable(Failure):
    """It cannot be had here. Tests skip for this alone."""


class HashMismatch(Failure):
    def __init__(self, artifact: str, expected: str, actual: str) -> None:
        super().__init__(
            f"{artifact} is not the file that was locked: sha256 {actual}, expected {expected}.",
            "It was not used. Try again; if it stays so, something on the way changes downloads.",
        )
        self.artifact, self.expected, self.actual = artifact, expected, actual


class PortInUse(Failure):
    def __init__(self, name: str, port: int, setting: str, pid: int | None = None, program: str = "") -> None:
        another = port + 100  # away from those of the other parts, which stand next to each other
        holder = f"process {pid}{f' ({program})' if program else ''}" if pid else "a process of another user"
        super().__init__(
            f"Port {port}, where {name} should listen, is held by {holder}.",
            f"stop it, or choose another port with {setting}, for example {setting}={another}.",
        )
        self.port, self.setting, self.pid = port, setting, pid


class RunsElsewhere(Failure):
    def __init__(self, name: str, pid: int, running: Sequence[int], wanted: Sequence[int], setting: str) -> None:
        super().__init__(
            f"{name} runs already, process {pid} on port {_and(running)}; the settings say {_and(wanted)}.",
            f"`praxis down` first, or set {setting}={running[0]} as when it was started.",
        )


class DiskFull(Failure):
    def __init__(self, folder: Path, free: int, needed: int, log: Sequence[str] = ()) -> None:
        super().__init__(
            f"Too little room in {folder}: {free / 1e6:,.0f} MB free, {needed / 1e6:,.0f} MB needed.",
            "make room, or keep state and downloads elsewhere (PRAXIS_HOME, PRAXIS_CACHE). Data are kept.",
            log,
        )
        self.folder, self.free, self.needed = folder, free, needed


class Died(Failure):
    def __init__(self, name: str, log_file: Path, log: Sequence[str], remedy: str = "") -> None:
        super().__init__(f"{name} ended before it was ready.", remedy or f"read {log_file}, then start again.", log)
        self.name = name


class NotReady(Failure):
    def __init__(self, name: str, waiting_for: str, seconds: float, log_file: Path, log: Sequence[str]) -> None:
        super().__init__(
            f"{name} was not ready after {seconds:.0f} s: {waiting_for}.",
            f"read {log_file}; `praxis status` shows what runs, `praxis down` stops it.",
            log,
        )
        self.name, self.waiting_for = name, waiting_for


class Unreachable(Failure):
    def __init__(self, name: str, address: str, setting: str, why: str) -> None:
        super().__init__(
            f"{name} does not answer at {address}: {why}.",
            f"start it, or unset {setting} so that Praxis starts its own.",
        )
        self.name, self.address, self.setting = name, address, setting


def _and(ports: Sequence[int]) -> str:
    return " and ".join(map(str, ports))
