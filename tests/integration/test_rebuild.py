"""A rebuild on real engines: it goes on beside everything else, is killed and begins again, shows what differs, and
takes over in one moment, after which nobody changes the old build.
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from pymongo.asynchronous.collection import AsyncCollection
from ulid import ULID

from deploy.cli.rebuild import _recorded
from deploy.local.settings import free_ports
from deploy.local.system import System
from services.gateway.holdings import Views
from services.metrics import dead_letters, rebuilding
from services.metrics.builds import current_build
from services.metrics.comparison import Apart, Comparison, compare
from services.metrics.dead_letters import Settled, bury
from services.metrics.flip import CaughtUp, GivenUp, Offsets, Overtaken, Stale, Unseen, begin, clear, flip, give_up
from services.metrics.fold import Fold
from services.metrics.settings import Settings
from services.metrics.settling import DeadLetters
from shared.events.fact import SOURCE_TOPICS, Position, Recorded, Stream
from shared.kafka import encode, ensure_topics, topic_name
from shared.mongo import Client, Database, Document
from shared.reading.heads import unseen
from shared.reading.sink import Closed, Sink
from shared.views.builds import BUILDS, CURRENT, FIRST, Build
from shared.views.records import ParticipationRecord
from tests.builders import member_joined, on_kafka, recorded
from tests.integration.test_metrics_worker import PARTITIONS, ROOT, SESSION, History, Worker, send, send_slowly
from tests.integration.waiting import PATIENCE_S, until
from tests.unit.metrics.test_fold_laws import remembered

SECOND = Build(2)
RELEASE = "this one"
Figures = dict[tuple[str, str, str, str], dict[str, int]]


@pytest.fixture
def environment(own_kafka: System, db: Database, tmp_path: Path) -> Mapping[str, str]:
    (port,) = free_ports(1)
    return {
        "PRAXIS_KAFKA": own_kafka.kafka,
        "PRAXIS_MONGO": own_kafka.mongo,
        "PRAXIS_DATABASE": db.name,
        "PRAXIS_GROUP": db.name,
        "PRAXIS_PORT": str(port),
        "PRAXIS_PARTITIONS": str(PARTITIONS),
        "PRAXIS_SESSION_TIMEOUT": SESSION,
        "PRAXIS_DATA_DIR": str(tmp_path / "faust"),
    }


@pytest.fixture
def settings(environment: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Those of a rebuild in this process."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return Settings()


@pytest.fixture
async def worker(environment: Mapping[str, str], tmp_path: Path) -> AsyncIterator[Worker]:
    worker = Worker(environment, tmp_path / "worker.log")
    yield worker
    await worker.kill()


@pytest.fixture
async def producer(own_kafka: System) -> AsyncIterator[AIOKafkaProducer]:
    topics = [topic_name(topic) for topic in SOURCE_TOPICS]
    await ensure_topics(own_kafka.kafka, topics, partitions=PARTITIONS, replication=1)
    producer = AIOKafkaProducer(bootstrap_servers=own_kafka.kafka, enable_idempotence=True, acks="all")
    await producer.start()
    yield producer
    await producer.stop()


class Rebuilding:
    """The process of a rebuild, and what it has told so far."""

    def __init__(self, environment: Mapping[str, str], *flags: str) -> None:
        self._environment, self._flags = environment, flags
        self.told: list[dict[str, Any]] = []
        self.exit: int | None = None

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.metrics.rebuild", "--grace", "0", *self._flags),
            env={**os.environ, **self._environment},
            cwd=ROOT,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
        )
        self._hearing = asyncio.create_task(self._hear())

    async def _hear(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self.told.append(json.loads(line))

    async def ended(self) -> None:
        try:
            await asyncio.wait_for(self._hearing, PATIENCE_S)
        finally:
            if self._process.returncode is None and self._hearing.cancelled():
                self._process.kill()
            self.exit = await self._process.wait()

    async def kill(self) -> None:
        self._process.kill()
        await self.ended()

    def said(self, stage: str) -> dict[str, Any]:
        """The last that it told of a stage."""
        return next(one for one in reversed(self.told) if one["stage"] == stage)


async def rebuilt(environment: Mapping[str, str], *flags: str) -> Rebuilding:
    """A rebuild that has ended."""
    one = Rebuilding(environment, *flags)
    await one.start()
    await one.ended()
    return one


async def are_folded(db: Database, facts: Sequence[Recorded]) -> bool:
    build = await current_build(db)
    return await unseen(db[build.heads], [fact.position for fact in facts]) == []


async def figures(db: Database, history: History) -> Figures:
    """The sums of the current build, without those that are zero."""
    build, found = await current_build(db), Figures()
    scopes = [f"community.{community}" for community in history.communities]
    async for one in db[build.sums].find({"scope": {"$in": scopes}}):
        days = {day: delta for day, delta in one["days"].items() if delta}
        if days:
            found[one["scope"], one["measure"], one["key"], one["year"]] = days
    return found


def expected(history: History) -> Figures:
    return {tuple(place): days for place, days in remembered([history.facts]).figures().items()}  # type: ignore[misc]


async def test_a_rebuild_takes_over_while_facts_go_on_arriving_and_the_worker_follows(
    environment: Mapping[str, str], worker: Worker, producer: AIOKafkaProducer, db: Database
) -> None:
    history = History(communities=24, people=60)
    messages = history.published()
    await worker.start()
    await send(producer, messages[:3_000])
    await until(lambda: are_folded(db, history.facts[:2_500]))
    sending = asyncio.create_task(send_slowly(producer, messages[3_000:-300]))
    one = await rebuilt(environment)
    assert one.exit == 0, one.told
    await sending
    await send(producer, messages[-300:])
    await until(lambda: are_folded(db, history.facts))
    assert await current_build(db) == SECOND
    assert await figures(db, history) == expected(history)
    assert one.said("compared")["counts"] == {}
    assert one.said("compared")["figures"] > 0
    assert worker.said("build.followed"), "it had to find its build closed"
    # other tests leave on the topics what is no fact
    assert not await db.dead_letters.count_documents({"position": {"$regex": "|".join(history.communities)}})
    left = [name for name in await db.list_collection_names() if name.endswith("_1")]
    assert left == ["partitions_1"], "the old build is dropped but for what keeps it closed"


async def test_what_the_old_build_has_not_folded_yet_waits_in_every_place(
    environment: Mapping[str, str], worker: Worker, producer: AIOKafkaProducer, db: Database
) -> None:
    history = History(communities=60, people=60)
    messages = history.published()
    await worker.start()
    await send(producer, messages)
    await until(lambda: are_folded(db, history.facts))
    await worker.kill()
    await send(producer, messages)  # once more: they are not read by the old build
    one = await rebuilt(environment, "--grace", "2")
    assert one.exit == 0, one.told
    assert one.said("compared")["counts"] == {}
    assert await figures(db, history) == expected(history)


async def test_killed_half_way_it_goes_on_where_it_was(
    environment: Mapping[str, str], worker: Worker, producer: AIOKafkaProducer, db: Database
) -> None:
    history = History(communities=24, people=60)
    await worker.start()
    await send(producer, history.published())
    await until(lambda: are_folded(db, history.facts))
    one = Rebuilding(environment)
    await one.start()
    await until(lambda: has_begun(db))
    await one.kill()
    before = await folded(db, SECOND)
    assert await current_build(db) == FIRST
    another = await rebuilt(environment)
    assert another.exit == 0, another.told
    assert another.said("begun")["build"] == 2
    assert another.said("flipped")["facts"] <= await folded(db, SECOND) - before
    assert await figures(db, history) == expected(history)


async def test_killed_and_abandoned_it_leaves_no_trace_and_its_number_is_not_used_again(
    environment: Mapping[str, str], worker: Worker, producer: AIOKafkaProducer, db: Database
) -> None:
    history = History(communities=8, people=60)
    await worker.start()
    await send(producer, history.published())
    await until(lambda: are_folded(db, history.facts))
    one = Rebuilding(environment)
    await one.start()
    await until(lambda: has_begun(db))
    await one.kill()
    abandoned = await rebuilt(environment, "--abandon")
    assert (abandoned.exit, abandoned.said("abandoned")["build"]) == (0, 2)
    assert not [name for name in await db.list_collection_names() if name.endswith("_2")]
    assert await figures(db, history) == expected(history)
    again = await rebuilt(environment)
    assert (again.exit, again.said("begun")["build"]) == (0, 3)


async def test_a_figure_that_differs_is_shown_and_must_be_accepted(
    environment: Mapping[str, str], worker: Worker, producer: AIOKafkaProducer, db: Database
) -> None:
    history = History(communities=2, people=5)
    await worker.start()
    await send(producer, history.published())
    await until(lambda: are_folded(db, history.facts))
    scope = f"community.{history.communities[0]}"
    wrong = {"$inc": {"days.2019-11-05": 2}}
    await db[FIRST.sums].update_one({"_id": f"{scope}|members||2019"}, wrong)
    right = {"scope": scope, "kind": "community"}
    await db[FIRST.records].update_one(right, {"$set": {"value.title": "Another title"}})

    one = await rebuilt(environment)
    assert one.exit == 1
    assert one.told[-1]["stage"] == "refused"
    told = one.said("compared")
    assert told["counts"] == {"members": 1, "record community: title": 1}
    by_what = {difference["what"]: difference for difference in told["differences"]}
    members = by_what["members"]
    assert (members["scope"], members["key"], members["since"]) == (scope, "", "2019-11-05")
    assert members["before"] == members["after"] + 2
    assert by_what["record community"]["before"] == "Another title"
    assert await current_build(db) == FIRST

    accepted = await rebuilt(environment, "--accept-differences")
    assert accepted.exit == 0, accepted.told
    assert accepted.said("begun")["build"] == 2, "it goes on with the build that was refused"
    assert await figures(db, history) == expected(history)


async def test_what_was_discarded_and_is_read_late_hides_no_difference(
    settings: Settings,
    worker: Worker,
    producer: AIOKafkaProducer,
    db: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    history = History(communities=1, people=5)
    scope = f"community.{history.communities[0]}"
    broken = recorded(member_joined(), 10_000, Stream("membership", "community", history.communities[0]))
    await worker.start()
    await send(producer, [*history.published(), encode(broken)._replace(value=b"{")])
    await until(lambda: are_folded(db, history.facts))
    at = {"position": str(broken.position)}
    await until(lambda: is_there(db.dead_letters, at))
    (letter,) = await db.dead_letters.find(at).to_list()
    await DeadLetters(db.client, db, PARTITIONS).discard(letter["_id"], Settled("ops", "a test", await now(db)))
    await db[FIRST.sums].update_one({"_id": f"{scope}|members||2019"}, {"$inc": {"days.2019-11-05": 2}})

    put, told = Sink.put, list[dict[str, Any]]()

    async def slowly(self: Sink, number: int, records: Any) -> None:
        await asyncio.sleep(0.5)  # so that it is thought to be near before anything is read
        await put(self, number, records)

    async def refuse(what: str) -> bool:
        return False

    monkeypatch.setattr(Sink, "put", slowly)
    monkeypatch.setattr(rebuilding, "TELL_EVERY_S", 0.002)
    taken_over = await rebuilding.Rebuild(settings, told.append, refuse, grace_s=0).run()
    (compared,) = (one for one in told if one["stage"] == "compared")
    assert (compared["apart"], compared["counts"]) == (0, {"members": 1})
    assert not taken_over


async def test_streams_of_which_the_builds_have_not_seen_the_same_are_named_and_compared(
    client: Client, db: Database, two_builds: tuple[Sink, Sink]
) -> None:
    old, _ = two_builds
    await old.put(0, joined(range(3, 7)))
    await db[SECOND.heads].update_one({"_id": str(STREAM)}, {"$set": {"missing": [2]}})
    await db[FIRST.heads].update_one({"_id": str(STREAM)}, {"$set": {"given_up": [1], "missing": [5]}})
    async with client.start_session(snapshot=True) as session:
        at_equal_offsets, of_other_topics = Comparison(), Comparison()
        await compare(at_equal_offsets, db, (FIRST, SECOND), 0, session)
        await compare(of_other_topics, db, (FIRST, SECOND), None, session)
    apart = [Apart(str(STREAM), [(2, 2), (4, 4), (6, 7)], [(1, 1)])]
    assert at_equal_offsets.streams_apart == of_other_topics.streams_apart == apart
    assert (at_equal_offsets.left_out, at_equal_offsets.scopes, at_equal_offsets.counts["members"] > 0) == (0, 1, True)
    assert (of_other_topics.left_out, of_other_topics.scopes, of_other_topics.counts) == (1, 0, {})


async def test_one_rebuild_at_a_time(
    environment: Mapping[str, str], worker: Worker, producer: AIOKafkaProducer, db: Database
) -> None:
    await worker.start()
    await until(lambda: is_pointed_at(db))
    await db.leases.insert_one({"_id": "rebuild", "holder": "another", "until": (await now(db)).replace(year=2100)})
    one = await rebuilt(environment)
    assert one.exit == 1
    reason = "another rebuild is running (another): wait for its end, or end it"
    assert one.told == [{"stage": "held elsewhere", "reason": reason}]


@pytest.mark.parametrize("asleep", ["while it compares", "while it asks", "while it asks, and that was closed"])
async def test_who_slept_while_another_took_over_with_its_build_says_so(
    settings: Settings,
    worker: Worker,
    producer: AIOKafkaProducer,
    db: Database,
    monkeypatch: pytest.MonkeyPatch,
    asleep: str,
) -> None:
    history, more = History(communities=1, people=5), History(communities=5, people=5)
    await worker.start()
    await send(producer, history.published())
    await until(lambda: are_folded(db, history.facts))
    await db[FIRST.sums].update_one({"scope": f"community.{history.communities[0]}"}, {"$inc": {"days.2019-11-05": 2}})
    told = list[dict[str, Any]]()

    async def taken_over() -> None:
        await db[BUILDS].delete_one({"_id": "next"})
        await db[BUILDS].update_one({"_id": "current"}, {"$set": {"build": 2}})

    async def late(*what: Any) -> None:
        await taken_over()
        await db[FIRST.records].drop()
        await compare(*what)

    async def ask(what: str) -> bool:
        await taken_over()
        if asleep.endswith("closed"):  # by one more, that took over from it
            closing: list[dict[str, Any]] = [{"$set": {"closed_at": "$next"}}, {"$unset": "next"}]
            await db[SECOND.partitions].update_many({}, closing)
            await send(producer, more.published())
            await asyncio.sleep(PATIENCE_S)
        return False

    if asleep == "while it compares":
        monkeypatch.setattr(rebuilding, "compare", late)
    with pytest.raises(Overtaken):
        await rebuilding.Rebuild(settings, told.append, ask, grace_s=0).run()
    assert told[-1]["stage"] == ("comparing" if asleep == "while it compares" else "compared")


async def test_all_that_would_be_taken_back_is_looked_up(client: Client, mongo: str) -> None:
    place = Stream("membership", "community", f"on-record-{ULID()}".lower())
    await client.membership.streams.insert_one({"_id": str(place), "version": 5})
    try:
        unknown = {Stream("convenings", "community", f"{place.id}-{number}"): 1 for number in range(1_500)}
        assert await _recorded(mongo, unknown | {place: 6}) == []
        assert await _recorded(mongo, unknown | {place: 5}) == [f"{place}@5"]
    finally:
        await client.membership.streams.delete_one({"_id": str(place)})


async def test_who_slept_while_it_was_given_up_does_not_say_that_facts_are_lost(
    settings: Settings,
    worker: Worker,
    producer: AIOKafkaProducer,
    db: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    history = History(communities=1, people=5)
    await worker.start()
    await send(producer, history.published())
    await until(lambda: are_folded(db, history.facts))

    async def late(*what: Any) -> None:
        await give_up(db)
        await compare(*what)

    async def refuse(what: str) -> bool:
        return False

    monkeypatch.setattr(rebuilding, "compare", late)
    with pytest.raises(GivenUp):
        await rebuilding.Rebuild(settings, lambda told: None, refuse, grace_s=0).run()


# the flip itself, on sinks without Kafka

STREAM = Stream("membership", "community", "rehabilitation")


@pytest.fixture
async def two_builds(client: Client, db: Database) -> tuple[Sink, Sink]:
    """Sinks of the current build and of the next; both have folded the same three facts."""
    old, new = await begin(db, RELEASE)
    assert (old, new) == (FIRST, SECOND)
    sinks = []
    for build in (old, new):
        await Fold(build).prepare(db)
        one = sink(client, db, build)
        await one.put(0, joined(range(3)))
        sinks.append(one)
    return sinks[0], sinks[1]


def sink(client: Client, db: Database, build: Build) -> Sink:
    fold, names = Fold(build), (build.heads, build.partitions)
    return Sink(client, db, SOURCE_TOPICS, fold, bury, heads=names[0], partitions=names[1], cached=9)


def joined(offsets: range) -> Mapping[str, Sequence[Any]]:
    facts = [recorded(member_joined(person()), offset + 1, STREAM) for offset in offsets]
    return {"membership": [on_kafka(fact, fact.version - 1) for fact in facts]}


def person() -> str:
    return str(ULID()).lower()


async def at_once(stopped_at: Offsets) -> CaughtUp:
    return CaughtUp({str(STREAM)})


async def test_who_trusts_the_old_build_changes_nothing_after_the_flip(
    client: Client, db: Database, two_builds: tuple[Sink, Sink]
) -> None:
    old, new = two_builds
    await flip(client, db, FIRST, SECOND, PARTITIONS, at_once)
    assert await clear(db) == [1]
    before = await everything(db, FIRST)
    for sleeper in (old, sink(client, db, FIRST)):
        for number in (0, 5):  # one that it has folded, and one that it has not
            with pytest.raises(Closed):
                await sleeper.put(number, joined(range(3, 6) if number == 0 else range(3)))
        with pytest.raises(Closed):
            await sleeper.next_offsets(0)
    assert await everything(db, FIRST) == before
    await new.put(0, joined(range(3, 6)))
    assert (await new.next_offsets(0))["membership"] == 6


async def test_a_worker_in_the_middle_of_a_batch_cannot_commit_over_the_flip(
    client: Client, db: Database, two_builds: tuple[Sink, Sink]
) -> None:
    old, _ = two_builds
    closed, may_go_on = asyncio.Event(), asyncio.Event()

    async def wait(stopped_at: Offsets) -> CaughtUp:
        assert stopped_at[0] == {"membership": 3, "convenings": 0, "feedback": 0}
        closed.set()
        await may_go_on.wait()
        return await at_once(stopped_at)

    flipping = asyncio.create_task(flip(client, db, FIRST, SECOND, PARTITIONS, wait))
    await closed.wait()
    folding = asyncio.create_task(old.put(0, joined(range(3, 6))))
    await asyncio.sleep(0.3)
    assert not folding.done(), "it loses the race as long as the flip is not decided"
    may_go_on.set()
    await flipping
    with pytest.raises(Closed):
        await folding
    assert await current_build(db) == SECOND


async def test_a_build_that_has_not_seen_all_that_the_other_has_does_not_take_over(
    client: Client, db: Database, two_builds: tuple[Sink, Sink]
) -> None:
    old, new = two_builds
    await old.put(0, joined(range(3, 4)))
    with pytest.raises(Unseen, match=r"membership/community\.rehabilitation@4: what is seen must not be taken back"):
        await flip(client, db, FIRST, SECOND, PARTITIONS, at_once)
    await new.put(0, joined(range(3, 4)))
    await db[SECOND.heads].update_one({"_id": str(STREAM)}, {"$set": {"missing": [2]}})
    with pytest.raises(Unseen, match="rehabilitation@2: "):
        await flip(client, db, FIRST, SECOND, PARTITIONS, at_once)
    assert await current_build(db) == FIRST
    await old.put(0, joined(range(4, 5)))
    assert (await old.next_offsets(0))["membership"] == 5, "the old build goes on as if nothing had been tried"


async def test_what_was_recorded_by_nobody_is_taken_back_on_demand(
    client: Client, db: Database, two_builds: tuple[Sink, Sink]
) -> None:
    old, _ = two_builds
    await old.put(0, joined(range(3, 4)))

    def without(version: int) -> Callable[[Offsets], Awaitable[CaughtUp]]:
        async def caught_up(stopped_at: Offsets) -> CaughtUp:
            return CaughtUp({str(STREAM)}, {Position(STREAM, version)})

        return caught_up

    with pytest.raises(Unseen):
        await flip(client, db, FIRST, SECOND, PARTITIONS, without(5))
    await flip(client, db, FIRST, SECOND, PARTITIONS, without(4))
    assert await current_build(db) == SECOND


async def test_a_reader_that_waits_for_what_it_wrote_finds_it_in_the_build_that_took_over_meanwhile(
    client: Client, db: Database, two_builds: tuple[Sink, Sink]
) -> None:
    _, new = two_builds
    views = Views(client, database=db.name)
    async with views.open([Position(STREAM, 3)]) as holdings:
        assert len(await holdings.records(ParticipationRecord)) == 3
    waiting = asyncio.create_task(seen(views, Position(STREAM, 4)))
    await flip(client, db, FIRST, SECOND, PARTITIONS, at_once)
    await new.put(0, joined(range(3, 4)))
    assert await waiting == 4


async def seen(views: Views, position: Position) -> int:
    """How many people belong there, once a fact about them is seen."""
    async with views.open([position]) as holdings:
        return len(await holdings.records(ParticipationRecord))


async def test_a_build_that_folded_what_is_discarded_since_is_begun_anew(
    client: Client, db: Database, two_builds: tuple[Sink, Sink]
) -> None:
    decided = Settled("ops", "a test", await now(db))._asdict()
    undone = {"replayed": decided, "discarded": decided, "folded_in": [FIRST.number, SECOND.number]}
    await db.dead_letters.insert_one({"_id": "membership-0-9-000000", **undone})
    with pytest.raises(Stale, match="begins anew"):
        await flip(client, db, FIRST, SECOND, PARTITIONS, at_once)
    assert await begin(db, RELEASE) == (FIRST, Build(3))
    assert not [name for name in await db.list_collection_names() if name.endswith("_2")]
    assert await begin(db, RELEASE) == (FIRST, Build(3))


async def test_a_build_that_was_given_up_meanwhile_does_not_take_over(
    client: Client, db: Database, two_builds: tuple[Sink, Sink]
) -> None:
    await db[BUILDS].delete_one({"_id": "next"})
    with pytest.raises(GivenUp):
        await flip(client, db, FIRST, SECOND, PARTITIONS, at_once)


async def test_who_sleeps_while_giving_a_build_up_drops_none_that_is_read(
    client: Client, db: Database, two_builds: tuple[Sink, Sink], monkeypatch: pytest.MonkeyPatch
) -> None:
    forget = dead_letters.forget

    async def asleep(db: Database, build: Build) -> None:
        with pytest.raises(GivenUp):
            await flip(client, db, FIRST, SECOND, PARTITIONS, at_once)
        monkeypatch.setattr(dead_letters, "forget", forget)
        assert await begin(db, RELEASE) == (FIRST, Build(3)), "another one does not go on with it"
        await Fold(Build(3)).prepare(db)
        await sink(client, db, Build(3)).put(0, joined(range(3)))
        await flip(client, db, FIRST, Build(3), PARTITIONS, at_once)
        await forget(db, build)

    monkeypatch.setattr(dead_letters, "forget", asleep)
    assert await give_up(db) == SECOND
    assert await current_build(db) == Build(3)
    assert await folded(db, Build(3)) == 3
    assert not [name for name in await db.list_collection_names() if name.endswith("_2")]


async def test_what_took_over_is_not_given_up(client: Client, db: Database, two_builds: tuple[Sink, Sink]) -> None:
    await flip(client, db, FIRST, SECOND, PARTITIONS, at_once)
    assert await give_up(db) is None
    assert await folded(db, SECOND) == 3


async def test_what_is_begun_while_it_is_cleared_up_is_kept(
    client: Client, db: Database, two_builds: tuple[Sink, Sink], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = db.list_collection_names

    async def after_another_began() -> list[str]:
        await give_up(db)
        assert await begin(db, RELEASE) == (FIRST, Build(3))
        await Fold(Build(3)).prepare(db)
        await sink(client, db, Build(3)).put(0, joined(range(3)))
        return await names()

    monkeypatch.setattr(db, "list_collection_names", after_another_began)
    assert await clear(db) == []
    assert await folded(db, Build(3)) == 3


async def test_no_number_is_given_to_two_builds(db: Database) -> None:
    numbers = []
    for _ in range(3):
        numbers.append((await begin(db, RELEASE))[1].number)
        await give_up(db)
    assert numbers == [2, 3, 4]


# what they look at


async def has_begun(db: Database) -> bool:
    return await folded(db, SECOND) > 0


async def folded(db: Database, build: Build) -> int:
    return sum([sum(one["next"].values()) async for one in db[build.partitions].find()])


async def is_there(collection: AsyncCollection[Document], query: Document) -> bool:
    return await collection.find_one(query) is not None


async def is_pointed_at(db: Database) -> bool:
    return await db[BUILDS].find_one({"_id": CURRENT}) is not None


async def now(db: Database) -> Any:
    return (await db.client.admin.command("hello"))["localTime"]


async def everything(db: Database, build: Build) -> dict[str, list[Any]]:
    return {name: [one async for one in db[name].find().sort("_id")] for name in build.collections}
