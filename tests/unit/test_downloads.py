"""What is fetched is what was locked, or is not used."""

from contextlib import suppress
from pathlib import Path

import pytest

from deploy.local import downloads
from deploy.local.downloads import KAFKA_LOCK, java, read_lock, verify
from deploy.local.failures import HashMismatch, Unavailable


def test_a_file_with_another_hash_is_refused_and_deleted(tmp_path: Path) -> None:
    file = tmp_path / "a.jar"
    file.write_bytes(b"not what was locked")
    with pytest.raises(HashMismatch, match=r"g:a:1 is not the file that was locked: sha256 \w+, expected 00"):
        verify(file, "g:a:1", "00")
    assert not file.exists()


def test_the_lock_names_every_jar_once_with_a_hash() -> None:
    jars = read_lock(KAFKA_LOCK)
    assert len(jars) == len({(jar.group, jar.artifact) for jar in jars}) == 92
    assert all(len(jar.sha256) == 64 for jar in jars)


def test_a_download_that_was_interrupted_is_not_taken_for_complete(tmp_path: Path) -> None:
    folder = tmp_path / "mongod-1"
    with suppress(KeyboardInterrupt), downloads._once(folder, tmp_path) as unfinished:
        assert unfinished
        (unfinished / "half").touch()
        raise KeyboardInterrupt
    assert not folder.exists()
    with downloads._once(folder, tmp_path) as unfinished:
        assert unfinished
        assert list(unfinished.iterdir()) == []
    assert folder.exists()


def test_what_is_in_the_cache_is_not_fetched_again(tmp_path: Path) -> None:
    (tmp_path / "mongod-1").mkdir()
    with downloads._once(tmp_path / "mongod-1", tmp_path) as unfinished:
        assert unfinished is None


def test_a_java_that_is_no_program_is_named() -> None:
    with pytest.raises(Unavailable, match="PRAXIS_JAVA=/no/such/java is no program"):
        java("/no/such/java")


def test_a_machine_without_a_mongod_wheel_is_told_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    with pytest.raises(Unavailable, match="PRAXIS_MONGO"):
        downloads.mongod(tmp_path, lambda _: None)
