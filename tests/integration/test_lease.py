"""A lease on a real MongoDB: one of several holds it, and another takes over when its holder is gone."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from shared.lease import HeldElsewhere, Lease
from shared.mongo import Client, Database
from tests.integration.waiting import PATIENCE_S, until

SHORT = timedelta(milliseconds=400)


def lease(db: Database, holder: str, lasts: timedelta = SHORT) -> Lease:
    return Lease(db, "relay", holder, lasts)


class Work:
    """Goes on until it is stopped; says who is at it."""

    def __init__(self) -> None:
        self.at_work: list[str] = []
        self.begun = asyncio.Event()

    async def by(self, holder: str) -> None:
        self.at_work.append(holder)
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.at_work.remove(holder)

    async def is_left(self) -> bool:
        return not self.at_work


async def stopped(*tasks: "asyncio.Task[None]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_one_of_two_holds_and_may_prolong(db: Database) -> None:
    one, other = lease(db, "one"), lease(db, "other")
    assert await one.take()
    assert not await other.take()
    assert await one.take()


async def test_of_many_that_ask_at_once_one_gets_it(db: Database) -> None:
    taken = await asyncio.gather(*(lease(db, f"holder-{number}", timedelta(minutes=1)).take() for number in range(20)))
    assert sum(taken) == 1


async def test_leases_of_other_names_do_not_disturb(db: Database) -> None:
    assert await lease(db, "one").take()
    assert await Lease(db, "evaluator", "other").take()


async def test_who_does_not_prolong_loses_it_to_whoever_asks_next(db: Database) -> None:
    dead, other = lease(db, "dead"), lease(db, "other")
    assert await dead.take()
    await until(other.take)
    assert not await dead.take()


async def test_who_gives_it_up_leaves_it_to_the_next_at_once_and_takes_nobody_elses(db: Database) -> None:
    one, other = lease(db, "one", timedelta(minutes=1)), lease(db, "other", timedelta(minutes=1))
    assert await one.take()
    await other.give_up()
    assert not await other.take()
    await one.give_up()
    assert await other.take()


async def test_it_runs_out_by_the_servers_clock(client: Client, db: Database) -> None:
    assert await lease(db, "one", timedelta(minutes=1)).take()
    now: datetime = (await client.admin.command("hello"))["localTime"]
    held = await db.leases.find_one({"_id": "relay"})
    assert held is not None
    assert timedelta(0) < held["until"].replace(tzinfo=None) - now.replace(tzinfo=None) <= timedelta(minutes=1)


async def test_the_work_goes_on_as_long_as_it_is_held_and_one_does_it(db: Database) -> None:
    work = Work()
    tasks = [
        asyncio.create_task(lease(db, holder).while_held(lambda holder=holder: work.by(holder)))  # type: ignore[misc]
        for holder in ("one", "other")
    ]
    await asyncio.wait_for(work.begun.wait(), PATIENCE_S)
    for _ in range(10):
        await asyncio.sleep(SHORT.total_seconds() / 5)
        assert len(work.at_work) <= 1
    await stopped(*tasks)
    assert work.at_work == []


async def test_a_holder_that_stops_leaves_its_lease_to_the_next_at_once(db: Database) -> None:
    work, long = Work(), timedelta(minutes=1)
    holding = asyncio.create_task(lease(db, "one", long).while_held(lambda: work.by("one")))
    await asyncio.wait_for(work.begun.wait(), PATIENCE_S)
    await stopped(holding)
    assert await lease(db, "other", long).take()


async def test_who_has_lost_the_lease_stops_working(db: Database) -> None:
    work = Work()
    holding = asyncio.create_task(lease(db, "one").while_held(lambda: work.by("one")))
    await asyncio.wait_for(work.begun.wait(), PATIENCE_S)
    await db.leases.delete_one({"_id": "relay"})
    assert await lease(db, "other", timedelta(minutes=1)).take()
    await until(work.is_left)
    await stopped(holding)
    assert not await lease(db, "one").take(), "what another holds is not given up"


@pytest.mark.parametrize("ending", ["fails", "ends"])
async def test_work_that_fails_or_ends_is_begun_again(db: Database, ending: str) -> None:
    times, twice = [0], asyncio.Event()

    async def work() -> None:
        times[0] += 1
        if times[0] == 2:
            twice.set()
        if ending == "fails":
            raise RuntimeError("it broke")

    holding = asyncio.create_task(lease(db, "one").while_held(work))
    await asyncio.wait_for(twice.wait(), PATIENCE_S)
    await stopped(holding)


async def test_what_is_done_once_is_done_under_the_lease_and_gives_it_up(db: Database) -> None:
    one, other = lease(db, "one"), lease(db, "other")
    await one.claim()

    async def work() -> bool:
        await asyncio.sleep(SHORT.total_seconds() * 2)
        return await other.take()

    assert await one.once(work) is False
    assert await other.take()


async def test_who_claims_it_waits_for_it_to_run_out_but_not_for_who_prolongs_it(db: Database) -> None:
    killed, living, one = lease(db, "killed"), lease(db, "living"), lease(db, "one")
    assert await killed.take()
    await one.claim()
    await one.give_up()
    await living.claim()
    holding = asyncio.create_task(living.hold())
    with pytest.raises(HeldElsewhere, match=r"another relay is running \(living\)"):
        await one.claim()
    await stopped(holding)


async def test_work_that_is_done_once_is_broken_off_when_the_lease_is_lost(db: Database) -> None:
    work, one = Work(), lease(db, "one")
    await one.claim()
    working = asyncio.create_task(one.once(lambda: work.by("one")))
    await asyncio.wait_for(work.begun.wait(), PATIENCE_S)
    taken = {"holder": "other", "until": datetime(2100, 1, 1, tzinfo=UTC)}
    await db.leases.update_one({"_id": "relay"}, {"$set": taken})
    with pytest.raises(HeldElsewhere, match="other"):
        await working
    assert work.at_work == []
