"""A recording as it lies in its folder, and the checksums of all there are."""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tests.golden.figures import Line, read_facts
from tests.golden.known import Figures, Known

HERE = Path(__file__).parent
CHECKSUMS = "SHA256SUMS"
"""Of every file of every recording, as `sha256sum --check` takes it."""
REMEDY = (
    "not as it was recorded: restore it, or, where figures were changed on purpose as docs/how-to/release.md has it, "
    "`python -m tests.golden.record --seal RELEASE`"
)
RELEASE = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)", re.ASCII)


class Recording(NamedTuple):
    facts: list[Line]
    figures: Figures
    records: Figures
    """By id."""
    known: Known


def read(folder: Path) -> Recording:
    lines = (folder / "records.jsonl").read_text(encoding="utf-8").splitlines()
    return Recording(
        facts=read_facts(folder / "facts.jsonl.gz"),
        figures=json.loads((folder / "figures.json").read_text(encoding="utf-8")),
        records=dict(json.loads(line) for line in lines),
        known=json.loads((folder / "known.json").read_text(encoding="utf-8")),
    )


def write(folder: Path, packed: bytes, figures: Figures, records: Mapping[str, Any], known: Known) -> None:
    folder.mkdir(parents=True)
    (folder / "facts.jsonl.gz").write_bytes(packed)
    (folder / "figures.json").write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    lines = [json.dumps(one, ensure_ascii=False, sort_keys=True) + "\n" for one in sorted(records.items())]
    (folder / "records.jsonl").write_text("".join(lines), encoding="utf-8")
    (folder / "known.json").write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")


def releases(here: Path = HERE) -> list[Path]:
    return sorted(path for path in here.iterdir() if path.is_dir() and RELEASE.fullmatch(path.name))


def seal(here: Path, release: str) -> None:
    """Take down the checksums of a release's files, those of the others as they are."""
    others = {name: digest for name, digest in _sealed(here).items() if not name.startswith(f"{release}/")}
    sums = {**others, **_digests(here, here / release)}
    (here / CHECKSUMS).write_text("".join(f"{sums[name]}  {name}\n" for name in sorted(sums)), encoding="utf-8")


def broken(here: Path = HERE) -> list[str]:
    """The files of recordings that are not as they were recorded, are gone, or were never sealed."""
    sealed, there = _sealed(here), dict[str, str]()
    for folder in releases(here):
        there |= _digests(here, folder)
    return sorted(name for name in sealed.keys() | there.keys() if sealed.get(name) != there.get(name))


def _sealed(here: Path) -> dict[str, str]:
    """Name -> digest."""
    if not (here / CHECKSUMS).exists():
        return {}
    lines = (here / CHECKSUMS).read_text(encoding="utf-8").splitlines()
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}


def _digests(here: Path, folder: Path) -> dict[str, str]:
    return {
        path.relative_to(here).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()
    }
