"""A recording as it lies in its folder, and the checksums of all there are."""

import hashlib
import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.golden.figures import Line, read_facts
from tests.golden.known import Figures, Known

HERE = Path(__file__).parent
FILES = ("facts.jsonl.gz", "figures.json", "known.json", "records.jsonl")
CHECKSUMS = "SHA256SUMS"
"""Of every file of every recording, as `sha256sum --check` takes it."""
REMEDY = (
    "not as it was recorded: restore it; where the release is not published yet, delete its folder and record it anew; "
    "where figures were changed on purpose as docs/how-to/release.md has it, "
    "`python -m tests.golden.record --seal RELEASE`"
)
RELEASE = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)", re.ASCII)


class NotAsRecorded(Exception):
    """Files of a recording were changed, or are gone: nothing is read of it."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(f"{', '.join(names)}: {REMEDY}")


class Recording(NamedTuple):
    facts: list[Line]
    figures: Figures
    records: Figures
    """By id."""
    known: Known


def read(folder: Path) -> Recording:
    """
    Raises:
        NotAsRecorded: it is not whole.
    """
    if names := [name for name in broken(folder.parent) if name.startswith(f"{folder.name}/")]:
        raise NotAsRecorded(names)
    lines = (folder / "records.jsonl").read_text(encoding="utf-8").splitlines()
    return Recording(
        facts=read_facts(folder / "facts.jsonl.gz"),
        figures=json.loads((folder / "figures.json").read_text(encoding="utf-8")),
        records=dict(json.loads(line) for line in lines),
        known=json.loads((folder / "known.json").read_text(encoding="utf-8")),
    )


def write(folder: Path, packed: bytes, figures: Figures, records: Mapping[str, Any], known: Known) -> None:
    """All of it or nothing: what is broken off leaves no folder of a release."""
    lines = [json.dumps(one, ensure_ascii=False, sort_keys=True) + "\n" for one in sorted(records.items())]
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as temporary:
        whole = Path(temporary) / folder.name
        whole.mkdir()
        (whole / "facts.jsonl.gz").write_bytes(packed)
        (whole / "figures.json").write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        (whole / "records.jsonl").write_text("".join(lines), encoding="utf-8")
        (whole / "known.json").write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
        whole.rename(folder)


def releases(here: Path = HERE) -> list[Path]:
    return sorted(path for path in here.iterdir() if path.is_dir() and RELEASE.fullmatch(path.name))


def seal(here: Path, release: str) -> None:
    """Take down the checksums of a release's files, those of the others as they are."""
    others = {name: digest for name, digest in _sealed(here).items() if not name.startswith(f"{release}/")}
    sums = {**others, **_digests(here, here / release)}
    (here / CHECKSUMS).write_text("".join(f"{sums[name]}  {name}\n" for name in sorted(sums)), encoding="utf-8")


def broken(here: Path = HERE) -> list[str]:
    """The files of recordings that are not as they were recorded, are gone, or were never sealed."""
    sealed, there, whole = _sealed(here), dict[str, str](), set[str]()
    for folder in releases(here):
        there |= _digests(here, folder)
        whole |= {f"{folder.name}/{name}" for name in FILES}
    names = sealed.keys() | there.keys() | whole
    return sorted(name for name in names if name not in there or there[name] != sealed.get(name))


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
