"""Recording a release, and what keeps a recording from being thinned out."""

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from msgspec import Struct, to_builtins

from tests.golden import recording
from tests.golden.figures import figures_of, records_of, replayed
from tests.golden.known import Known
from tests.golden.record import main

NOTHING = Known(figures=[], measures={}, fields={})


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    here = tmp_path_factory.mktemp("golden")
    main(["0.2.0"], here)
    return here


@pytest.fixture
def here(recorded: Path, tmp_path: Path) -> Path:
    """A copy, to spoil."""
    return Path(shutil.copytree(recorded, tmp_path / "golden"))


def test_a_recording_holds_all_that_the_facts_give(recorded: Path) -> None:
    facts, figures, records, known = recording.read(recorded / "0.2.0")
    memory = replayed(facts)
    assert figures == json.loads(json.dumps(figures_of(memory)))
    assert records == {id: json.loads(json.dumps(record.to_store())) for id, record in records_of(memory).items()}
    assert known["figures"] == sorted(figures)
    assert recording.broken(recorded) == []


def test_a_recording_made_now_would_leave_no_field_of_a_record_unstated(recorded: Path) -> None:
    """A fold that drops one would be noticed only by a recording that holds it."""
    facts, _, _, known = recording.read(recorded / "0.2.0")
    seen = {place for record in records_of(replayed(facts)).values() for place in stated(record, record.kind)}
    assert {f"{place}.{name}" for place, names in known["fields"].items() for name in names} - seen == set()


def stated(value: object, place: str) -> Iterator[str]:
    """The fields that are there, of the record and of its parts."""
    match value:
        case Struct():
            for name in to_builtins(value, enc_hook=str):
                yield f"{place}.{name}"
                yield from stated(getattr(value, name), f"{place}.{name}")
        case Mapping():
            for held in value.values():
                yield from stated(held, place)
        case tuple():
            for held in value:
                yield from stated(held, place)
        case _:
            pass


def test_a_measure_that_is_taken_out_of_a_recording_is_missed(here: Path) -> None:
    path = here / "0.2.0" / "figures.json"
    figures = json.loads(path.read_text())
    for scopes in figures["sums"].values():
        for of_scope in scopes.values():
            of_scope.pop("completions", None)
    path.write_text(json.dumps(figures))
    assert recording.broken(here) == ["0.2.0/figures.json"]


@pytest.mark.parametrize("name", recording.FILES)
def test_a_file_that_is_gone_is_missed(here: Path, name: str) -> None:
    (here / "0.2.0" / name).unlink()
    assert recording.broken(here) == [f"0.2.0/{name}"]


def test_an_empty_folder_of_a_release_misses_all_its_files(here: Path) -> None:
    (here / "0.3.0").mkdir()
    assert recording.broken(here) == [f"0.3.0/{name}" for name in recording.FILES]


@pytest.mark.parametrize("name", recording.FILES)
def test_of_what_is_damaged_nothing_is_read_and_the_file_is_named(here: Path, name: str) -> None:
    path = here / "0.2.0" / name
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(recording.NotAsRecorded, match=f"^0.2.0/{name}: not as it was recorded: restore it"):
        recording.read(here / "0.2.0")


def test_a_release_is_read_though_another_is_damaged(here: Path) -> None:
    (here / "0.3.0").mkdir()
    assert recording.read(here / "0.2.0").facts


def test_a_recording_that_is_broken_off_leaves_nothing_and_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken_off(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", broken_off)
        with pytest.raises(KeyboardInterrupt):
            recording.write(tmp_path / "0.2.0", b"", {}, {}, NOTHING)
    assert list(tmp_path.iterdir()) == []
    recording.write(tmp_path / "0.2.0", b"", {}, {}, NOTHING)
    assert sorted(path.name for path in (tmp_path / "0.2.0").iterdir()) == list(recording.FILES)


def test_an_empty_folder_does_not_keep_a_release_from_being_recorded(tmp_path: Path) -> None:
    (tmp_path / "0.2.0").mkdir()
    main(["0.2.0"], tmp_path)
    assert recording.broken(tmp_path) == []


def test_a_release_that_is_gone_is_missed_and_one_that_was_put_there_is_too(here: Path) -> None:
    (here / "0.2.0").rename(here / "0.3.0")
    assert {name.partition("/")[0] for name in recording.broken(here)} == {"0.2.0", "0.3.0"}


def test_without_checksums_nothing_is_as_it_was_recorded(here: Path) -> None:
    (here / recording.CHECKSUMS).unlink()
    assert len(recording.broken(here)) == 4


def test_what_was_changed_on_purpose_is_sealed_and_other_releases_are_as_they_were(here: Path) -> None:
    main(["0.3.0"], here)
    for release in ("0.2.0", "0.3.0"):
        (here / release / "figures.json").write_text("{}")
    main(["--seal", "0.2.0"], here)
    assert recording.broken(here) == ["0.3.0/figures.json"]


def test_to_ask_for_help_records_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"], tmp_path)
    assert ended.value.code == 0
    assert "--seal" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["next", "0.2", "v0.2.0", "0.2.0-rc1", "0.02.0", "../0.2.0", ""])
def test_only_a_release_is_recorded(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name], tmp_path)
    assert ended.value.code == 2
    assert f"{name!r} is no release; one is called as in 0.2.0" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_what_a_release_recorded_is_not_recorded_again(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["0.2.0"], here)
    assert "tests/golden/0.2.0 is there: what a release recorded does not change" in capsys.readouterr().err
    assert recording.broken(here) == []


def test_what_is_not_there_is_not_sealed(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--seal", "0.3.0"], here)
    assert "tests/golden/0.3.0 is not there" in capsys.readouterr().err
