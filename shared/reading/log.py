"""The log that is read: whether it is still the one whose offsets are stored.

A topic that was deleted and made anew has the name and the offsets of the old one, and so has one of another cluster
behind the same address. What tells them apart is kept in the partition's document, beside the offsets: the cluster's
id, and of each topic when the record at offset 0 came onto Kafka. That record's `ce_id` would not do: a refill puts the
same facts, with the same ids, on the new topic.
"""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.structs import OffsetAndTimestamp

from shared.mongo import Document

NO_TIME = -1
"""The time of a record that was sent without one, or with one before 1970. Kafka takes it, and finds none by it."""
ANSWERS_WITHIN_S = 10.0  # aiokafka by itself would go on asking for 40 s and more
REMEDY = "refill it from the services' events with `praxis refill --new-topics`, then `praxis rebuild --new-topics`"


class LostLog(Exception):
    """What is stored does not fit what is on Kafka: go no further, and say so."""


@dataclass(frozen=True)
class Log:
    """What Kafka holds in these places."""

    beginnings: Mapping[TopicPartition, int]
    ends: Mapping[TopicPartition, int]
    firsts: Mapping[TopicPartition, int]
    """When the record at offset 0 came onto Kafka, in milliseconds since 1970 or `NO_TIME`; without those that hold
    none.
    """
    cluster: str | None = None
    """None where it was not asked for: whoever stays connected stays with its cluster."""


async def look_at(consumer: AIOKafkaConsumer, places: Collection[TopicPartition], cluster: str | None = None) -> Log:
    """
    Raises:
        KafkaError, TimeoutError: Kafka does not tell.
    """
    async with asyncio.timeout(ANSWERS_WITHIN_S):
        beginnings = await consumer.beginning_offsets(places)
        oldest = await consumer.offsets_for_times(dict.fromkeys(places, 0))
        # asked last: what was seen to begin somewhere does not end before that
        ends = await consumer.end_offsets(places)
        firsts = _firsts(oldest)
        # what came meanwhile, and what has no time, for which nobody can ask
        if others := [place for place in places if ends[place] and not beginnings[place] and place not in firsts]:
            firsts |= dict.fromkeys(others, NO_TIME) | _firsts(
                await consumer.offsets_for_times(dict.fromkeys(others, 0))
            )
    return Log(beginnings, ends, firsts, cluster)


def _firsts(oldest: Mapping[TopicPartition, OffsetAndTimestamp | None]) -> dict[TopicPartition, int]:
    return {place: found.timestamp for place, found in oldest.items() if found and found.offset == 0}


async def held_up(bootstrap: str, places: Collection[TopicPartition]) -> dict[TopicPartition, int]:
    """Where a transaction of some producer is open, and from which offset on nothing can be read for it.

    Raises:
        KafkaError, TimeoutError: Kafka does not tell.
    """
    async with (
        asyncio.timeout(ANSWERS_WITHIN_S),
        AIOKafkaConsumer(bootstrap_servers=bootstrap) as consumer,
        AIOKafkaConsumer(bootstrap_servers=bootstrap, isolation_level="read_committed") as as_read,
    ):
        ends = await consumer.end_offsets(places)
        readable = await as_read.end_offsets(places)  # asked last: what has come meanwhile holds nobody up
    return {place: readable[place] for place in places if readable[place] < ends[place]}


def open_transaction(place: TopicPartition, offset: int, bootstrap: str) -> str:
    """What to do about it."""
    return (
        f"a transaction of another producer is open on {place.topic}, partition {place.partition}, and nothing from "
        f"offset {offset} on can be read until it ends: by that producer, or by Kafka after the producer's "
        f"transaction.timeout.ms, 15 minutes at most. To end it now: `kafka-transactions.sh --bootstrap-server "
        f"{bootstrap} abort --topic {place.topic} --partition {place.partition} --start-offset {offset}`"
    )


async def cluster_id(bootstrap: str) -> str:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        async with asyncio.timeout(ANSWERS_WITHIN_S):
            await admin.start()
            found: str = (await admin.describe_cluster())["cluster_id"]
            return found
    finally:
        await admin.close()


def learned(number: int, document: Document | None, log: Log) -> Document:
    """What the log tells that its partition's document does not say yet, as fields to set.

    Raises:
        LostLog: facts between the stored offset and the log are gone, or this is another log. Of a topic of which
            nothing was read yet it may be any.
    """
    offsets, known = (document["next"], document.get("log", {})) if document else ({}, {})
    firsts, fields = known.get("firsts", {}), Document()
    for place in sorted(place for place in log.ends if place.partition == number):
        topic, where = topic_of(place), f"{place.topic}, partition {number}"
        offset, beginning, end = offsets.get(topic, 0), log.beginnings[place], log.ends[place]
        found = log.firsts.get(place)
        if offset and log.cluster and log.cluster != known.get("cluster", log.cluster):
            raise LostLog(
                f"{where}: what was read is of Kafka's cluster {known['cluster']}, and this is cluster {log.cluster}. "
                f"Name that one, or, where it is lost, {REMEDY}"
            )
        if beginning > 0 or offset > end or (offset and found is None):
            raise LostLog(
                f"{where}: reading is to go on at offset {offset}, but Kafka holds {beginning} to {end}. The log was "
                f"cut or the topic was made anew: {REMEDY}"
            )
        if not offset or found is None:
            continue
        if found != max(firsts.get(topic, found), NO_TIME):
            raise LostLog(
                f"{where}: the first record is not the one that was read, it came there {_instant(found)} and not "
                f"{_instant(firsts[topic])}. The topic was made anew: {REMEDY}"
            )
        if topic not in firsts:
            fields[f"log.firsts.{topic}"] = found
    if document and log.cluster and "cluster" not in known:
        fields["log.cluster"] = log.cluster
    return fields


def _instant(timestamp: int) -> str:
    if timestamp <= NO_TIME:
        return "at no time that is known"
    try:
        return "at " + datetime.fromtimestamp(timestamp / 1_000, UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError):  # its sender may state any
        return f"{timestamp} ms after 1970 began"


def topic_of(place: TopicPartition) -> str:
    return str(place.topic).removesuffix(".events")
