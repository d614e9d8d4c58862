"""The command that checks saved histories once more."""

from copy import deepcopy
from pathlib import Path

import pytest

from tests.faults.check import main
from tests.faults.history import History
from tests.faults.test_checker import a_history


def what_it_says(history: History, folder: Path) -> str:
    history.save(folder)
    with pytest.raises(SystemExit) as ended:
        main([str(folder)])
    return str(ended.value.code)


def test_it_says_how_it_is_called(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    assert "FOLDER" in capsys.readouterr().out


def test_it_asks_for_a_folder(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 2
    assert "the following arguments are required: FOLDER" in capsys.readouterr().err


def test_several_histories_of_a_folder_are_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("one", "other"):
        a_history().save(tmp_path / name)
    assert main([str(tmp_path)]) == 0
    assert capsys.readouterr().out.count("no anomalies") == 2


def test_where_there_is_no_history_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="holds no history"):
        main([str(tmp_path)])


def test_a_line_that_lacks_a_key_is_named(tmp_path: Path) -> None:
    history = a_history()
    del history.commands[1]["outcome"]
    assert (
        what_it_says(history, tmp_path)
        == f"{tmp_path} cannot be checked: commands.jsonl, line 2 lacks the key 'outcome'"
    )


def test_so_is_one_in_which_something_within_lacks_it(tmp_path: Path) -> None:
    history = a_history()
    del history.commands[2]["call"]["makes"][0]["stream"]
    assert what_it_says(history, tmp_path).endswith("commands.jsonl, line 3 lacks the key 'stream'")


def test_so_is_a_fact_that_is_looked_at_in_a_copy(tmp_path: Path) -> None:
    history = a_history()
    history.events.append({**deepcopy(history.events[1]), "version": 3})
    del history.events[1]["data"]["role"]
    assert what_it_says(history, tmp_path).endswith("events.jsonl, line 2 lacks the key 'role'")


def test_what_no_line_is_to_blame_for_is_not_said_of_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: History) -> None:
        raise KeyError("nowhere")

    monkeypatch.setattr("tests.faults.check.check", broken)
    a_history().save(tmp_path)
    with pytest.raises(KeyError, match="nowhere"):
        main([str(tmp_path)])
