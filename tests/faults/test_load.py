"""How clients write and read where the system answers late or not at all: before a gateway that is none."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from tests.faults import load as loading
from tests.faults.checks.answering import RIGHTLY
from tests.faults.commands import World
from tests.faults.history import History, Line
from tests.faults.load import REMEMBERED, Load, NotAnswered
from tests.faults.run import longest_without_progress

Answers = Callable[[web.Request], int]
WORLD_OF = 2
VIEW = {"figures": [{"measure": name, "value": 10_000} for name in ("responses", "completions")], "convenings": []}


def readily(_: web.Request) -> int:
    return 202


@asynccontextmanager
async def a_load(commands: Answers, views: Answers, etag: str = "") -> AsyncIterator[tuple[Load, History]]:
    """Before a gateway that answers with these statuses, and with an ETag; it knows figures, and no convenings."""
    numbers = itertools.count(1)

    async def write(request: web.Request) -> web.Response:
        answer = {"positions": [f"membership/community.a@{next(numbers)}"], "person_id": f"person-{next(numbers)}"}
        told = {"ETag": f'"{etag}"'} if etag else {}
        return web.json_response(answer, status=commands(request), headers=told)

    async def read(request: web.Request) -> web.Response:
        return web.json_response(VIEW, status=views(request))

    app, history = web.Application(), History()
    app.router.add_get("/{path:.*}", read)
    app.router.add_route("*", "/{path:.*}", write)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    load = Load(f"http://{host}:{port}", World("w", WORLD_OF), history, 1)
    try:
        yield load, history
    finally:
        await load.close()
        await runner.cleanup()


async def _write(load: Load, seconds: float, within: float = 5.0) -> None:
    await load.lay_groundwork()
    load.start()
    await asyncio.sleep(seconds)
    await load.end(within)


@pytest.fixture(autouse=True)
def _soon_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "READ_AGAIN_S", 0.05)


async def test_a_read_that_is_to_come_again_is_made_again_until_it_is_answered() -> None:
    asked: dict[str, int] = {}

    def at_the_third_time(request: web.Request) -> int:
        after = request.headers["Praxis-After"]
        asked[after] = asked.get(after, 0) + 1
        return 200 if asked[after] > 2 else 503

    async with a_load(readily, at_the_third_time) as (load, history):
        await _write(load, 1.0)
    assert history.reads
    assert {(read["status"], read["tries"]) for read in history.reads} == {(200, 3)}


async def test_what_is_written_is_sent_again_and_otherwise_and_on_conditions_and_is_read_back_with_what_came_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for share in ("AGAIN", "OTHERWISE", "STALE", "CONDITIONAL", "READ"):
        monkeypatch.setattr(loading, share, 0.5)
    stated: dict[str, str | None] = {}

    def noting(request: web.Request) -> int:
        stated[request.headers["Idempotency-Key"].strip('"')] = request.headers.get("If-Match")
        return 202

    async with a_load(noting, lambda _: 200, etag="7") as (load, history):
        await _write(load, 1.5)
    sent = {line["key"]: line for line in history.commands}
    by_kind = {how: [probe for probe in history.probes if probe["how"] == how] for how in RIGHTLY}
    assert all(by_kind.values())
    assert all(sent[probe["of"]]["call"] == probe["call"] for probe in by_kind["again"])
    assert all(sent[probe["of"]]["call"]["body"] != probe["call"]["body"] for probe in by_kind["another body"])
    assert {stated[probe["key"]] for probe in by_kind["a stale ETag"]} == {'"6"'}
    assert {stated[key] for key in sent} == {None, '"7"'}
    assert {read["of"] for read in history.reads} == {key for key, line in sent.items() if line.get("read_back")}
    assert all(set(sent[read["of"]]["positions"]) <= set(read["after"]) for read in history.reads)
    assert max(len(read["after"]) for read in history.reads) > REMEMBERED


async def test_clients_go_on_writing_while_reads_are_not_answered_and_these_are_given_up_at_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loading, "READING", 2)
    async with a_load(readily, lambda _: 503) as (load, history):
        await _write(load, 1.0, within=0.3)
    assert len(history.reads) == 2
    assert all(read["given_up"] and read["status"] == 503 for read in history.reads)
    assert max(line["ended"] for line in history.acknowledged()) > max(read["began"] for read in history.reads) + 0.2


async def test_commands_that_are_never_answered_are_given_up_and_count_as_no_progress() -> None:
    enough = itertools.count(1)
    laid = len(list(World("w", WORLD_OF).groundwork())) + len(list(World("w", WORLD_OF).further_groundwork()))

    async with a_load(lambda _: 202 if next(enough) < laid + 20 else 503, lambda _: 200) as (load, history):
        await _write(load, 1.0, within=0.5)
    unanswered = [line for line in history.commands if line["outcome"] == "unknown"]
    assert [line["given_up"] for line in unanswered] == [True] * WORLD_OF
    assert set(unanswered[0]["statuses"]) == {503}
    assert longest_without_progress(history) > 1.0


async def test_groundwork_that_cannot_be_laid_ends_the_run_and_says_what_was_not_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loading, "WITHOUT_WHICH_NOTHING_S", 0.5)
    async with a_load(lambda request: 503 if "communities" in request.path else 202, lambda _: 200) as (load, _):
        with pytest.raises(NotAnswered, match=r"PUT /v1/communities/w-community-0 \(\d+ times 503\)"):
            await load.lay_groundwork()


async def test_a_pause_in_which_clients_are_not_answered_ends_the_run_too(monkeypatch: pytest.MonkeyPatch) -> None:
    wedged = False
    async with a_load(lambda _: 503 if wedged else 202, lambda _: 200) as (load, _):
        await load.lay_groundwork()
        load.start()
        await asyncio.sleep(0.2)
        wedged = True
        await asyncio.sleep(0.2)
        monkeypatch.setattr(loading, "WITHOUT_WHICH_NOTHING_S", 0.3)
        with pytest.raises(NotAnswered, match="times 503"):
            await load.pause()


def _history(*moments: tuple[float, str]) -> History:
    history = History()
    for at, what in moments:
        line: Line = {"ended": at, "outcome": "acknowledged" if what == "acknowledged" else "unknown"}
        if what == "given up":
            line["given_up"] = True
        if what.startswith("load"):
            history.nemesis.append({"at": at, "what": what})
        else:
            history.commands.append(line)
    return history


@pytest.mark.parametrize(
    ("moments", "longest"),
    [
        ([(1, "load began"), (2, "acknowledged"), (5, "acknowledged"), (6, "load ended")], 3),
        ([(1, "acknowledged"), (9, "load began"), (10, "acknowledged"), (11, "load ended")], 1),
        ([(1, "load began"), (2, "acknowledged"), (9, "load ended")], 7),
        ([(1, "load began"), (2, "acknowledged"), (9, "load ended"), (70, "given up")], 68),
        ([(1, "load began"), (9, "load ended")], 8),
        ([(1, "load began"), (2, "load paused"), (50, "load went on"), (54, "acknowledged"), (55, "load ended")], 4),
        ([(1, "load began"), (2, "load went on"), (7, "acknowledged"), (8, "load ended")], 6),
        ([(1, "load began"), (2, "load ended"), (6, "acknowledged")], 5),
    ],
)
def test_without_progress_is_the_time_in_which_something_was_wanted(
    moments: list[tuple[float, str]], longest: float
) -> None:
    assert longest_without_progress(_history(*moments)) == longest
