"""Which streams may have moved since a rebuild looked at all of them, and when it has caught up."""

import asyncio
from dataclasses import replace
from typing import Any
from unittest.mock import AsyncMock

import pytest

from services.metrics import beside
from services.metrics.beside import Beside, _streams, places
from shared.kafka import Record
from shared.reading.fetched import Blank
from tests.builders import member_joined, on_kafka, recorded, stream


def test_the_streams_that_records_may_be_of_are_those_under_their_keys_whatever_else_they_say() -> None:
    good = on_kafka(recorded(member_joined(), 1, stream()))
    batch: dict[str, list[Record]] = {
        "membership": [good, replace(good, value=b"{", headers=()), replace(good, key=None)],
        "feedback": [replace(good, key=b"community.another\xff"), Blank("feedback.events", 0, 7, -1)],
    }
    assert _streams(batch) == {str(stream()), "feedback/community.another\N{REPLACEMENT CHARACTER}"}


async def test_it_has_caught_up_where_the_other_was_when_it_looked_although_facts_keep_coming(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (place, *_) = places(1)
    other = iter(range(3, 1_000_000))
    monkeypatch.setattr(beside, "LOOK_EVERY_S", 0)
    monkeypatch.setattr(beside, "folded_offsets", AsyncMock(side_effect=lambda *_: {place: next(other)}))
    absent: Any = None
    one = Beside("nowhere", absent, absent, absent, 1, lambda _: None)

    async def always_one_behind() -> None:
        while True:
            one._next = dict(one._bounds)
            await one._look(absent)
            await asyncio.sleep(0)

    following = asyncio.create_task(always_one_behind())
    try:
        await asyncio.wait_for(one.catch_up(), 5)
        assert one._next[place] >= 3
    finally:
        following.cancel()
