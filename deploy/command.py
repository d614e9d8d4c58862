"""The `praxis` command from its first moment on: loading all that it is made of takes a second, and more under load."""

import sys


def main() -> None:
    """Run the command; interrupted, it ends without a traceback, also while it is still being loaded."""
    try:
        from deploy.cli import main as run  # what takes long to load is loaded in here

        run()
    except KeyboardInterrupt:
        sys.exit(130)  # as of a process that SIGINT has ended
