"""Kafka Streams as a contender: its jars, fetched as Kafka's are, and one file of Java, compiled here."""

import os
import subprocess
from functools import lru_cache
from pathlib import Path

from deploy.local import downloads
from deploy.local.settings import Local
from deploy.local.system import System

LOCK = Path(__file__).with_name("kafka-streams-4.3.1.lock")
SOURCE = Path(__file__).with_name("Figures.java")
CACHE_BYTES = 128 * 1024 * 1024
"""For all stores together, so that most of what is asked for is there; 10 MB by default."""
COMMIT_MS = 100
"""Between two commits, as by default with `exactly_once_v2`."""


def command(system: System, database: str, home: Path, threads: int) -> list[str]:
    classes = _compiled(system.home / "java")
    own = [system.kafka, system.mongo, database, str(threads), str(home / "state"), str(CACHE_BYTES), str(COMMIT_MS)]
    return [*_java(), "-Xmx1g", "--enable-native-access=ALL-UNNAMED", "-cp", _path(classes), "Figures", *own]


@lru_cache(maxsize=1)
def _compiled(classes: Path) -> Path:
    """The runtime that comes as a wheel has no compiler, so Eclipse's is among the jars."""
    compiler = [*_java(), "-cp", _path(), "org.eclipse.jdt.internal.compiler.batch.Main"]
    options = ["-21", "-proc:none", "-warn:none", "-cp", _path(), "-d", str(classes)]
    done = subprocess.run([*compiler, *options, str(SOURCE)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{SOURCE.name} does not compile:\n{done.stdout}{done.stderr}")
    return classes


def _java() -> list[str]:
    return [str(downloads.java(Local().java))]


def _path(*folders: Path) -> str:
    jars = downloads.libraries(LOCK, Local().cache.expanduser().absolute(), lambda _: None)
    return os.pathsep.join([*map(str, folders), *(str(jar) for jar in sorted(jars.glob("*.jar")))])
