"""The command that checks saved histories once more."""

from pathlib import Path

import pytest

from tests.faults.check import main
from tests.faults.test_checker import a_history


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


def test_a_line_that_lacks_a_key_is_no_history_of_a_run(tmp_path: Path) -> None:
    history = a_history()
    del history.commands[1]["outcome"]
    history.save(tmp_path)
    with pytest.raises(SystemExit, match="cannot be checked: a line of it lacks the key 'outcome'"):
        main([str(tmp_path)])
