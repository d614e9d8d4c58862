"""The checker: compares a history with itself, and says in Jepsen's words what is wrong with it."""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from tests.faults.anomaly import Anomaly, Kind
from tests.faults.checks import answering, bearing, folding, forgetting, relaying, writing
from tests.faults.history import ABOUT, BROKE_OFF, PARTS, History

OF_FACTS = ("events", "planted")
CHECKS: Sequence[Callable[[History], Iterator[Anomaly]]] = (
    answering.answered,
    answering.refused,
    writing.recorded,
    writing.accounted_for,
    writing.numbered,
    writing.passed_on,
    forgetting.forgotten,
    forgetting.remembered,
    relaying.carried,
    relaying.left,
    relaying.settled,
    relaying.went_on,
    folding.folded,
    folding.seen,
    folding.kept_as_said,
    folding.counted,
    folding.read,
    folding.buried,
    bearing.kept_small,
    bearing.stopped,
    bearing.explained,
)


class Lacking(KeyError):
    """A line of a history lacks a key that a check needs."""

    def __init__(self, where: str, key: str) -> None:
        super().__init__(key)
        self.where = where


def check(history: History) -> list[Anomaly]:
    """Everything that is wrong, in the order in which a fact goes its way; an empty list as a rule."""
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
    except KeyError as missing:  # no run writes such a line
        if not (where := _where_it_is_missing(history, missing.args[0])):
            raise
        sys.exit(f"{folder} cannot be checked: {where} lacks the key {missing.args[0]!r}")
    print(f"{folder}: {len(history.acknowledged())} commands acknowledged, {len(history.events)} facts")  # noqa: T201
    for anomaly in anomalies:
        print(f"  {anomaly}")  # noqa: T201
    print("  no anomalies" if not anomalies else f"  {len(anomalies)} anomalies")  # noqa: T201
    return 1 if anomalies else 0


class _Line(dict[str, Any]):
    """What stands somewhere in a line of a history, and knows where."""

    where = ""

    def __missing__(self, key: str) -> NoReturn:
        raise Lacking(self.where, key)


def _where_it_is_missing(history: History, key: Any) -> str | None:
    """The file and the line that have made a check fail; None where no line is to blame."""
    placed = {
        part: [_placed(line, _place(part, at)) for at, line in enumerate(getattr(history, part))] for part in PARTS
    }
    try:
        check(History(history.about, **placed))
    except Lacking as lacking:
        return lacking.where
    except KeyError:  # of a copy, which knows no place: it is one of facts' data, and others of its type state the key
        facts = [(_place(part, at), one) for part in OF_FACTS for at, one in enumerate(getattr(history, part))]
        stating = {one.get("type") for _, one in facts if key in one.get("data", ())}
        lacking_it = (where for where, one in facts if one.get("type") in stating and key not in one.get("data", ()))
        return next(lacking_it, None)
    return None


def _place(part: str, index: int) -> str:
    return f"{part}.jsonl, line {index + 1}"


def _placed(value: Any, where: str) -> Any:
    if isinstance(value, list):
        return [_placed(one, where) for one in value]
    if not isinstance(value, dict):
        return value
    line = _Line({name: _placed(held, where) for name, held in value.items()})
    line.where = where
    return line


if __name__ == "__main__":
    sys.exit(main())
