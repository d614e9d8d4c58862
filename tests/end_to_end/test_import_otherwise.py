"""Files that are not as they should be: what can be recorded is, and every other row is named with its reason."""

import csv
from pathlib import Path

import pytest

from deploy.local.system import System
from tests.end_to_end.real_data import counts, praxis

COMMUNITIES = "community_ref,name,description\nward.7,Ward seven,\nward-7,Another ward,\nward-8,Ward eight,\n"
MEMBERSHIPS = """community_ref,person_ref,role,joined_on,left_on
ward-8,p1,member,31/01/2019,
ward-8,p2,member,03/04/2019,
ward-8,p3,chief,2019,
ward-7,p1,member,2019,
nowhere,p1,member,2019,
ward-8,p1,member,31/01/2019,
ward-8,p4,member,2020-05,2019-01
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ward")
    (folder / "communities.csv").write_text(COMMUNITIES)
    (folder / "memberships.csv").write_bytes(MEMBERSHIPS.replace("\n", "\r\n").encode("utf-8-sig"))
    return folder


def test_what_is_refused_is_named_by_file_line_field_and_reason(system: System, folder: Path) -> None:
    refused = folder / "refused.csv"
    run = praxis(system, "import", "--source=ward", f"--refused={refused}", *sorted(folder.glob("*s.csv")))
    assert run.code == 1
    assert counts(run) == {"communities": (2, 0, 1), "memberships": (1, 1, 5)}
    with refused.open(encoding="utf-8-sig", newline="") as file:
        told = {(Path(row["file"]).name, row["line"]): (row["field"], row["reason"]) for row in csv.DictReader(file)}
    assert {place: field for place, (field, _) in told.items()} == {
        ("communities.csv", "3"): "community_ref",
        ("memberships.csv", "3"): "joined_on",
        ("memberships.csv", "4"): "role",
        ("memberships.csv", "5"): "community_ref",
        ("memberships.csv", "6"): "community",
        ("memberships.csv", "8"): "left_on",
    }
    assert "--dates british" in told["memberships.csv", "3"][1]
    assert "'ward-7' and 'ward.7' would both be 'ward-7'" in told["communities.csv", "3"][1]


def test_what_was_ambiguous_is_read_once_it_is_said_how(system: System, folder: Path) -> None:
    run = praxis(system, "import", "--source=ward", "--dates=british", *sorted(folder.glob("*s.csv")))
    assert counts(run) == {"communities": (0, 2, 1), "memberships": (1, 2, 4)}


def test_a_reference_that_would_take_anothers_id_is_refused_by_the_server(system: System, tmp_path: Path) -> None:
    runs = []
    for ref in ("rehab.1", "rehab-1"):
        (tmp_path / "communities.csv").write_text(f"community_ref,name\n{ref},Rehabilitation\n")
        runs.append(praxis(system, "import", "--source=rehab", tmp_path / "communities.csv"))
    assert [counts(run)["communities"] for run in runs] == [(1, 0, 0), (0, 0, 1)]
    (refusal,) = runs[1].told["files"][0]["refusals"]
    assert (refusal["field"], refusal["line"]) == ("reference", 2)


def test_a_file_without_a_needed_column_sends_nothing(system: System, tmp_path: Path) -> None:
    (tmp_path / "communities.csv").write_text("community_ref,name\nnever-founded,Never\n")
    (tmp_path / "memberships.csv").write_text("community_ref,joined_on\nnever-founded,2019\n")
    run = praxis(system, "import", "--source=none", *sorted(tmp_path.glob("*.csv")))
    assert (run.code, run.told) == (1, {})
    assert "no column 'person_ref'" in run.errors
    assert '[memberships.columns]  person_ref = "its heading"' in run.errors
