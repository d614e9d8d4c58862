"""What services/metrics/stream.py relies on in Faust beyond what Faust promises, held against the real library.

When this fails after an upgrade, read the new source before changing a word here: faust decides what is folded.
"""

import asyncio
import inspect
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import faust
import pytest
from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError
from faust.assignor.client_assignment import CopartitionedAssignment
from faust.assignor.copartitioned_assignor import CopartitionedAssignor
from faust.tables import TableManager
from faust.tables.recovery import Recovery
from faust.transport import consumer as transport
from faust.transport.drivers import aiokafka as driver
from mode.services import Service

from services.metrics.settings import Settings
from services.metrics.stream import SOUGHT_WITHIN_S, BatchConsumer, BatchTransport, Stream
from shared.events.fact import SOURCE_TOPICS
from shared.kafka import topic_name
from shared.reading.follower import LONGEST_PAUSE_S, LONGEST_WITHOUT_POLL


def parameters(function: Callable[..., Any]) -> list[str]:
    return list(inspect.signature(function).parameters)


def source(function: Callable[..., Any]) -> str:
    return " ".join(inspect.getsource(function).split())


@pytest.fixture
async def stream() -> Stream:
    """Made in the loop of the tests: Faust would make one of its own and leave it open."""
    settings = Settings(kafka="127.0.0.1:1", mongo="mongodb://127.0.0.1:1", data_dir="/tmp/praxis-contract")
    return Stream(settings, sink=None)  # type: ignore[arg-type]  # nothing is folded here


def test_it_is_the_version_that_was_read() -> None:
    assert version("faust-streaming") == "0.15.3"


def test_the_fetcher_hands_the_whole_loop_to_drain_messages() -> None:
    assert "await consumer._drain_messages(self)" in source(transport.Fetcher._fetcher.fun)
    assert parameters(driver.Consumer._drain_messages) == ["self", "fetcher"]
    assert isinstance(inspect.getattr_static(transport.Fetcher, "should_stop"), property)
    assert isinstance(inspect.getattr_static(driver.Consumer, "should_stop"), property)


def test_next_records_are_whole_lists_by_partition() -> None:
    assert parameters(driver.Consumer._wait_next_records) == ["self", "timeout"]
    assert "return records, active_partitions" in source(transport.Consumer._wait_next_records)
    assert "await self.wait(self.can_resume_flow)" in source(transport.Consumer._wait_next_records)
    assert "fetcher.fetched_records( active_partitions," in source(driver.AIOKafkaConsumerThread._fetch_records)


def test_nothing_is_fetched_while_the_flow_is_stopped() -> None:
    assert driver.Consumer.flow_active is True
    assert "if not self.consumer.flow_active: return {}" in source(driver.AIOKafkaConsumerThread._fetch_records)
    assert "self.flow_active = False" in source(transport.Consumer.stop_flow)
    assert "consumer.stop_flow" in source(faust.App._on_partitions_revoked)


@pytest.mark.parametrize("resuming", [Recovery._resume_streams, Recovery.on_recovery_completed])
def test_positions_are_sought_between_assignment_and_resuming(resuming: Callable[..., Any]) -> None:
    assert "_committed_offsets = await self.seek_to_committed()" in source(transport.Consumer.perform_seek)
    told = source(resuming)
    assert told.index("consumer.perform_seek()") < told.index("consumer.resume_flow()")


def test_waiting_for_positions_ends_where_recovery_is_told_to_begin_again_and_must_end_before_it_is_given_up() -> None:
    waiting = source(Recovery._wait)
    assert "await self.wait_first( coro, signal, timeout=timeout" in waiting
    assert "elif self.signal_recovery_start in wait_result.done: # another rebalance started raise Reb" in waiting
    again = source(Recovery._restart_recovery.fun)
    assert "except RebalanceAgain as exc:" in again
    assert again.index("self.wait_for_stopped( self.signal_recovery_start") < again.index("self._resume_streams)(")
    assert "timeout=self.app.conf.broker_request_timeout" in source(Recovery._resume_streams)
    assert "fut.cancel()" in source(Service.wait_first), "what nobody waits for any more is told to end"


async def test_there_is_more_time_to_find_positions_than_finding_them_takes(stream: Stream) -> None:
    assert stream.conf.broker_request_timeout > SOUGHT_WITHIN_S + LONGEST_PAUSE_S
    assert isinstance(stream.tables, TableManager)
    stream.batches._thread.thread_loop.close()


def test_seeking_sets_the_positions_of_the_real_consumer() -> None:
    assert parameters(driver.Consumer.seek_to_committed) == ["self"]
    assert parameters(driver.Consumer.seek_wait) == ["self", "partitions"]
    assert "consumer.seek(tp, offset)" in source(driver.AIOKafkaConsumerThread._seek_wait)


def test_the_generation_is_that_of_the_assignment() -> None:
    told = source(driver.ConsumerRebalanceListener.on_partitions_assigned)
    assert "app.consumer_generation_id = generation" in told
    assert hasattr(faust.App, "consumer_generation_id")


def test_the_thread_runs_what_is_called_in_it_on_the_real_consumer() -> None:
    assert driver.Consumer.__annotations__["_thread"]
    assert parameters(driver.AIOKafkaConsumerThread._ensure_consumer) == ["self"]
    assert parameters(driver.AIOKafkaConsumerThread.call_thread)[:2] == ["self", "fun"]
    assert "return result" in source(driver.AIOKafkaConsumerThread.call_thread)


def test_a_commit_takes_offsets_and_bears_a_rebalance() -> None:
    assert parameters(driver.Consumer._commit) == ["self", "offsets"]
    told = source(driver.AIOKafkaConsumerThread._commit)
    assert 'if "already rebalanced" in str(exc): return False' in told
    assert "OffsetAndMetadata(offset," in told, "the offset is that of the next record, as it is given"
    raised = CommitFailedError(
        "Commit cannot be completed since the group has already rebalanced and may have assigned the partitions"
    )
    assert "already rebalanced" in str(raised)


def test_faust_itself_commits_nothing_that_was_not_acknowledged() -> None:
    told = source(transport.Consumer._new_offset)
    assert "acked = self._acked[tp]" in told
    assert told.endswith("return None")


async def test_the_transport_makes_our_consumer(stream: Stream) -> None:
    assert isinstance(stream.transport, BatchTransport)
    assert "self.Consumer(" in source(driver.Transport.create_consumer)
    assert "self.transport.create_consumer(" in source(faust.App._new_consumer)
    assert isinstance(stream.batches, BatchConsumer)
    assert stream.batches.app is stream
    stream.batches._thread.thread_loop.close()  # its thread would, had it been started


def test_what_is_overridden_is_what_stands_there() -> None:
    for name in ("_drain_messages", "seek_to_committed"):
        assert parameters(getattr(BatchConsumer, name)) == parameters(getattr(driver.Consumer, name))
        assert asyncio.iscoroutinefunction(getattr(driver.Consumer, name))


def test_partitions_of_one_number_go_to_one_worker() -> None:
    workers = {name: CopartitionedAssignment(topics={"a.events", "b.events"}) for name in ("one", "other")}
    assigned = CopartitionedAssignor({"a.events", "b.events"}, workers, 12, replicas=0).get_assignment()
    numbers = [worker.get_assigned_partitions(active=True) for worker in assigned.values()]
    assert [len(its) for its in numbers] == [6, 6]
    assert set.union(*numbers) == set(range(12))


async def test_an_idle_agent_for_each_topic_keeps_the_subscription(stream: Stream) -> None:
    topics = {name for agent in stream.agents.values() for name in agent.channel.topics}
    assert topics == {topic_name(topic) for topic in SOURCE_TOPICS}


def test_places_are_those_of_aiokafka_by_value() -> None:
    assert TopicPartition("a.events", 3) == faust.types.TP("a.events", 3)
    assert hash(TopicPartition("a.events", 3)) == hash(faust.types.TP("a.events", 3))


async def test_the_settings_are_known_to_faust_and_taken(stream: Stream) -> None:
    conf = stream.conf
    assert conf.id == "metrics"
    assert conf.web_enabled is False
    assert conf.topic_disable_leader is True
    assert conf.topic_allow_declare is False
    assert conf.topic_partitions == 12
    assert conf.stream_wait_empty is False
    assert conf.broker_session_timeout == 15.0
    assert conf.broker_heartbeat_interval == 3.0
    assert conf.consumer_auto_offset_reset == "earliest"
    assert str(conf.store).startswith("memory:")
    assert str(conf.processing_guarantee) == "ProcessingGuarantee.AT_LEAST_ONCE"


def test_a_signal_tells_the_partitions_that_were_assigned_none_included(stream: Stream) -> None:
    told = source(faust.App._on_partitions_assigned)
    assert "await T(self.on_partitions_assigned.send)(assigned)" in told
    assert stream.places == frozenset()


def test_only_a_long_time_without_a_poll_makes_the_consumer_leave_its_group(stream: Stream) -> None:
    assert stream.conf.broker_max_poll_interval == LONGEST_WITHOUT_POLL.total_seconds()
    assert "max_poll_interval_ms=int(max_poll_interval * 1000.0)" in source(
        driver.AIOKafkaConsumerThread._create_worker_consumer
    )
