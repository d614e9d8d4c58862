"""Where the suite tells what came of its runs."""

import sys

from rich.console import Console

WIDTH = 140
"""Characters, where nobody says how wide the output is: no heading of a table breaks."""

console = Console(width=None if sys.stdout.isatty() else WIDTH)
