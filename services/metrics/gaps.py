"""Versions that are missing of which no dead letter tells: they are on their way, or never came."""

from typing import NamedTuple

from services.metrics.comparison import Runs, runs
from services.metrics.dead_letters import waiting
from shared.mongo import Database, Document
from shared.views.builds import Build


class Gap(NamedTuple):
    """What is missing of a stream."""

    stream: str
    versions: Runs
    """From the first to the last, both included."""


async def gaps(db: Database, build: Build, *, after: str, limit: int) -> list[Gap]:
    """What a build lacks, in order of streams, of at most so many that come after one.

    A version that a waiting dead letter claims is left out: it was read, and is somebody's to settle.
    """
    claimed = {**waiting(build), "position": {"$ne": None}}
    to_be_settled = {letter["position"] async for letter in db.dead_letters.find(claimed, {"position": 1})}
    incomplete: Document = {"_id": {"$gt": after}, "missing.0": {"$exists": True}}
    found = list[Gap]()
    async for head in db[build.heads].find(incomplete, {"missing": 1}).sort("_id"):
        versions = [version for version in head["missing"] if f"{head['_id']}@{version}" not in to_be_settled]
        if versions:
            found.append(Gap(head["_id"], runs(versions)))
        if len(found) == limit:
            break
    return found
