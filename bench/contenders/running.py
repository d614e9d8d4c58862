"""How the contenders in Python run: as our worker does, or, told `plain`, as Python comes."""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import uvloop

from shared.running import collect_seldom


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """On uvloop, and looking for cyclic garbage seldom; `plain`: on asyncio, and looking as often as it likes."""
    if "plain" in sys.argv[1:]:
        asyncio.run(main())
        return
    collect_seldom()
    uvloop.run(main())
