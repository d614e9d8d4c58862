"""`praxis demo`: the demonstration, loaded through the gateway as any client would."""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta

from deploy.cli import figures
from deploy.cli.importing import AsJson, GatewayUrl
from deploy.cli.printing import out, progress
from deploy.client import Gateway
from deploy.demo import loading
from deploy.demo.loading import Loaded
from deploy.local.failures import Failure
from deploy.local.processes import Say


def demo(*, gateway: GatewayUrl, as_json: AsJson = False) -> None:
    """Load the demonstration into a running system and show its figures. Run it again at any time: nothing doubles."""
    begun = time.monotonic()
    with progress("loading the demonstration") as say:
        loaded = load(gateway, say=say)
    assert loaded is not None
    seconds = time.monotonic() - begun
    if as_json:
        told = {**asdict(loaded), "seconds": round(seconds, 1)}
        del told["positions"]
        out.print_json(json.dumps(told))
        return
    added = f"{loaded.created:,} of {loaded.commands:,} commands added something" if loaded.created else "nothing new"
    out.print(f"the demonstration is loaded: {added} ({seconds:.1f} s)")
    figures.show(gateway, as_at=loaded.demonstration_on, after=loaded.positions)


def load(gateway_url: str, *, only_where_empty: bool = False, say: Say = lambda _: None) -> Loaded | None:
    """Load it; None where the network holds something and only an empty one was to be filled.

    Raises:
        Failure: the system is away, or holds something else under an id of the demonstration.
    """
    return asyncio.run(_load(gateway_url, only_where_empty, lambda done, of: say(_told(done, of))))


async def _load(gateway_url: str, only_where_empty: bool, advance: Callable[[int, int], object]) -> Loaded | None:
    async with Gateway(gateway_url, patience=timedelta(minutes=1)) as gateway:
        if only_where_empty and not await loading.is_empty(gateway):
            return None
        try:
            return await loading.load(gateway, advance)
        except* Failure as several:
            raise _first(several) from None


def _told(done: int, of: int) -> str:
    # In steps, so that it stays readable where every new text is a line of its own.
    return f"loading the demonstration: {done - done % 500 if done < of else of:,} of {of:,} commands"


def _first(several: BaseExceptionGroup[Failure]) -> Failure:
    first = several.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
