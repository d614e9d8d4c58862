"""python -m tests.golden.record NAME: record the history of a release, with the figures that it gives.

They are recorded only if a plain recount gives the same, and every fact of the language is among the facts.
"""

import json
import sys
import tempfile
from pathlib import Path

from shared.events.fact import FACTS
from tests.golden.figures import folded, read_facts, write_facts
from tests.golden.history import History
from tests.golden.recount import recounted

HERE = Path(__file__).parent
SEED = 20190131


def record(folder: Path) -> int:
    """Record it, if it is as it must be; how many facts it has."""
    with tempfile.TemporaryDirectory() as temporary:
        recording = Path(temporary) / "facts.jsonl.gz"
        write_facts(recording, History(SEED).delivered())
        lines, packed = read_facts(recording), recording.read_bytes()
    absent = sorted(FACTS.keys() - {line["headers"]["ce_type"] for line in lines})
    if absent:
        sys.exit(f"tests/golden/history.py tells nothing of {', '.join(absent)}: let it")
    figures = folded(lines)
    for name, expected in recounted(lines).items():
        if figures[name] != expected:
            sys.exit(f"{name} is folded to other figures than a plain recount gives: see tests/golden/recount.py")
    folder.mkdir(parents=True)
    (folder / "facts.jsonl.gz").write_bytes(packed)
    (folder / "figures.json").write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n")
    return len(lines)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    (release,) = sys.argv[1:]
    if (HERE / release).exists():
        sys.exit(f"tests/golden/{release} is there: what a release recorded does not change")
    sys.stdout.write(f"tests/golden/{release}: {record(HERE / release)} facts\n")
