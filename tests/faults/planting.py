"""Records that the suite itself puts on the topics: facts of a stream of its own in disorder, and what is no fact."""

import asyncio
import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import aiohttp
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError
from pymongo.errors import PyMongoError

from shared.kafka import partition_of
from tests import odd_record
from tests.faults.arena import Arena
from tests.faults.commands import SATISFIED, day
from tests.faults.ground import PARTITIONS
from tests.faults.history import COULD_NOT_PLANT, Line, as_it_is
from tests.faults.observed import current

TOPIC = "feedback.events"
WRITES = {"feedback": "convenings", "membership": "membership"}
AHEAD = 30
"""Versions after the last that are planted: some of them are written soon, some perhaps never."""
BURIED_WITHIN_S = FOLDED_WITHIN_S = 10.0
COPIED = 5
OVERSIZED = 1_000_000
"""Bytes: four times what is taken for a fact, and nearly what a topic takes (`max.message.bytes`)."""
SOMEBODY = f"{1:026d}"
"""Whom nobody registered."""
FLOODING, AT_ONCE = 20_000, 100
"""Bytes of a record, and how many are sent together."""


async def plant(arena: Arena) -> None:
    """One of each, and some of the records that are there once more."""
    producer = AIOKafkaProducer(bootstrap_servers=arena.system.kafka, enable_idempotence=True, acks="all")
    try:
        await producer.start()
        number = len({line["stream"] for line in arena.history.planted if line["is_fact"]})
        await _plant_in_disorder(arena, producer, f"{arena.history.about['run']}-planted-{number}")
        await _plant_what_is_no_fact(arena, producer)
        await _copy(arena, producer)
        await _transact(arena, number)
    except (KafkaError, PyMongoError) as problem:
        arena.history.miss(COULD_NOT_PLANT, reason=repr(problem))
    finally:
        await producer.stop()


async def plant_late(arena: Arena) -> None:
    """What something ends by is planted first, and how it began once that is folded: only in their order do they say
    that it ended.
    """
    community = f"{arena.history.about['run']}-planted-late-{len(arena.history.planted)}"
    belongs = {"person_id": SOMEBODY, "role": "member", "joined_on": day(1)}
    registers = {"convening_id": f"{community}-convening", "person_id": SOMEBODY}
    called = {"title": community, "scheduled_on": day(5), "called_by_members": True}
    facts: dict[str, list[tuple[str, Line]]] = {
        f"membership/community.{community}": [
            ("community-founded", {"title": community, "kind": "practice", "governance": "not-stated"}),
            ("member-joined", {**belongs, "how": "invited"}),
            ("member-left", {**belongs, "left_on": day(9)}),
        ],
        f"convenings/community.{community}": [
            ("convening-scheduled", {"convening_id": registers["convening_id"], **called}),
            ("registration-made", {**registers, "registered_on": day(2)}),
            ("registration-withdrawn", {**registers, "withdrawn_on": day(3)}),
        ],
    }
    producer = AIOKafkaProducer(bootstrap_servers=arena.system.kafka, enable_idempotence=True, acks="all")
    try:
        await producer.start()
        for stream, (first, begins, ends) in facts.items():
            await _send_fact(arena, producer, stream, 1, first)
            await _send_fact(arena, producer, stream, 3, ends)
            await _until_folded(arena, stream, 3)
            await _send_fact(arena, producer, stream, 2, begins)
    except (KafkaError, PyMongoError) as problem:
        arena.history.miss(COULD_NOT_PLANT, reason=repr(problem))
    finally:
        await producer.stop()


async def _until_folded(arena: Arena, stream: str, version: int) -> None:
    metrics = arena.client["metrics"]
    deadline = time.monotonic() + FOLDED_WITHIN_S
    while time.monotonic() < deadline:
        head = await metrics[(await current(metrics)).heads].find_one({"_id": stream})
        if head and head["head"] >= version:
            return
        await asyncio.sleep(0.02)
    arena.history.note("was not folded in time", stream=stream, version=version)  # others may hold metrics up


async def flood(arena: Arena, size: int) -> None:
    """One fact over and over, each time with much that no reader knows: in all so many bytes."""
    community = f"{arena.history.about['run']}-planted-flood"
    stream, key = f"feedback/community.{community}", f"community.{community}".encode()
    data = _form(community)
    value = json.dumps({**data, "not_known": "x" * FLOODING}).encode()
    headers = _headers(stream, 1, "feedback-form-opened")
    about = {"is_fact": True, "what": "a flood", "data": data, "id": _id(stream, 1)}
    named = {"stream": stream, "version": 1, "type": "praxis.feedback-form-opened.v1"}
    producer = AIOKafkaProducer(bootstrap_servers=arena.system.kafka, enable_idempotence=True, acks="all")
    await producer.start()
    try:
        for _ in range(size // FLOODING // AT_ONCE):
            sent = [await producer.send(TOPIC, value, key=key, headers=headers) for _ in range(AT_ONCE)]
            for one in await asyncio.gather(*sent):
                arena.history.planted.append({**about, **named, "topic": TOPIC, "partition": one.partition} | _at(one))
    finally:
        await producer.stop()


async def _plant_in_disorder(arena: Arena, producer: AIOKafkaProducer, community: str) -> None:
    """Versions 3, 1, 1, 2 and 5: out of order, one twice, and the fourth never. Then two that are facts but for their
    headers: one in the place of the last, and one that claims two places.
    """
    stream, key = f"feedback/community.{community}", f"community.{community}".encode()
    facts: dict[int, tuple[str, Line]] = {1: ("feedback-form-opened", _form(community))}
    for version in (2, 3, 5):
        answers = [{"question_id": "satisfied", "answer": arena.rng.choice(SATISFIED)}]
        response = {"form_id": f"{community}-form", "response_id": f"{version:026d}", "received_on": day(version)}
        facts[version] = ("response-received", {**response, "answers": answers, "in_words": []})
    for version in (3, 1, 1, 2, 5):
        await _send_fact(arena, producer, stream, version, facts[version])
    kind, data = facts[2]
    good, value = _headers(stream, 5, kind), json.dumps(data).encode()
    another = [(name, b"planted-another" if name == "ce_id" else held) for name, held in good]
    line = {"is_fact": False, "what": "another fact in the place of one"}
    await _send(arena, producer, TOPIC, key, value, another, line)
    line = {"is_fact": False, "what": "a version that stands there twice"}
    await _send(arena, producer, TOPIC, key, value, [*good, ("ce_sequence", b"6")], line)


async def _plant_what_is_no_fact(arena: Arena, producer: AIOKafkaProducer) -> None:
    """About the next fact of a community that all write to: the real one still comes, or has come."""
    community = f"{arena.history.about['run']}-community-{arena.rng.randint(0, 4)}"
    key = f"community.{community}".encode()
    good = await _headers_of_last(arena, "convenings", f"feedback/{key.decode()}", "response-received")
    joined = await _headers_of_last(arena, "membership", f"membership/{key.decode()}", "member-joined")
    bad = {
        "an unknown type": (TOPIC, key, b"{}", _typed(good, "praxis.from-the-future.v9")),
        "an unknown version of a type": ("membership.events", key, b"{}", _typed(joined, "praxis.member-joined.v9")),
        "broken JSON": (TOPIC, key, b'{"form_id": ', good),
        "longer than any fact": (TOPIC, key, b'{"form_id": "%s"}' % (b"x" * OVERSIZED), good),
        "a wrong key": (TOPIC, b"community.another", b"{}", good),
        "a tombstone": (TOPIC, key, None, good),
        "no headers": (TOPIC, key, b"{}", []),
    }
    for what, (topic, of, value, headers) in bad.items():
        await _send(arena, producer, topic, of, value, headers, {"is_fact": False, "what": what})
    place = await odd_record.sent(arena.system.kafka, TOPIC, key.decode())
    line = {"stream": None, "topic": TOPIC, "is_fact": False, "what": "a header's name that is no UTF-8"}
    arena.history.planted.append({**line, **place})


async def _transact(arena: Arena, number: int) -> None:
    """Leave the marks of two transactions on each topic: one that ends, and one that gives up a fact of a community."""
    run = arena.history.about["run"]
    producer = AIOKafkaProducer(bootstrap_servers=arena.system.kafka, transactional_id=f"{run}-planting")
    await producer.start()
    try:
        await producer.begin_transaction()
        await _plant_in_disorder(arena, producer, f"{run}-transaction-{number}")
        await producer.commit_transaction()
        await producer.begin_transaction()
        for topic, kind in (("feedback", "response-received"), ("membership", "member-joined")):
            key = f"community.{run}-community-{arena.rng.randint(0, 4)}"
            headers = await _headers_of_last(arena, WRITES[topic], f"{topic}/{key}", kind)
            await producer.send_and_wait(f"{topic}.events", b"{", key=key.encode(), headers=headers)
        await producer.abort_transaction()
        arena.history.note("gave up a transaction")
    finally:
        await producer.stop()


async def break_partitions(arena: Arena) -> None:
    """Put one broken record more on each partition than metrics bears there; returns when all stand still."""
    lines = list[Line]()
    producer = AIOKafkaProducer(bootstrap_servers=arena.system.kafka, acks="all")
    try:
        await producer.start()
        for number in [*range(PARTITIONS)] * (arena.dead_letters_borne + 1):
            sent = await producer.send_and_wait(TOPIC, b"{", partition=number)
            line = {"stream": None, "is_fact": False, "what": "broken JSON, one of too many"}
            lines.append({**line, "topic": TOPIC, "partition": number} | _at(sent))
    finally:
        await producer.stop()
        arena.history.planted += lines
        arena.to_discard += lines
    borne, beyond = lines[:-PARTITIONS], lines[-PARTITIONS:]
    for line in borne:
        await _letter(arena, line)
    for line in beyond:
        if await arena.client["metrics"].dead_letters.find_one(_place(line)):
            arena.history.miss("did not stand still", **_place(line))


async def discard_in_advance(arena: Arena) -> None:
    """Plant what is no fact at versions that are still to come, and have metrics discard it: the real ones count."""
    community = f"{arena.history.about['run']}-community-{arena.rng.randint(0, 4)}"
    key = f"community.{community}".encode()
    producer = AIOKafkaProducer(bootstrap_servers=arena.system.kafka, acks="all")
    try:
        await producer.start()
        for topic, kind in (("feedback", "response-received"), ("membership", "member-joined")):
            stream = f"{topic}/{key.decode()}"
            head = await arena.client[WRITES[topic]].streams.find_one({"_id": stream})
            for ahead in range(1, AHEAD + 1):
                headers = _headers(stream, (head or {"version": 0})["version"] + ahead, kind)
                line = {"is_fact": False, "what": "broken JSON at a version that is still to come"}
                await _send(arena, producer, f"{topic}.events", key, b"{", headers, line)
                arena.to_discard.append(arena.history.planted[-1])
        await discard(arena)
    except (KafkaError, PyMongoError) as problem:
        arena.history.miss(COULD_NOT_PLANT, reason=repr(problem))
    finally:
        await producer.stop()


async def discard(arena: Arena) -> None:
    """Have metrics discard what is meant to be: once more when all runs again, if it could not be asked before."""
    while arena.to_discard:
        if not await _is_discarded(arena, arena.to_discard[0]):
            return
        del arena.to_discard[0]


async def _is_discarded(arena: Arena, line: Line) -> bool:
    letter = await _letter(arena, line)
    if letter is None:
        return False
    if letter.get("discarded"):  # and the answer was lost
        return True
    url = f"{arena.system.address('metrics')}/v1/dead-letters/{letter['_id']}/discard"
    decision = {"by": "faults", "why": "planted by the suite"}
    timeout = aiohttp.ClientTimeout(total=BURIED_WITHIN_S)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as http, http.post(url, json=decision) as answer:
            about = {"id": letter["_id"], "position": letter["position"], "status": answer.status}
            if not answer.ok:
                arena.history.miss("could not discard", **about, reason=await answer.text())
                return False
            arena.history.note("discarded", **about)
            return True
    except (aiohttp.ClientError, TimeoutError) as problem:
        arena.history.miss("could not discard", id=letter["_id"], reason=repr(problem))
        return False


async def _letter(arena: Arena, line: Line) -> Line | None:
    """The dead letter that this became, once it is there."""
    deadline = time.monotonic() + BURIED_WITHIN_S
    while (letter := await arena.client["metrics"].dead_letters.find_one(_place(line))) is None:
        if time.monotonic() > deadline:
            arena.history.miss("no dead letter to discard", **_place(line))
            return None
        await asyncio.sleep(0.02)
    return letter


def _place(line: Line) -> Line:
    return {name: line[name] for name in ("topic", "partition", "offset")}


async def _headers_of_last(arena: Arena, service: str, stream: str, kind: str) -> list[tuple[str, bytes]]:
    head = await arena.client[service].streams.find_one({"_id": stream})
    return _headers(stream, (head or {"version": 1})["version"], kind)


def _typed(headers: Sequence[tuple[str, bytes]], kind: str) -> list[tuple[str, bytes]]:
    return [(name, kind.encode() if name == "ce_type" else value) for name, value in headers]


async def _copy(arena: Arena, producer: AIOKafkaProducer) -> None:
    """Records that stand on the topics, once more at their ends: duplicates, and old versions after new ones.

    And one each in another partition, whose reader knows nothing of the stream.
    """
    consumer = AIOKafkaConsumer(bootstrap_servers=arena.system.kafka)
    await consumer.start()
    try:
        for topic in ("membership.events", "convenings.events", TOPIC):
            place = TopicPartition(topic, arena.rng.randrange(PARTITIONS))
            consumer.assign([place])
            end = (await consumer.end_offsets([place]))[place]
            consumer.seek(place, max(end - 3 * COPIED, arena.since.offsets.get(place, 0)))
            records = [one for batch in (await consumer.getmany(timeout_ms=500)).values() for one in batch]
            chosen = [
                record
                for record in arena.rng.sample(records, min(COPIED, len(records)))
                if not dict(record.headers).get("ce_id", b"planted").startswith(b"planted")
                and partition_of(record.key, PARTITIONS) == place.partition
            ]
            for record in chosen:
                await producer.send_and_wait(
                    topic, record.value, key=record.key, partition=place.partition, headers=list(record.headers)
                )
            for record in chosen[:1]:
                wrong = (place.partition + 1) % PARTITIONS
                sent = await producer.send_and_wait(
                    topic, record.value, key=record.key, partition=wrong, headers=list(record.headers)
                )
                line = {"stream": None, "topic": topic, "is_fact": False, "what": "a copy in the wrong partition"}
                held = as_it_is(record.key, record.value, record.headers)
                arena.history.planted.append({**line, **held, "partition": wrong} | _at(sent))
            of = [f"{headers['ce_subject']}@{headers['ce_sequence']}" for headers in map(_read, chosen)]
            arena.history.note("copied", topic=topic, partition=place.partition, of=of)
    finally:
        await consumer.stop()


def _read(record: Any) -> dict[str, str]:
    return {name: (value or b"").decode() for name, value in record.headers}


async def _send_fact(
    arena: Arena, producer: AIOKafkaProducer, stream: str, version: int, fact: tuple[str, Line]
) -> None:
    """A fact by its kind and data, in its place."""
    (topic, _, key), (kind, data) = stream.partition("/"), fact
    line = {"is_fact": True, "what": "a fact in disorder", "data": data, "id": _id(stream, version)}
    named = {"stream": stream, "version": version, "type": f"praxis.{kind}.v1"}
    value, headers = json.dumps(data).encode(), _headers(stream, version, kind)
    await _send(arena, producer, f"{topic}.events", key.encode(), value, headers, {**line, **named})


async def _send(
    arena: Arena,
    producer: AIOKafkaProducer,
    topic: str,
    key: bytes,
    value: bytes | None,
    headers: Sequence[tuple[str, bytes]],
    line: Line,
) -> None:
    sent = await producer.send_and_wait(topic, value, key=key, headers=list(headers))
    named = {"stream": None, "topic": topic, "partition": sent.partition, **line}
    arena.history.planted.append({**named, **as_it_is(key, value, headers)} | _at(sent))


def _at(sent: Any) -> Line:
    return {"offset": sent.offset}


def _form(community: str) -> Line:
    questions = [{"question_id": "satisfied", "text": "How was it?", "scale": "ordered", "answers": list(SATISFIED)}]
    return {"form_id": f"{community}-form", "title": "Planted", "opened_on": day(0), "questions": questions}


def _id(stream: str, version: int) -> str:
    return f"planted-{stream}-{version}"


def _headers(stream: str, version: int, kind: str) -> list[tuple[str, bytes]]:
    attributes = {
        "ce_specversion": "1.0",
        "ce_id": _id(stream, version),
        "ce_type": f"praxis.{kind}.v1",
        "ce_source": "praxis/faults",
        "ce_subject": stream,
        "ce_sequence": str(version),
        "ce_recordedtime": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "content-type": "application/json",
    }
    return [(name, value.encode()) for name, value in attributes.items()]
