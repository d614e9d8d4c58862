"""What the relay takes of a page of its outbox: nothing overtakes what is not on Kafka yet."""

import asyncio
from types import SimpleNamespace
from typing import Any

import uvloop

from shared.mongo import Document
from shared.writing import relay as relaying
from shared.writing.relay import Lane, Relay, _lane, _Sending


def message(stream: str, version: int) -> Document:
    return {"_id": {"stream": stream, "version": version}, "topic": "t", "key": stream.encode()}


def taken(free: Any) -> list[tuple[str, int]]:
    return sorted((one["_id"]["stream"], one["_id"]["version"]) for messages in free.values() for one in messages)


def passing(*pages: list[Document], under_way: list[Document]) -> list[list[tuple[str, int]]]:
    """What is taken of each page; what is under way has arrived once the first was looked at."""
    outbox: Any = SimpleNamespace(outbox=None)

    async def go() -> list[list[tuple[str, int]]]:
        relay, passed_over, found = Relay(outbox, "nowhere:1", asyncio.Event()), set[Lane](), []
        sending = {
            ("t", _lane(one["key"])): _Sending([one], asyncio.create_task(asyncio.sleep(0))) for one in under_way
        }
        for page in pages:
            found.append(taken(relay._free(page, sending, passed_over)))
            sending.clear()
        return found

    return asyncio.run(go())


def test_what_was_passed_over_is_not_overtaken_by_what_comes_on_the_next_page() -> None:
    pages = [message("a", 2), message("a", 3), message("b", 1)], [message("a", 4), message("b", 2)]
    assert passing(*pages, under_way=[message("a", 1)]) == [[("b", 1)], [("b", 2)]]


def test_where_all_that_may_be_is_under_way_nothing_is_taken(monkeypatch: Any) -> None:
    monkeypatch.setattr(relaying, "MOST_UNDER_WAY", 1)
    pages = [message("b", 1)], [message("b", 2), message("c", 1)]
    assert passing(*pages, under_way=[message("a", 1)]) == [[], [("c", 1)]]


def test_what_was_refused_may_be_sent_when_it_is_rung_for() -> None:
    """As the services run: a timer of uvloop's may be early by its own clock, and it rings once."""
    outbox: Any = SimpleNamespace(outbox=None)
    refused = message("a", 1)

    async def go() -> list[list[tuple[str, int]]]:
        found = []
        for _ in range(30):
            rung = asyncio.Event()
            relay = Relay(outbox, "nowhere:1", rung)
            relay._rest(("t", _lane(refused["key"])), "it was not taken")
            found.append(taken(relay._free([refused], {}, set())))
            await asyncio.wait_for(rung.wait(), 5)
            found.append(taken(relay._free([refused], {}, set())))
        return found

    assert uvloop.run(go()) == 30 * [[], [("a", 1)]]


def test_who_relays_no_more_says_nothing_of_what_it_could_not_send(monkeypatch: Any) -> None:
    outbox: Any = SimpleNamespace(outbox=None)
    monkeypatch.setattr(relaying, "told_to_end", lambda: True)

    async def go() -> tuple[str | None, str | None]:
        relay = Relay(outbox, "nowhere:1", asyncio.Event())
        relay._rest(("t", 1), "it was not taken")
        before = relay.last_failure
        await relay.run()
        return before, relay.last_failure

    assert asyncio.run(go()) == ("it was not taken", None)
