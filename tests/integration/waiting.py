"""Waiting until something is so: patiently, because no test fails for having been slow."""

import asyncio
from collections.abc import Awaitable, Callable

PATIENCE_S = 120


async def until(is_so: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            if await is_so():
                return
            await asyncio.sleep(0.02)
