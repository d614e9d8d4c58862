"""MongoDB as Praxis uses it: reads of what is there to stay, and transactions whose outcome is known."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import timedelta
from typing import Any, TypeVar

import pymongo.lock
import structlog
from prometheus_client import Counter
from pymongo import AsyncMongoClient, ReadPreference, WriteConcern
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import ConnectionFailure, PyMongoError, WriteConcernError
from pymongo.read_concern import ReadConcern

from shared.drivers import MongoDriverFailed, by_its_name

Document = dict[str, Any]
Client = AsyncMongoClient[Document]
Database = AsyncDatabase[Document]
Session = AsyncClientSession
T = TypeVar("T")

log = structlog.get_logger(__name__)

RERUNS = Counter("praxis_transaction_reruns_total", "Transactions run again because they lost a race or their server")

MAJORITY = WriteConcern(w="majority", wtimeout=30_000)
DUPLICATE_KEY = 11000
CUT_SHORT = frozenset([50, 262, 290, 11601])
"""MongoDB's codes for what it stopped doing: for its time was over, the transaction's too, or somebody ended it."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.002, 2.0


def connect(url: str) -> Client:
    """A client whose reads see only what a majority holds, and whose writes wait for it."""
    return AsyncMongoClient(
        url,
        readConcernLevel="majority",
        w="majority",
        wtimeoutMS=30_000,
        serverSelectionTimeoutMS=5_000,
        retryReads=True,
        retryWrites=True,
        tz_aware=True,
    )


async def _wait_for(work: Awaitable[T], seconds: float | None) -> T:
    async with asyncio.timeout(seconds):
        return await work


# Until Python 3.12 `asyncio.wait_for` waits in another task. Who is cancelled while that one takes the driver's lock
# again goes without it, and it stays locked for good: nobody is answered by MongoDB any more, although it is back.
vars(pymongo.lock)["wait_for"] = _wait_for


class LostRaces(Exception):
    """A transaction was run again and again, and each time somebody else had been there first."""


async def transact(client: Client, body: Callable[[Session], Awaitable[T]], *, patience: timedelta | None = None) -> T:
    """Run `body` in one transaction with snapshot reads, and return what it returned once that is committed.

    A transaction that lost a race, its primary, or its time, is run again from its first read, after a pause that
    grows; one whose commit has an unknown outcome is committed again, never run again, until the outcome is known.
    Whatever else `body` raises aborts the transaction and is raised.

    Raises:
        LostRaces: it still loses after `patience`, and nothing was changed. Who died in a transaction holds what it
            wrote until MongoDB ends that (`transactionLifetimeLimitSeconds`). Without `patience`: never.
    """
    pause, began = FIRST_PAUSE_S, time.monotonic()
    async with client.start_session() as session:
        while True:
            await session.start_transaction(
                read_concern=ReadConcern("snapshot"),
                write_concern=MAJORITY,
                read_preference=ReadPreference.PRIMARY,
            )
            try:
                result = await by_its_name(body(session))
                await _commit(session)
            except PyMongoError as problem:
                await _abort(session)
                if not _was_in_vain(problem):
                    raise
                RERUNS.inc()
                log.debug("transaction.rerun", reason=str(problem))
                lost_race = not isinstance(problem, ConnectionFailure)
                if patience and lost_race and time.monotonic() - began > patience.total_seconds():
                    raise LostRaces(str(problem)) from problem
                await asyncio.sleep(random.uniform(0, pause))
                pause = min(pause * 2, LONGEST_PAUSE_S)
            except BaseException:
                await _abort(session)
                raise
            else:
                return result


async def _commit(session: Session) -> None:
    pause = FIRST_PAUSE_S
    while True:
        try:
            await by_its_name(session.commit_transaction())
        except PyMongoError as problem:
            if _is_known(problem):
                raise
            log.warning("transaction.commit_again", reason=str(problem))
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_S)
        else:
            return


async def _abort(session: Session) -> None:
    if session.in_transaction:
        try:
            await by_its_name(session.abort_transaction())
        except PyMongoError:
            log.debug("transaction.abort_failed")  # the server drops it by itself


def _is_known(problem: PyMongoError) -> bool:
    """Whether what a commit was answered tells that it did not come about.

    MongoDB may be cut short while it commits, as where it was frozen until the transaction's time was over, and after
    it has: then it tells of what it was to wait for. It gives neither a label, and knows better when it is asked again.
    """
    if isinstance(problem, (MongoDriverFailed, WriteConcernError)) or _is_cut_short(problem):
        return False
    return not problem.has_error_label("UnknownTransactionCommitResult")


def _is_cut_short(problem: PyMongoError) -> bool:
    return getattr(problem, "code", None) in CUT_SHORT


def _was_in_vain(problem: PyMongoError) -> bool:
    """Whether the transaction lost a race, its server or its time, so that it may succeed when it is run again.

    A duplicate key is a lost race too: what is inserted in a transaction was seen to be absent before.
    """
    details = getattr(problem, "details", None) or {}
    duplicate = any(error.get("code") == DUPLICATE_KEY for error in details.get("writeErrors", [details]))
    lost = isinstance(problem, ConnectionFailure) or problem.has_error_label("TransientTransactionError")
    return duplicate or lost or _is_cut_short(problem)


async def find_across(
    db: Database, wanted: Mapping[str, Collection[Any]], session: Session
) -> dict[str, dict[Any, Document]]:
    """Documents by their ids from several collections, in one round trip: collection -> id -> document."""
    lookups: list[Document] = [
        {"$lookup": {"from": name, "pipeline": [{"$match": {"_id": {"$in": list(ids)}}}], "as": name}}
        for name, ids in wanted.items()
    ]
    cursor = await db.aggregate([{"$documents": [{}]}, *lookups], session=session)
    (found,) = await cursor.to_list()
    return {name: {document["_id"]: document for document in found[name]} for name in wanted}
