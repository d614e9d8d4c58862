"""The walls between the parts, read from their imports: rules stay pure, services know only themselves and `shared`."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
IO = frozenset(
    [
        "aiokafka",
        "asyncio",
        "faust",
        "fastapi",
        "httpx",
        "http",
        "io",
        "logging",
        "mode",
        "multiprocessing",
        "os",
        "pathlib",
        "prometheus_client",
        "pymongo",
        "pydantic_settings",
        "requests",
        "shutil",
        "socket",
        "starlette",
        "structlog",
        "subprocess",
        "tempfile",
        "threading",
        "urllib",
        "uvicorn",
    ]
)
CLOCKS_AND_IDS = frozenset(["random", "secrets", "time", "ulid", "uuid"])
PURE = ("domain", "domain.py", "projections", "projections.py", "measures", "measures.py", "views", "views.py")
# The parts of `shared` that do I/O, or are made to be used beside it.
PLUMBING = frozenset(
    [
        "shared.drivers",
        "shared.http",
        "shared.kafka",
        "shared.lease",
        "shared.logging",
        "shared.mongo",
        "shared.reading",
        "shared.running",
        "shared.telemetry",
        "shared.writing.ledger",
        "shared.writing.patience",
        "shared.writing.relay",
        "shared.writing.writer",
    ]
)


def modules(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """Every module that is named in an import, wherever it stands, with what is taken from it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def is_within(module: str, *packages: str) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def pure_modules() -> list[Path]:
    parts = [path for path in modules("services") if set(path.relative_to(ROOT).parts[2:]) & set(PURE)]
    language = modules("shared/events", "shared/measures", "shared/views")
    return [*parts, *language, ROOT / "shared/refusals.py", ROOT / "shared/writing/decider.py"]


@pytest.mark.parametrize("path", modules("services"), ids=name)
def test_a_service_imports_only_itself_and_shared(path: Path) -> None:
    service = f"services.{path.relative_to(ROOT).parts[1]}"
    strangers = [one for one in imports(path) if is_within(one, "services", "deploy", "tests", "bench")]
    assert [one for one in strangers if not is_within(one, service)] == []


@pytest.mark.parametrize("path", modules("shared"), ids=name)
def test_shared_imports_no_service(path: Path) -> None:
    assert [one for one in imports(path) if is_within(one, "services", "deploy", "tests", "bench")] == []


@pytest.mark.parametrize("path", modules("deploy"), ids=name)
def test_deploy_imports_no_service(path: Path) -> None:
    assert [one for one in imports(path) if is_within(one, "services", "tests", "bench")] == []


@pytest.mark.parametrize("path", pure_modules(), ids=name)
def test_rules_do_no_input_and_output_and_know_neither_time_nor_chance(path: Path) -> None:
    impure = [one for one in imports(path) if is_within(one, *IO, *CLOCKS_AND_IDS, *PLUMBING)]
    assert impure == []


def test_the_walls_stand_around_something() -> None:
    """A folder that was renamed would leave the tests above with nothing to look at."""
    assert len(pure_modules()) > 20
    services = {path.relative_to(ROOT).parts[1] for path in modules("services")}
    assert services >= {"membership", "convenings", "metrics", "gateway"}
