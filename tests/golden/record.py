"""Record the history of a release, with the records and the figures that it gives.

It is recorded only if a plain recount gives the same figures, and the facts leave out no kind of fact and no field.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.golden import recording
from tests.golden.differences import differences, told
from tests.golden.figures import Line, figures_of, read_facts, records_of, replayed, write_facts
from tests.golden.history import SEED, History, lacking
from tests.golden.known import known_now, known_records
from tests.golden.recount import recounted


def record(folder: Path) -> int:
    """Record it, if it is as it must be; how many facts it has."""
    history = History(SEED)
    if absent := lacking(one.fact for one in history.recorded):
        sys.exit(f"tests/golden/history.py tells nothing of {', '.join(absent)}: let it")
    lines, packed = _delivered(history)
    memory = replayed(lines)
    figures = figures_of(memory)
    plainly = json.loads(json.dumps(recounted(lines)))
    if differ := differences({name: json.loads(json.dumps(figures[name])) for name in plainly}, plainly):
        sys.exit(f"a plain recount (tests/golden/recount.py) gives other figures:\n{told(differ, 'recounted')}")
    known = known_now(figures)
    recording.write(folder, packed, figures, known_records(records_of(memory), known), known)
    recording.seal(folder.parent, folder.name)
    return len(lines)


def main(arguments: Sequence[str] | None = None, here: Path = recording.HERE) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.golden.record", description=__doc__)
    parser.add_argument("release", type=_release, help="its number, as in 0.2.0")
    parser.add_argument(
        "--seal",
        action="store_true",
        help="take down the checksums of a recording in which figures were changed on purpose; record nothing",
    )
    asked = parser.parse_args(arguments)
    folder = here / asked.release
    if asked.seal and not folder.exists():
        parser.error(f"tests/golden/{asked.release} is not there")
    if asked.seal:
        recording.seal(here, asked.release)
        sys.stdout.write(f"tests/golden/{recording.CHECKSUMS}: {asked.release} as it is now\n")
        return
    if folder.exists() and any(folder.iterdir()):
        parser.error(
            f"tests/golden/{asked.release} is there: what a release recorded does not change. Until it is published, "
            f"delete the folder to record it anew"
        )
    sys.stdout.write(f"tests/golden/{asked.release}: {record(folder)} facts\n")


def _delivered(history: History) -> tuple[list[Line], bytes]:
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "facts.jsonl.gz"
        write_facts(path, history.delivered())
        return read_facts(path), path.read_bytes()


def _release(number: str) -> str:
    if not recording.RELEASE.fullmatch(number):
        raise argparse.ArgumentTypeError(f"{number!r} is no release; one is called as in 0.2.0")
    return number


if __name__ == "__main__":
    main()
