"""The checker: compares a history with itself, and says in Jepsen's words what is wrong with it."""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tests.faults.anomaly import Anomaly, Kind
from tests.faults.checks import answering, bearing, beginning, folding, forgetting, living, relaying, showing, writing
from tests.faults.history import ABOUT, BROKE_OFF, History

CHECKS: Sequence[Callable[[History], Iterator[Anomaly]]] = (
    answering.answered,
    answering.probed,
    answering.refused,
    beginning.refused,
    beginning.in_turn,
    writing.recorded,
    writing.accounted_for,
    writing.truly_told,
    writing.numbered,
    writing.in_time,
    writing.apart,
    writing.passed_on,
    forgetting.forgotten,
    forgetting.remembered,
    relaying.carried,
    relaying.together,
    relaying.once,
    relaying.left,
    relaying.settled,
    relaying.went_on,
    folding.folded,
    folding.seen,
    folding.kept_as_said,
    folding.counted,
    folding.buried,
    showing.read,
    showing.viewed,
    bearing.told,
    bearing.kept_small,
    bearing.stopped,
    bearing.explained,
    living.lived,
)


def check(history: History) -> list[Anomaly]:
    """Everything that is wrong, in the order in which a fact goes its way; an empty list as a rule. Of a run that
    somebody interrupted nothing is known.
    """
    if history.is_interrupted:
        return []
    broke_off = [line for line in history.nemesis if line["what"] == BROKE_OFF]
    if broke_off:
        return [Anomaly(Kind.STUCK, "the run itself", f"broke off: {line['why']}") for line in broke_off]
    return [anomaly for part in CHECKS for anomaly in part(history)]


def histories(folder: Path) -> list[Path]:
    """The folders of the histories that are there, or the folder itself."""
    return sorted(about.parent for about in folder.rglob(ABOUT)) or [folder]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults.check", description="Check saved histories once more."
    )
    parser.add_argument(
        "folders", nargs="+", type=Path, metavar="FOLDER", help="of one history, or one that holds several"
    )
    folders: list[Path] = parser.parse_args(arguments).folders
    return max(_told(one) for folder in folders for one in histories(folder))


def _told(folder: Path) -> int:
    try:
        history = History.load(folder)
    except (OSError, ValueError) as problem:  # not there, or not as a run writes it
        sys.exit(f"{folder} holds no history: {problem}. Name the folder that a run tells at its end, or one within it")
    try:
        anomalies = check(history)
    except KeyError as missing:
        sys.exit(f"{folder} cannot be checked: a line of it lacks the key {missing}, which no run leaves out")
    print(f"{folder}: {len(history.acknowledged())} commands acknowledged, {len(history.events)} facts")  # noqa: T201
    if history.is_interrupted:
        print("  interrupted: not checked")  # noqa: T201
        return 0
    for anomaly in anomalies:
        print(f"  {anomaly}")  # noqa: T201
    print("  no anomalies" if not anomalies else f"  {len(anomalies)} anomalies")  # noqa: T201
    return 1 if anomalies else 0


if __name__ == "__main__":
    sys.exit(main())
