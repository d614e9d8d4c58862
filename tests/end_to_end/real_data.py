"""Real records, read from outside the repository; the command as it is called; views as they come."""

import csv
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from deploy.local.settings import REPOSITORY
from deploy.local.system import System
from shared.events.words import slug
from tests import command

View = dict[str, Any]


@dataclass(frozen=True)
class Run:
    code: int
    told: View
    errors: str


def folder(name: str) -> Path:
    """A folder of the real records; where it is absent the test is skipped, saying so."""
    data = Path(os.environ.get("PRAXIS_DATA") or REPOSITORY.parent / "shared" / "data")
    if not (data / name).is_dir():
        pytest.skip(f"no real records in {data / name}: PRAXIS_DATA names the folder that holds them")
    return data / name


def table(path: Path) -> list[dict[str, str]]:
    """A file as the test itself reads it: plainly, and all at once."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def praxis(system: System, *arguments: str | Path) -> Run:
    """The command in a process of its own, against this system, answering in JSON."""
    code, said, errors = command.praxis(system, *map(str, arguments), "--json")
    return Run(code, json.loads(said) if said else {}, errors)


def counts(run: Run) -> dict[str, tuple[int, int, int]]:
    """kind -> created, unchanged, refused"""
    return {file["kind"]: (file["created"], file["unchanged"], file["refused"]) for file in run.told["files"]}


def about(ref: str, positions: Sequence[str]) -> Iterator[str]:
    """Those of the positions that are about the community of this reference."""
    key = f"/community.{slug(ref)}@"
    return (position for position in positions if key in position)


def figure(view: View, measure: str) -> View:
    found: View = next(one for one in view["figures"] if one["measure"] == measure)
    return found


def value(view: View, measure: str) -> Any:
    return figure(view, measure)["value"]
