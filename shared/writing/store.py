"""The collections of a writing service."""

from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta

from pymongo.errors import CollectionInvalid

from shared.mongo import Database
from shared.writing.decider import State

RECEIPTS_KEPT = timedelta(days=30)
"""After this a command that comes again is decided anew, which for all but minted ids changes nothing either."""


async def make_collections(
    db: Database, states: Iterable[type[State]], others: Iterable[str] = (), answering: Iterable[str] = ()
) -> None:
    """Make what is not there yet: a transaction should not have to. By what is in `answering` receipts are found."""
    for name in ("streams", "events", "outbox", "leases", *(state.collection for state in states), *others):
        with suppress(CollectionInvalid):  # it is there
            await db.create_collection(name)
    await db.receipts.create_index("at", expireAfterSeconds=RECEIPTS_KEPT // timedelta(seconds=1))
    for field in (f"answer.{name}" for name in answering):
        await db.receipts.create_index(field, partialFilterExpression={field: {"$exists": True}})
