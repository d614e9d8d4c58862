"""A history of facts in the real language, of any length, the same for a seed; and putting it on Kafka."""

import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

from aiokafka import AIOKafkaProducer

from shared.events.convenings import AttendanceTaken, ConveningHeld, ConveningScheduled, PersonAttended
from shared.events.fact import Fact, Recorded, Stream
from shared.events.membership import (
    AffiliationBegan,
    CommunityFounded,
    CommunityKind,
    Governance,
    HowJoined,
    MemberJoined,
    MemberLeft,
    Role,
)
from shared.events.words import CoarseDate
from shared.kafka import encode

FIRST_DAY = date(2019, 1, 1)
TRACE = "00-" + "0" * 31 + "1-" + "0" * 15 + "1-01"
ORGANISATIONS = [f"organisation-{number}" for number in range(30)]
PER_PERSON = 6
"""Facts about one member: an affiliation, joining, three attendances, and every fifth leaves."""


def history(communities: int, members: int, seed: int = 1) -> Iterator[tuple[Stream, Fact]]:
    """Communities of so many members each, who join, come to some of twelve convenings, and sometimes leave."""
    chance = random.Random(seed)
    names = [f"community-{number}" for number in range(communities)]
    for name in names:
        yield (
            Stream("membership", "community", name),
            CommunityFounded(title=name, kind=CommunityKind.PRACTICE, governance=Governance.FACILITATED),
        )
        for convening in range(12):
            yield from _convened(
                Stream("convenings", "community", name), f"convening-{convening}", _day(60 * convening)
            )
    for number in range(members):
        for name in names:
            yield from _participates(name, f"{seed:02d}{number:024d}", chance)


def _convened(stream: Stream, convening: str, on: CoarseDate) -> Iterator[tuple[Stream, Fact]]:
    yield stream, ConveningScheduled(convening_id=convening, title=convening, scheduled_on=on)
    yield stream, ConveningHeld(convening_id=convening, held_on=on)
    yield stream, AttendanceTaken(convening_id=convening, held_on=on)


def _participates(community: str, person: str, chance: random.Random) -> Iterator[tuple[Stream, Fact]]:
    belonging, coming = Stream("membership", "community", community), Stream("convenings", "community", community)
    joined = chance.randrange(700)
    role = chance.choice(list(Role))
    yield (
        belonging,
        AffiliationBegan(
            person_id=person, affiliation_id="a", began_on=_day(0), organisation_id=chance.choice(ORGANISATIONS)
        ),
    )
    yield belonging, MemberJoined(person_id=person, role=role, how=HowJoined.INVITED, joined_on=_day(joined))
    for convening in sorted(chance.sample(range(12), 3)):
        yield (
            coming,
            PersonAttended(convening_id=f"convening-{convening}", person_id=person, attended_on=_day(60 * convening)),
        )
    if chance.random() < 0.2:
        yield belonging, MemberLeft(person_id=person, role=role, joined_on=_day(joined), left_on=_day(joined + 90))


def _day(number: int) -> CoarseDate:
    return CoarseDate.of(FIRST_DAY + timedelta(days=number))


async def publish(
    bootstrap: str, facts: Iterator[tuple[Stream, Fact]], versions: Counter[Stream] | None = None
) -> Counter[str]:
    """Put facts on Kafka as the relay would, in order of version; how many went to each topic.

    `versions` are those that the streams have come to; none by default.
    """
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True, acks="all", linger_ms=5)
    await producer.start()
    versions = Counter() if versions is None else versions
    sent: Counter[str] = Counter()
    now = datetime.now(UTC)
    try:
        for stream, fact in facts:
            versions[stream] += 1
            recorded = Recorded(f"{stream}-{versions[stream]}", stream, versions[stream], fact, now, TRACE)
            message = encode(recorded)
            await producer.send(message.topic, key=message.key, value=message.value, headers=message.headers)
            sent[message.topic] += 1
        await producer.flush()
    finally:
        await producer.stop()
    return sent
