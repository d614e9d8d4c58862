"""Mistakes made on purpose, in a copy of this checkout: the suite is worth what it finds.

python -m tests.faults.sabotage [NAME …]
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from deploy.local.settings import REPOSITORY
from tests.faults.check import check
from tests.faults.console import console
from tests.faults.history import ABOUT, History
from tests.faults.mistakes import MISTAKES, Mistake, applied

BY_NAME = {mistake.name: mistake for mistake in MISTAKES}


def _mistake(name: str) -> Mistake:
    if name not in BY_NAME:
        raise argparse.ArgumentTypeError(f"no mistake is called '{name}'; there are {', '.join(BY_NAME)}")
    return BY_NAME[name]


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.sabotage")
    words = f"all of them if left out: {', '.join(BY_NAME)}"
    parser.add_argument("mistakes", nargs="*", type=_mistake, metavar="NAME", help=words)
    shown, missed = Table("Mistake", "Found by", "As"), 0
    for mistake in parser.parse_args(arguments).mistakes or MISTAKES:
        found_by, kinds = _found(mistake)
        missed += not kinds
        as_what = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
        shown.add_row(mistake.name, found_by, as_what or "NOT FOUND")
        console.print(f"{mistake.name}: {as_what or 'not found'} ({found_by})")
    console.print(shown)
    return 1 if missed else 0


def _found(mistake: Mistake) -> tuple[str, Counter[str]]:
    with tempfile.TemporaryDirectory(prefix="praxis-sabotage-") as folder:
        copy = Path(folder) / "checkout"
        for name in ("services", "shared", "deploy", "tests"):
            shutil.copytree(REPOSITORY / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        for path, text in applied(mistake, copy).items():
            path.write_text(text)
        for fault, seed in mistake.strikes:
            histories = Path(folder) / f"{fault}-{seed}"
            command = [sys.executable, "-m", "tests.faults", fault, "--seeds", "1", "--first", str(seed)]
            done = subprocess.run(
                [*command, "--histories", str(histories)],
                cwd=copy,
                env={**os.environ, "PYTHONPATH": str(copy)},
                capture_output=True,
                text=True,
                check=False,
            )
            kept = list(histories.glob(f"*/{ABOUT}"))
            if not kept:
                console.print(done.stdout[-2_000:] + done.stderr[-2_000:], markup=False)
                continue
            kinds = Counter(str(anomaly.kind) for about in kept for anomaly in check(History.load(about.parent)))
            if kinds:
                return f"{fault} {seed}", kinds
    return ", ".join(f"{fault} {seed}" for fault, seed in mistake.strikes), Counter()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
