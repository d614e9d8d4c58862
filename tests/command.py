"""The `praxis` command in a process of its own, on a system."""

import os
import subprocess
import sys

from deploy.local.settings import REPOSITORY
from deploy.local.system import System


def praxis(system: System, *arguments: str) -> tuple[int, str, str]:
    """Its exit code, what it said, what it complained of."""
    process = begun(system, *arguments)
    said, complaints = process.communicate()
    return process.returncode, said, complaints


def begun(system: System, *arguments: str) -> subprocess.Popen[str]:
    """While it runs: it and what it starts are a group of processes, with its own id."""
    ports = {f"PRAXIS_{name.upper()}_PORT": str(port) for name, port in system.ports.model_dump().items()}
    own = {"PRAXIS_HOME": str(system.home), "PRAXIS_GATEWAY": system.gateway, **ports}
    return subprocess.Popen(
        [sys.executable, "-c", "from deploy.command import main; main()", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **own},
        cwd=REPOSITORY,
        start_new_session=True,
    )
