"""Small disks under the data of an engine, so that one can be filled without harm to the machine."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from deploy.local.failures import Unavailable

STEP = 1_000_000
SOURCE = "praxis-small-disk-"  # and the process that mounted it


@dataclass(frozen=True)
class SmallDisk:
    folder: Path

    @property
    def free(self) -> int:
        return shutil.disk_usage(self.folder).free

    @property
    def _ballast(self) -> Path:
        return self.folder / "ballast"

    def fill(self) -> None:
        """To the brim: not a byte is left to others."""
        with self._ballast.open("ab", buffering=0) as ballast, suppress(OSError):
            while (left := self.free) > 0:
                ballast.write(bytes(min(left, STEP)))

    def empty(self) -> None:
        self._ballast.unlink(missing_ok=True)


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[SmallDisk]:
    """Memory is mounted as a disk of this size.

    Raises:
        Unavailable: this machine does not permit it.
    """
    folder.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", f"{SOURCE}{os.getpid()}", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        why = done.stderr.strip() if done.returncode else None
    except OSError as problem:
        why = str(problem)
    if why:
        remedy = "run the fault as root, in a container with --cap-add SYS_ADMIN, or leave out disk-full."
        raise Unavailable(f"A small disk cannot be mounted as user {os.geteuid()}: {why}.", remedy)
    try:
        yield SmallDisk(folder)
    finally:
        _unmount(folder)


def unmount_what_was_left() -> None:
    """By earlier runs that were killed."""
    for line in Path("/proc/mounts").read_text().splitlines() if Path("/proc/mounts").exists() else ():
        source, folder, *_ = line.split()
        owner = source.removeprefix(SOURCE)
        if owner != source and not psutil.pid_exists(int(owner)):
            _unmount(Path(folder))


def _unmount(folder: Path) -> None:
    subprocess.run(["umount", "--lazy", str(folder)], check=False)
