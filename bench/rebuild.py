"""Facts a second of a rebuild against the worker in production on the same facts, while the old views are read.

The rebuild is the process that `praxis rebuild` runs. It folds where the worker has nothing to do; its rate is that of
its reading, from the first facts that it tells of to the last, before it compares and takes over. All services run
meanwhile and somebody reads on and on, which takes a good part of two cores; so the worker is measured twice, alone and
with the same beside it, folding into a database of its own.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from rich.progress import Progress

from bench.options import Options
from bench.streams import CONTENDERS, measured, put_on_kafka, start
from bench.table import Row, Sheet, quantiles, ratio
from deploy.local.settings import REPOSITORY
from deploy.local.system import System
from shared.mongo import connect
from shared.views.builds import DATABASE

VIEW = "/v1/communities/community-0"
READS_BEFORE = 300
BETWEEN_READS_S = 0.01


class Refused(Exception):
    """The rebuild has not taken over: the bench has failed."""


async def run(system: System, options: Options, progress: Progress) -> list[Sheet]:
    total = (await put_on_kafka(system, options.facts, progress)).total
    alone = await _worker(system, DATABASE, total, progress)
    system.up()  # the gateway, and what it wants beside it
    async with httpx.AsyncClient(base_url=system.gateway, timeout=30) as http:
        before = [await _read(http) for _ in range(READS_BEFORE)]
        async with _reading(http):
            beside_reads = await _worker(system, "bench_rebuild", total, progress)
        async with _reading(http) as during:
            rebuilt, seconds = await _rebuild(system, progress)
    rows = [
        Row("worker in production, 1 process, alone", f"{alone:,.0f} facts/s"),
        Row("worker in production, 1 process, beside reads", f"{beside_reads:,.0f} facts/s"),
        Row("rebuild, beside reads", f"{rebuilt:,.0f} facts/s", ratio(rebuilt, alone, "x the worker alone", aim=1)),
        Row("", "", ratio(rebuilt, beside_reads, "x the worker beside reads", aim=1)),
        Row("rebuild, from its start until it took over", f"{seconds:.1f} s"),
        Row("reads before", quantiles(before)),
        Row("reads meanwhile", f"{quantiles(during)}, {len(during):,} reads"),
    ]
    return [Sheet(f"A rebuild of {total:,} facts", rows)]


@asynccontextmanager
async def _reading(http: httpx.AsyncClient) -> AsyncIterator[list[float]]:
    """Somebody who reads on and on, and what each read takes, in seconds."""
    took = list[float]()

    async def read_on() -> None:
        while True:
            took.append(await _read(http))

    reading = asyncio.create_task(read_on())
    try:
        yield took
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def _worker(system: System, database: str, total: int, progress: Progress) -> float:
    """Facts a second of the worker, as `bench streams` measures it; its views stay."""
    contender = CONTENDERS["production"]
    bar = progress.add_task(contender.title, total=total)
    client = connect(system.mongo)
    started = start(system, contender, database)

    def tell(folded: int) -> None:
        progress.update(bar, completed=folded)

    try:
        return (await measured(system, contender, client[database], started, total, tell)).rate
    finally:
        started.kill()
        progress.remove_task(bar)
        await client.close()


async def _rebuild(system: System, progress: Progress) -> tuple[float, float]:
    """Facts a second while it reads, and the seconds from its start until it has taken over.

    Raises:
        Refused: it has not.
    """
    bar = progress.add_task("rebuilding", total=None)
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.metrics.rebuild", "--grace", "0"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        cwd=REPOSITORY,
        env={**os.environ, "PRAXIS_KAFKA": system.kafka, "PRAXIS_MONGO": system.mongo},
    )
    marks = list[tuple[float, int]]()
    told = dict[str, object]()
    took_over = 0.0
    try:
        assert process.stdout is not None
        async for line in process.stdout:
            told = json.loads(line)
            match told:
                case {"stage": "reading", "done": int(done), "total": int(total)} if done:
                    marks.append((time.perf_counter(), done))
                    progress.update(bar, completed=done, total=total)
                case {"stage": "flipped"}:
                    took_over = time.perf_counter() - began
                case _:
                    pass
    except BaseException:
        process.terminate()
        raise
    finally:
        await process.wait()
        progress.remove_task(bar)
    if not took_over or len(marks) < 2:
        raise Refused(f"the last that it told was {told}")
    (then, first), (now, last) = marks[0], marks[-1]
    return (last - first) / (now - then), took_over


async def _read(http: httpx.AsyncClient) -> float:
    await asyncio.sleep(BETWEEN_READS_S)
    began = time.perf_counter()
    (await http.get(VIEW)).raise_for_status()
    return time.perf_counter() - began
