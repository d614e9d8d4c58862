"""The `praxis` command as it is started."""

import subprocess
import sys

from deploy.local.settings import REPOSITORY

INTERRUPTED_WHILE_LOADING = """
import sys
from deploy.command import main

class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == "deploy.cli":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupting())
main()
"""


def test_who_interrupts_it_while_it_is_loaded_sees_no_traceback() -> None:
    command = [sys.executable, "-c", INTERRUPTED_WHILE_LOADING]
    ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "")
