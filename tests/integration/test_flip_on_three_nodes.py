"""A flip where MongoDB's nodes are behind: what is committed and not held by a majority yet is taken over as well."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from deploy.local.settings import Ports
from deploy.local.system import System
from services.metrics import dead_letters
from services.metrics.builds import current_build
from services.metrics.flip import CaughtUp, NotReady, Offsets, begin, flip
from services.metrics.fold import Fold
from services.metrics.settling import DeadLetters
from services.metrics.taking_over import TakingOver
from shared.mongo import Client, Database, connect
from tests.builders import OnKafka
from tests.engines import skipped_where_unavailable, temporary_home
from tests.integration.test_dead_letters import (
    NUMBERS,
    OPERATOR,
    RELEASE,
    astray,
    at_home,
    members,
    seen,
    sink,
    waiting,
)

NODES = ("mongo", "mongo-2", "mongo-3")
BEHIND_S = 0.5
"""Shorter than it takes to elect another primary."""


@pytest.fixture(scope="module")
def nodes() -> Iterator[System]:
    with temporary_home() as home:
        system = System(home, Ports.free(), mongo_nodes=len(NODES), kafka="127.0.0.1:1")
        try:
            with skipped_where_unavailable():
                system.fetch()
                for name in NODES:
                    system.start(name, wait=name == NODES[-1])
            yield system
        finally:
            system.down()


@pytest.fixture
async def client(nodes: System) -> AsyncIterator[Client]:
    client = connect(nodes.mongo)
    yield client
    await client.close()


@pytest.mark.parametrize("settle", ["replay", "discard"])
async def test_what_is_settled_and_not_held_by_a_majority_yet_is_taken_over(
    nodes: System, client: Client, db: Database, settle: str
) -> None:
    await db.create_collection("outbox")
    await dead_letters.prepare(db)
    builds = old, new = await begin(db, RELEASE)
    for build in builds:
        await Fold(build).prepare(db)
        for record in (*at_home([1, 2]), letter(settle)):
            await sink(client, db, build, spread_over=12).put(record.partition, {"membership": [record]})
    letters, taking_over = DeadLetters(client, db, 12), TakingOver(client, db, builds, 12)
    (id,) = await waiting(letters)

    async def caught_up(stopped_at: Offsets) -> CaughtUp:
        await taking_over.settle(NUMBERS)
        return CaughtUp(await dead_letters.streams_of(db, dead_letters.folded_in(old)))

    with followers_frozen(nodes, await primary(client)):
        settling = asyncio.create_task(
            letters.replay(id, OPERATOR) if settle == "replay" else letters.discard(id, OPERATOR)
        )
        await asyncio.sleep(BEHIND_S)
        flipping = asyncio.create_task(flip(client, db, old, new, 12, caught_up))
        await asyncio.sleep(BEHIND_S)
        assert not settling.done(), "it is committed, and waits until most of them hold it"
    await asyncio.gather(settling, flipping)
    assert await current_build(db) == new
    assert (await members(db, new), await seen(db, new)) == (await members(db, old), await seen(db, old))


async def test_it_does_not_take_over_while_most_nodes_lag(
    nodes: System, client: Client, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = await begin(db, RELEASE)
    for build in (old, new):
        await Fold(build).prepare(db)
    monkeypatch.setattr("services.metrics.flip.HELD_WITHIN_S", 0.2)
    with (
        followers_frozen(nodes, await primary(client)),
        pytest.raises(NotReady, match="most of MongoDB's nodes do not"),
    ):
        await flip(client, db, old, new, 12, nothing_to_fold)
    assert await current_build(db) == old
    await flip(client, db, old, new, 12, nothing_to_fold)
    assert await current_build(db) == new


async def nothing_to_fold(stopped_at: Offsets) -> CaughtUp:
    return CaughtUp(())


def letter(settle: str) -> OnKafka:
    """One that can be replayed, or one that can only be discarded."""
    (record,) = at_home([3])
    return astray(record) if settle == "replay" else replace(record, value=b"{")


async def primary(client: Client) -> str:
    """Its `host:port`."""
    return str((await client.admin.command("hello"))["primary"])


@contextmanager
def followers_frozen(nodes: System, primary: str) -> Iterator[None]:
    leader = nodes.node(int(primary.rpartition(":")[2]))
    followers = [nodes.child(name) for name in NODES if name != leader]
    for follower in followers:
        follower.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for follower in followers:
            follower.signal(signal.SIGCONT)
