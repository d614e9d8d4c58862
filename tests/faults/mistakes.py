"""Mistakes that the suite must find, each as changes to the code; see `sabotage`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


class DoesNotApply(Exception):
    """The code is not what it was when the mistake was thought of: think of it anew."""


@dataclass(frozen=True)
class Change:
    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Mistake:
    name: str
    what: str
    changes: Sequence[Change]
    strikes: Sequence[tuple[str, int]]
    """Faults and first seeds that bring it to light: the first that does is enough."""


SINK, RELAY, WRITER = "shared/reading/sink.py", "shared/writing/relay.py", "shared/writing/writer.py"
HAND = "shared/reading/hand.py"
MONGO, LEDGER, IDENTITY = "shared/mongo.py", "shared/writing/ledger.py", "services/membership/domain/identity.py"
LOSING = "LOSING = timedelta(milliseconds=100)\n"
DECIDING = '        failpoints.reached("writer.deciding", envelope.idempotency_key)\n'
MATCHED = '                {"_id": partition.number, "next": partition.stored, "settled": partition.settled},\n'
MOVED = '{"$set": {"next": following, '

MISTAKES = (
    Mistake(
        "no-comparison",
        "the partition's document is written whatever its offsets are",
        [Change(SINK, MATCHED, '                {"_id": partition.number},\n')],
        [("only-another-topic", 1), ("only-another-topic", 3), ("paused-worker", 0)],
    ),
    Mistake(
        "own-topics-only",
        "only the offsets of the batch's own topics are compared and moved",
        [
            Change(
                SINK,
                MATCHED,
                '                {"_id": partition.number, '
                '**{f"next.{topic}": partition.stored.get(topic) for topic in moved}},\n',
            ),
            Change(SINK, MOVED, '{"$set": {**{f"next.{topic}": at for topic, at in moved.items()}, '),
        ],
        [("only-another-topic", seed) for seed in (0, 2, 4)],  # which partitions wander is chance
    ),
    Mistake(
        "offset-alone",
        "offsets are committed first, and the fold in a transaction after that",
        [
            Change(
                SINK,
                "            await self._projection.project(unit, fresh)\n            if self._note_folded:\n",
                "            if self._note_folded:\n",
            ),
            Change(
                SINK,
                '            failpoints.reached("sink.committed")\n',
                '            failpoints.reached("sink.committed")\n'
                "            if folded.facts:\n"
                "                await transact(\n"
                "                    self._client,\n"
                "                    lambda session: self._projection.project(\n"
                "                        Unit(self._db, session, folded.partition, 0), folded.facts\n"
                "                    ),\n"
                "                )\n",
            ),
        ],
        [("kill-at-points", 4)],
    ),
    Mistake(
        "high-water-mark",
        "what is below the head counts as seen",
        [
            Change(
                "shared/reading/heads.py",
                "            if version not in self.missing and version not in self.given_up:\n"
                "                return False\n"
                "            self._found(version)\n            return True\n",
                "            return False\n",
            )
        ],
        [("bad-records", 0)],
    ),
    Mistake(
        "discarded-for-good",
        "what is discarded settles its version, whatever comes there",
        [
            Change(
                "shared/reading/heads.py",
                "            self.given_up.add(version)\n",
                "            self.head = max(self.head, version)\n",
            )
        ],
        [("bad-records", 0)],
    ),
    Mistake(
        "whichever-fact",
        "what stands where a fact was folded before is a copy of it, whatever its id",
        [
            Change(
                "shared/reading/heads.py",
                "        return version == self.head and bool(self.last) and id != self.last\n",
                "        return False\n",
            )
        ],
        [("bad-records", 0)],
    ),
    Mistake(
        "last-header-counts",
        "of two headers of the same name the last one is believed",
        [
            Change(
                "shared/kafka.py",
                "    if len(headers) < len(record.headers) and (names := repeated(record)):\n",
                "    if (names := repeated(record) - {name for name, _ in record.headers}):\n",
            )
        ],
        [("bad-records", 0)],
    ),
    Mistake(
        "anywhere",
        "a record is taken wherever it stands, whatever partition its key belongs in",
        [
            Change(
                SINK,
                "        if self._spread_over is None or record.key is None:\n",
                "        if self._spread_over or record.key is None:\n",
            )
        ],
        [("bad-records", 0)],
    ),
    Mistake(
        "apart-by-topic",
        "the facts of one key are in another partition on each topic, and metrics takes them there",
        [
            Change(
                RELAY,
                '            key=message["key"],\n',
                '            key=message["key"],\n'
                '            partition=partition_of(message["topic"].encode() + message["key"], 12),\n',
            ),
            Change(
                SINK,
                "        if self._spread_over is None or record.key is None:\n",
                "        if self._spread_over or record.key is None:\n",
            ),
        ],
        [("nothing", 0)],
    ),
    Mistake(
        "deleted-too-early",
        "the relay deletes from the outbox before Kafka has acknowledged",
        [
            Change(
                RELAY,
                "            task = asyncio.create_task(_carry(producer, messages))\n",
                '            ids = [message["_id"] for message in messages]\n'
                '            await self._outbox.delete_many({"_id": {"$in": ids}})\n'
                "            task = asyncio.create_task(_carry(producer, messages))\n",
            )
        ],
        [("kill-at-points", 1), ("kafka-killed", 0)],
    ),
    Mistake(
        "answered-too-early",
        "commands are answered before the commit of what they were decided on",
        [
            Change(
                WRITER,
                '        await unit.write()\n        failpoints.reached("writer.decided")\n',
                "        for pending, outcome in zip(batch, outcomes, strict=True):\n"
                "            _answer(pending, outcome)\n"
                "        await asyncio.sleep(0.01)\n"
                '        await unit.write()\n        failpoints.reached("writer.decided")\n',
            )
        ],
        [("kill-at-points", 0), ("both-away", 0)],
    ),
    Mistake(
        "decide-again-after-unknown-commit",
        "what may be committed is decided again, as if it had never been asked",
        [
            Change(
                MONGO,
                "            if _is_known(problem):\n                raise\n",
                "            if not _is_known(problem):\n                UNKNOWN.add(id(session))\n            raise\n",
            ),
            Change(MONGO, "DUPLICATE_KEY = 11000\n", "DUPLICATE_KEY = 11000\nUNKNOWN: set[int] = set()\n"),
            Change(
                WRITER,
                "        unit = await _Unit.load(self._db, session, batch)\n",
                "        if id(session) in UNKNOWN:\n"
                "            UNKNOWN.discard(id(session))\n"
                "            for pending in batch:\n"
                '                again = f"{pending.envelope.idempotency_key}-again"\n'
                "                pending.envelope = replace(pending.envelope, idempotency_key=again)\n"
                "        unit = await _Unit.load(self._db, session, batch)\n",
            ),
            Change(WRITER, "from shared.mongo import Client,", "from shared.mongo import UNKNOWN, Client,"),
        ],
        [("unknown-commit", 0)],
    ),
    Mistake(
        "relayed-backwards",
        "the relay publishes the latest first",
        [Change(RELAY, '.sort("_id")', '.sort("_id", -1)')],
        [("kafka-killed", 0)],
    ),
    Mistake(
        "sent-over-and-over",
        "the relay sends what is under way, or was refused a moment ago, at each pass",
        [Change(RELAY, "        passed_over.update(under_way, self._resting)\n", "")],
        [("one-partition-refused", 0)],
    ),
    Mistake(
        "waits-for-all",
        "the relay waits for all partitions before it goes on",
        [Change(RELAY, "timeout=LATE_AFTER_S", "timeout=None")],
        [("one-partition-refused", 0)],
    ),
    Mistake(
        "cache-trusted",
        "what a transaction left in memory is trusted although it was not committed",
        [Change(SINK, "self._trusted.pop(number, None)", "self._trusted.get(number)")],
        [("primary", 0), ("paused-worker", 1)],
    ),
    Mistake(
        "weak-writes",
        "a write counts as stored once the primary has it",
        [
            Change(MONGO, 'MAJORITY = WriteConcern(w="majority", ', "MAJORITY = WriteConcern(w=1, "),
            Change(MONGO, '        w="majority",\n', "        w=1,\n"),
        ],
        [("primary", 0), ("primary", 1)],
    ),
    Mistake(
        "unbounded",
        "a worker goes on polling without waiting for the sink",
        [Change("services/metrics/worker.py", "                await hand.room()\n", "")],
        [("slow-mongo", 0)],
    ),
    Mistake(
        "any-log",
        "a log counts as the one that was read where it is long enough",
        [
            Change(
                "shared/reading/log.py",
                "        if found != max(firsts.get(topic, found), NO_TIME):\n",
                "        if False:\n",
            )
        ],
        [("topic-recreated", 0)],
    ),
    Mistake(
        "ready-without-kafka",
        "a service is ready although no broker answers",
        [Change("shared/running.py", 'return f"no broker answers at {bootstrap}: {LOOK_AFTER}"', "return None")],
        [("disk-full-kafka", 0)],
    ),
    Mistake(
        "not-brought-along",
        "somebody who comes to be known by a merge is known without the erasure that was heard of before",
        [
            Change(
                "services/convenings/known.py",
                "return [*affiliations, self.erased] if self.erased else affiliations",
                "return affiliations",
            )
        ],
        [("merge-and-erase", seed) for seed in (1, 3, 5)],  # which is heard of first is chance
    ),
    Mistake(
        "counted-apart",
        "what is of one person under another id is not looked for when their sums change",
        [Change("services/metrics/fold.py", "with_them(further) - held.keys()", "set[str]()")],
        [("merge-and-erase", 0), ("merge-and-erase", 1)],
    ),
    Mistake(
        "wedged",
        "a writer carries out no batch any more after a while, and says nothing",
        [
            Change(
                WRITER,
                "                if batch:\n",
                "                WEDGED.append(len(batch))\n"
                "                if len(WEDGED) > 130:\n"
                "                    await asyncio.sleep(1e6)\n"
                "                if batch:\n",
            ),
            Change(WRITER, LOSING, f"WEDGED: list[int] = []\n{LOSING}"),
        ],
        [("nothing", 0)],
    ),
    Mistake(
        "refused-falsely",
        "now and then a community is said not to be on record",
        [
            Change(
                WRITER,
                DECIDING,
                f"{DECIDING}"
                "        if type(pending.command).__name__ in FALSELY and time.time() % 1 < 0.3:\n"
                '            raise NotFound("No such community is on record")\n',
            ),
            Change(WRITER, LOSING, f'FALSELY = ("Join", "Leave", "Schedule")\n{LOSING}'),
            Change(WRITER, "import asyncio\n", "import asyncio\nimport time\n"),
            Change(
                WRITER, "from shared.refusals import KeyReused,", "from shared.refusals import NotFound, KeyReused,"
            ),
        ],
        [("nothing", 0)],
    ),
    Mistake(
        "never-shown",
        "whoever reads what they wrote is told to come again, for ever",
        [
            Change(
                "services/gateway/holdings.py",
                "        if after and (missing := await self._until_seen(after)):\n",
                "        if missing := after:\n",
            )
        ],
        [("nothing", 0)],
    ),
    Mistake(
        "buried-alive",
        "every third fact of a stream is folded, and made a dead letter too",
        [
            Change(
                SINK,
                "                    fresh.append(fact)\n",
                "                    fresh.append(fact)\n"
                "                    if fact.version % 3 == 0:\n"
                '                        letters.append(DeadLetter(record, "it is the third", None))\n',
            )
        ],
        [("nothing", 0)],
    ),
    Mistake(
        "uncommitted-read",
        "metrics reads what stands on the topics of transactions that were given up",
        [
            Change(
                "services/metrics/stream.py",
                '_isolation_level = "read_committed"',
                '_isolation_level = "read_uncommitted"',
            )
        ],
        [("bad-records", 0)],
    ),
    Mistake(
        "not-forgotten",
        "an erasure deletes the e-mail alone",
        [Change(IDENTITY, 'update={"name": None, "email": None, "reference": None}', 'update={"email": None}')],
        [("merge-and-erase", 0)],
    ),
    Mistake(
        "earlier-not-forgotten",
        "an erasure leaves the words of those who were merged into the person",
        [Change(IDENTITY, "tuple(_without_words(one) for one in situation.earlier)", "situation.earlier")],
        [("merge-and-erase", 0)],
    ),
    Mistake(
        "receipts-kept",
        "an erasure leaves the receipts that name the person",
        [Change(WRITER, "        for name, values in self.forgotten:\n", "        for name, values in ():\n")],
        [("merge-and-erase", 0)],
    ),
    Mistake(
        "merged-in-vain",
        "references of somebody who was merged do not lead to the id that goes on",
        [Change(IDENTITY, "                references=_led_to(into.key, situation.references),\n", "")],
        [("merge-and-erase", 0)],
    ),
    Mistake(
        "not-on-their-record",
        "the record of a person does not say that they were erased",
        [
            Change(
                "services/metrics/projections/participation.py",
                "            return replace(record, merged_into=into)\n"
                "        case PersonErased(erased_on=on):\n"
                "            return replace(record, erased_on=on.last_day)\n",
                "            return replace(record, merged_into=into)\n"
                "        case PersonErased(erased_on=on):\n"
                "            return record\n",
            )
        ],
        [("merge-and-erase", 0)],
    ),
    Mistake(
        "never-again",
        "what comes late for a record does not have it folded again",
        [
            Change(
                "services/metrics/projections/batch.py",
                "    return [id for id, news in about.items() if id in held and news.is_late_for(held[id])]\n",
                "    return []\n",
            )
        ],
        [("bad-records", 0)],
    ),
    Mistake(
        "untouched",
        "who decides from what somebody else changes meanwhile does not decide again",
        [Change(LEDGER, "        self.heads[stream].touched = True\n", "        self.heads[stream].touched = False\n")],
        [("merge-and-erase", seed) for seed in (0, 2, 4)],  # who is decided at once is chance
    ),
    Mistake(
        "begins-all-the-same",
        "what begins under the id of somebody who was merged or erased is not refused",
        [
            Change(
                "services/membership/domain/people.py",
                "    if person.merged is not None:\n        raise PersonWasMerged(person.merged, field)\n"
                "    if person.erased is not None:\n        raise PersonWasErased(person.erased, field)\n",
                "",
            )
        ],
        [("nothing", 0), ("merge-and-erase", 0)],
    ),
    Mistake(
        "answered-beside",
        "who is registered again is not looked at while they are erased",
        [Change("services/membership/domain/people.py", "    following=_follow_registering,\n", "")],
        [("merge-and-erase", seed) for seed in (0, 2, 4, 6)],  # who is decided at once is chance
    ),
    Mistake(
        "comes-all-the-same",
        "convenings registers and receives whoever it has heard of that they were merged or erased",
        [
            Change(
                "services/convenings/known.py",
                "    if person.merged is not None:\n        raise PersonWasMerged(person.merged)\n"
                "    if person.erased is not None:\n        raise PersonWasErased(person.erased)\n",
                "",
            )
        ],
        [("nothing", 0), ("merge-and-erase", 0)],
    ),
    Mistake(
        "another-body",
        "what is relayed says another thing than what is on record",
        [
            Change(
                LEDGER,
                '        "value": message.value,\n',
                """        "value": message.value.replace(b'"minutes":60', b'"minutes":59'),\n""",
            )
        ],
        [("nothing", 0)],
    ),
    Mistake(
        "positions-swapped",
        "of the commands of a batch that make facts each is answered with the positions of the next",
        [
            Change(
                WRITER,
                '            failpoints.reached("writer.committed")\n',
                '            failpoints.reached("writer.committed")\n'
                "            made = [n for n, one in enumerate(outcomes) if getattr(one, 'positions', ())]\n"
                "            told = [outcomes[n].positions for n in made]\n"
                "            for n, positions in zip(made, told[1:] + told[:1]):\n"
                "                outcomes[n] = replace(outcomes[n], positions=positions)\n",
            )
        ],
        [("nothing", 0)],
    ),
    Mistake(
        "letters-emptied",
        "dead letters are published without key and value",
        [
            Change(
                "services/metrics/dead_letters.py",
                'Message(dead_topic(record.topic), sent.key or b"", sent.value or b"", headers)',
                'Message(dead_topic(record.topic), b"", b"", headers)',
            )
        ],
        [("bad-records", 0)],
    ),
    Mistake(
        "view-doubled",
        "what the gateway adds up is twice what metrics holds",
        [
            Change(
                "services/gateway/holdings.py",
                'keyed.get(document["key"], 0) + added',
                'keyed.get(document["key"], 0) + 2 * added',
            )
        ],
        [("nothing", 0)],
    ),
    Mistake(
        "first-position-only",
        "views wait for the first of several positions only",
        [
            Change(
                "services/gateway/views_api.py",
                "open(parse_positions(praxis_after))",
                "open(parse_positions(praxis_after)[:1])",
            )
        ],
        [("nothing", seed) for seed in (0, 1, 2)],  # what is not waited for may have come
    ),
    Mistake(
        "key-without-body",
        "whatever comes under a key that was used is answered as what came first",
        [Change(WRITER, '    if receipt["digest"] != envelope.digest:\n', "    if False:\n")],
        [("nothing", 0)],
    ),
    Mistake(
        "if-match-ignored",
        "what is based on a stale ETag is carried out",
        [Change(WRITER, "        if envelope.expected_version not in (None, version):\n", "        if False:\n")],
        [("nothing", 0)],
    ),
    Mistake(
        "holes-passed",
        "of a batch the first offset alone is looked at, and what comes joins a record that must wait for its turn",
        [
            Change(
                SINK,
                "        news, following = list[Record](), partition.next[topic]\n"
                "        for record in batch:\n"
                "            if record.offset > following:\n"
                "                raise LeavesOut(partition.number, partition.next)\n"
                "            if record.offset == following:\n"
                "                news.append(record)\n"
                "                following += 1\n"
                "        return news\n",
                "        following = partition.next[topic]\n"
                "        if batch and batch[0].offset > following:\n"
                "            raise LeavesOut(partition.number, partition.next)\n"
                "        return [record for record in batch if record.offset >= following]\n",
            ),
            Change(
                HAND,
                "                if again:\n"
                "                    self.drop(number)  "
                "# it comes alone: between it and what came since, there was what was dropped\n"
                "                batch = again.batch if again else self._next(number)\n",
                "                batch = self._next(number)\n",
            ),
            Change(
                HAND,
                "                await asyncio.sleep(again.seconds)\n",
                "                await asyncio.sleep(again.seconds)\n"
                "                self.drop(number)\n"
                "                self._waiting[number] = "
                "{topic: list(records) for topic, records in again.batch.items()}\n",
            ),
        ],
        [("standing-still", seed) for seed in range(3)],  # who waits for a turn, and what comes then, is chance
    ),
    Mistake(
        "cut-short-is-known",
        "what MongoDB was cut short in is taken for what did not come about, and for no lost race",
        [
            Change(
                MONGO,
                "    if isinstance(problem, (MongoDriverFailed, WriteConcernError)) or _is_cut_short(problem):\n",
                "    if isinstance(problem, MongoDriverFailed):\n",
            ),
            Change(MONGO, "return duplicate or lost or _is_cut_short(problem)", "return duplicate or lost"),
        ],
        [("unknown-commit", 0)],
    ),
    Mistake(
        "not-fenced",
        "a build takes over without closing the one that was read, into which its workers go on to fold",
        [
            Change(
                "services/metrics/flip.py",
                "    stopped = await _close(db, session, old, partitions)\n",
                "    open = db[old.partitions].find({}, session=session)\n"
                "    stopped = {document['_id']: document['next'] async for document in open}\n",
            )
        ],
        [("rebuild", 0)],
    ),
    Mistake(
        "a-day-early",
        "who adopts counts from the day before on",
        [
            Change(
                "services/metrics/projections/differences.py",
                "        for (day, key, delta), times in added.items():\n            if times:\n",
                "        for (day, key, delta), times in added.items():\n"
                "            if times and measure == 'adopters':\n"
                "                from datetime import date, timedelta\n\n"
                "                day = str(date.fromisoformat(day) - timedelta(days=1))\n"
                "            if times:\n",
            )
        ],
        [("nothing", 0)],
    ),
)


def applied(mistake: Mistake, root: Path) -> dict[Path, str]:
    """The files of a checkout as the mistake leaves them.

    Raises:
        DoesNotApply: names the file and the words that are not in it once.
    """
    files: dict[Path, str] = {}
    for change in mistake.changes:
        path = root / change.file
        text = files.get(path) or path.read_text()
        if text.count(change.old) != 1:
            raise DoesNotApply(f"{mistake.name}: {change.file} does not hold this once: {change.old!r}")
        files[path] = text.replace(change.old, change.new)
    return files
