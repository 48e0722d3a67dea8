"""From Kafka into the store: who works on which partition, and when Kafka is asked for more.

Each assigned partition has a `PartitionWork` of its own and a task that runs it. Offsets live in
the database; what Kafka knows of them is a hint. Kafka is polled on without regard to how busy the
database is, so that this member stays in its group.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeAlias

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)

from cryovigil.adapters.partition_work import PartitionWork, Tools
from cryovigil.adapters.ports import Partition
from cryovigil.errors import Unavailable
from cryovigil.settings.checks import tls_context
from cryovigil.settings.parts import MEBIBYTE, Kafka

log = structlog.get_logger(__name__)

POLL_MS = 500
POLL_FULL_S = 0.050
REVOKE_WAIT_S = 5.0
STOP_WAIT_S = 8.0
GIVE_UP_S = 1.0
RECONNECT_S = 2.0
SILENCE_S = 60.0
Open: TypeAlias = Callable[[Kafka], Awaitable[tuple[AIOKafkaConsumer, str]]]


class Intake(ConsumerRebalanceListener):  # type: ignore[misc] # the library carries no types
    """The consumer loop of this process."""

    def __init__(self, settings: Kafka, tools: Tools, open_: Open | None = None) -> None:
        """open_: how a consumer is made and started; tests bring their own."""
        self._settings = settings
        self._tools = tools
        self._open = open_ or open_consumer
        self._works: dict[TopicPartition, PartitionWork] = {}
        self._tasks: dict[TopicPartition, asyncio.Task[None]] = {}
        self._failed = asyncio.Event()
        self._consumer: AIOKafkaConsumer | None = None
        self._cluster = ""
        self._silence_s = max(SILENCE_S, 3 * settings.session_timeout_ms / 1000)

    @property
    def started(self) -> bool:
        """Whether the consumer reached its broker, joining or not."""
        return self._consumer is not None

    async def run(self, stopping: asyncio.Event) -> None:
        """Works until asked to stop. Raises whatever no retry can mend."""
        consumer = await self._connect(stopping)
        if consumer is None:
            return
        self._consumer = consumer
        try:
            consumer.subscribe(topics=list(self._settings.topics), listener=self)
            log.info("intake_started")
            while not stopping.is_set():
                await self._poll(consumer, stopping)
                self._raise_failure()
        finally:
            await self._stop(consumer)

    # Called by aiokafka between two generations of the group, and awaited by it.

    async def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        """Lets the slices in hand finish; what takes longer is rolled back, or fenced."""
        for where in revoked:
            if where in self._works:
                self._works[where].close()
        await self._settle([where for where in revoked if where in self._works], REVOKE_WAIT_S)
        if revoked:
            log.info("partitions_revoked", partitions=len(revoked))

    async def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        """Starts work on each partition. Until it has claimed its own, nothing is fetched."""
        consumer = self._consumer
        if consumer is None:
            return
        for where in assigned:
            consumer.pause(where)
            consumer.seek(where, 0)  # a position, so that Kafka's own is not asked for
            name = Partition(self._settings.group_id, self._cluster, where.topic, where.partition)
            work = PartitionWork(consumer, where, name, self._tools)
            self._works[where] = work
            self._tasks[where] = asyncio.create_task(work.run(), name=f"{where}")
            self._tasks[where].add_done_callback(self._ended)
        self._tools.metrics.rebalances.inc()
        self._tools.metrics.partitions.set(len(self._works))
        log.info("partitions_assigned", partitions=len(assigned))

    async def _connect(self, stopping: asyncio.Event) -> AIOKafkaConsumer | None:
        """A started consumer; None where the service stops before a broker answers."""
        while not stopping.is_set():
            try:
                return await self._opened(stopping)
            except KafkaConnectionError as error:
                log.warning("broker_unavailable", reason=type(error).__name__)
                await _until(stopping, RECONNECT_S)
        return None

    async def _opened(self, stopping: asyncio.Event) -> AIOKafkaConsumer | None:
        """One attempt, given up where the service stops: a broker may accept and say nothing."""
        opening = asyncio.ensure_future(self._open(self._settings))
        stop = asyncio.ensure_future(stopping.wait())
        try:
            await asyncio.wait([opening, stop], return_when=asyncio.FIRST_COMPLETED)
            if opening.done():
                consumer, self._cluster = opening.result()
                return consumer
        finally:
            opening.cancel()
            stop.cancel()
        await asyncio.wait([opening], timeout=GIVE_UP_S)
        return None

    async def _poll(self, consumer: AIOKafkaConsumer, stopping: asyncio.Event) -> None:
        """Asks for records where there is room, and hands them to the work on their partition."""
        roomy = [where for where, work in self._works.items() if work.has_room]
        if self._works and not roomy:
            await _until(stopping, POLL_FULL_S)  # asked for none, Kafka would give of all
            return
        crowded = len(roomy) < len(self._works)
        seeks = {where: work.seeks for where, work in self._works.items()}
        wait_ms = int(POLL_FULL_S * 1000) if crowded else POLL_MS
        asked = consumer.getmany(*(roomy if crowded else ()), timeout_ms=wait_ms)
        try:
            batches = await self._unless(asked, stopping)
        except OffsetOutOfRangeError as error:
            self._block(error)
            return
        except NoOffsetForPartitionError:  # asked before the work on it had sought
            return
        except KafkaError as error:
            if not error.retriable:
                raise
            log.warning("broker_unavailable", reason=type(error).__name__)
            await _until(stopping, RECONNECT_S)
            return
        self._tools.metrics.last_poll.set(self._tools.clock.now().timestamp())
        for where, records in batches.items():
            work = self._works.get(where)
            if work is not None:
                work.offer(records, seeks.get(where, -1))

    async def _unless(
        self,
        asked: Coroutine[Any, Any, dict[TopicPartition, list[ConsumerRecord]]],
        stopping: asyncio.Event,
    ) -> dict[TopicPartition, list[ConsumerRecord]]:
        """What was asked for, unless the service stops or some work fails before.

        While its group rebalances the consumer heeds no timeout of its own, and after some
        failures it never returns: then only a new process helps.
        """
        poll = asyncio.ensure_future(asked)
        events = [asyncio.ensure_future(event.wait()) for event in (stopping, self._failed)]
        try:
            done, _ = await asyncio.wait(
                [poll, *events], timeout=self._silence_s, return_when=asyncio.FIRST_COMPLETED
            )
            if not done:
                raise Unavailable("kafka: the consumer fell silent")
            return poll.result() if poll.done() else {}
        finally:
            for task in (poll, *events):
                task.cancel()

    def _block(self, error: OffsetOutOfRangeError) -> None:
        """Retention overran us, or the topic was made anew: an operator decides, nobody skips."""
        for where in error.args[0]:
            if where in self._works:
                self._works[where].block()
            log.error("offset_out_of_range", topic=where.topic, partition=where.partition)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self._failed.set()

    def _raise_failure(self) -> None:
        for task in self._tasks.values():
            if task.done() and not task.cancelled() and (error := task.exception()):
                raise error

    async def _settle(self, partitions: Sequence[TopicPartition], wait_s: float) -> None:
        """Waits for closed work, then cuts it off: a transaction that is cut off rolls back."""
        tasks = {self._tasks[where] for where in partitions if where in self._tasks}
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=wait_s)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=1.0)
        for where in partitions:  # a revocation and a stop may both wait for the same work
            if not self._failed.is_set():
                self._tasks.pop(where, None)
            self._works.pop(where, None)

    async def _stop(self, consumer: AIOKafkaConsumer) -> None:
        """Finishes the slices in hand, then leaves the group."""
        self._consumer = None  # what is assigned from now on is not begun
        for work in self._works.values():
            work.close()
        try:
            await self._settle(list(self._works), STOP_WAIT_S)
            self._tools.metrics.partitions.set(0)
        finally:
            await _leave(consumer)


async def _leave(consumer: AIOKafkaConsumer) -> None:
    try:
        async with asyncio.timeout(STOP_WAIT_S):
            await consumer.stop()
    except (TimeoutError, KafkaError) as error:  # the group notices by the session's end
        log.warning("broker_unavailable", reason=type(error).__name__)


async def _until(stopping: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stopping.wait()
    except TimeoutError:
        pass


async def open_consumer(settings: Kafka) -> tuple[AIOKafkaConsumer, str]:
    """A started consumer without any subscription yet, and the id of its cluster."""
    consumer = AIOKafkaConsumer(**consumer_options(settings))
    try:
        await consumer.start()
        return consumer, await cluster_id(settings)
    except BaseException:  # a cancellation too: what was started has to stop
        await consumer.stop()
        raise


async def cluster_id(settings: Kafka) -> str:
    """The cluster's own id: offsets of another cluster mean something else."""
    admin = AIOKafkaAdminClient(**connection_options(settings))
    try:
        await admin.start()
        found = await admin.describe_cluster()
    finally:
        await admin.close()
    return str(found.get("cluster_id") or "")


def connection_options(settings: Kafka) -> dict[str, Any]:
    """How any client of ours reaches the brokers."""
    options: dict[str, Any] = {
        "bootstrap_servers": list(settings.bootstrap_servers),
        "security_protocol": settings.security_protocol,
        "request_timeout_ms": settings.request_timeout_ms,
    }
    if settings.security_protocol.endswith("SSL"):
        options["ssl_context"] = tls_context(
            settings.ssl_ca_file, settings.ssl_certificate_file, settings.ssl_key_file
        )
    if settings.security_protocol.startswith("SASL"):
        password = settings.sasl_password
        options["sasl_mechanism"] = settings.sasl_mechanism
        options["sasl_plain_username"] = settings.sasl_username
        options["sasl_plain_password"] = password.get_secret_value() if password else None
    return options


def consumer_options(settings: Kafka) -> dict[str, Any]:
    """The consumer's options: nothing is committed or skipped behind our back."""
    return {
        **connection_options(settings),
        "group_id": settings.group_id,
        "enable_auto_commit": False,
        "auto_offset_reset": "none",
        "isolation_level": "read_committed",
        # With two or more, one join sends several requests and joins are lost.
        "partition_assignment_strategy": (RoundRobinPartitionAssignor,),
        "session_timeout_ms": settings.session_timeout_ms,
        "heartbeat_interval_ms": settings.heartbeat_interval_ms,
        "rebalance_timeout_ms": settings.rebalance_timeout_ms,
        "max_poll_interval_ms": settings.max_poll_interval_ms,
        # A record that does not fit sticks its partition; ours are judged after they arrived.
        "max_partition_fetch_bytes": max(4 * MEBIBYTE, settings.max_record_bytes + MEBIBYTE),
    }
