"""One partition's records, a slice at a time, each slice one transaction.

The partition is claimed, its records are read and folded in slices, and the offset moves in the
same transaction by compare-and-set: where that fails somebody else owns the partition, and nothing
of the slice is kept. A database that is away puts the slice back. Any other error is a bug: it
leaves the transaction, ends this work, and with it the process.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable, Iterable

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError
from msgspec import Struct
from msgspec.structs import replace

from cryovigil.adapters.ports import Claim, Partition, Store
from cryovigil.adapters.slices import MAX_BYTES, MAX_RECORDS, Casework, Slice, take, weight
from cryovigil.clock import Clock
from cryovigil.errors import Unavailable
from cryovigil.metrics import Metrics

log = structlog.get_logger(__name__)

QUEUE_RECORDS = 2 * MAX_RECORDS
QUEUE_BYTES = 2 * MAX_BYTES
HINT_EVERY_S = 1.0
HINT_TIMEOUT_S = 2.0
BACKOFF_FIRST_S = 0.5
BACKOFF_LAST_S = 30.0


class Tools(Struct, frozen=True, kw_only=True):
    """What the work on every partition shares. committed: called after each commit."""

    store: Store
    casework: Casework
    clock: Clock
    metrics: Metrics
    max_record_bytes: int
    reclaim_after_s: float
    committed: Callable[[], None]


class PartitionWork:
    """The work on one partition for as long as it is assigned."""

    def __init__(
        self, consumer: AIOKafkaConsumer, where: TopicPartition, name: Partition, tools: Tools
    ) -> None:
        self._consumer = consumer
        self._where = where
        self._name = name
        self._tools = tools
        self._queue: deque[ConsumerRecord] = deque()
        self._queued_bytes = 0
        self._wake = asyncio.Event()
        self._closing = False
        self._accepted: int | None = None
        self._backoff_s = BACKOFF_FIRST_S
        self._hinted = 0.0
        self.seeks = 0
        self.blocked = False

    @property
    def has_room(self) -> bool:
        """Whether more records may be asked for. A paused partition gives none anyway."""
        return len(self._queue) < QUEUE_RECORDS and self._queued_bytes < QUEUE_BYTES

    def offer(self, records: Iterable[ConsumerRecord], seeks: int) -> None:
        """Takes records that Kafka returned. seeks: how often this work had sought before asking.

        Where it has sought since, nothing tells which records they are: they are asked for again.
        """
        if self._closing or self._accepted is None:
            return
        if seeks != self.seeks:
            self._seek(self._accepted)
            return
        for record in records:
            self._queue.append(record)
            self._queued_bytes += weight(record)
            self._accepted = record.offset + 1
        self._wake.set()

    def block(self) -> None:
        """Stops for good: the offset is out of Kafka's range, and skipping loses patients' data."""
        self.blocked = True
        self._pause()

    def close(self) -> None:
        """Ends the work after the slice in hand."""
        self._closing = True
        self._wake.set()

    async def run(self) -> None:
        """Works until closed. Raises whatever is neither an outage nor another owner."""
        try:
            while not self._closing:
                claim = await self._claim()
                if claim is not None:
                    await self._work(claim)
        finally:  # whoever has the partition next says how far behind it is
            self._tools.metrics.lag.remove(self._where.topic, str(self._where.partition))

    async def _claim(self) -> Claim | None:
        """Takes the partition over and starts at its offset; None where that has to wait."""
        try:
            committed = await self._consumer.committed(self._where)
            claim = await self._tools.store.claim(self._name, committed)
            start = claim.next_offset
            if start is None:
                found = await self._consumer.beginning_offsets([self._where])
                start = found[self._where]
        except (Unavailable, KafkaError) as error:
            await self._postpone(type(error).__name__)
            return None
        if self._closing:
            return None
        self._empty()
        self._seek(start)
        if not self.blocked:
            self._resume()
        log.info("partition_claimed", topic=self._where.topic, partition=self._where.partition)
        return claim

    async def _work(self, claim: Claim) -> None:
        """Slices, until closed, or until the claim has to be taken anew."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue and not self._closing:
                taken = await self._take()
                try:
                    kept = await self._keep(claim, taken)
                except Unavailable as error:
                    await self._postpone(type(error).__name__)
                    return
                if not kept:
                    await self._fenced()
                    return
                claim = replace(claim, next_offset=taken.next_offset)
                await self._done(taken)
            if self._closing:
                return

    async def _take(self) -> Slice:
        tools = self._tools
        taken = await take(self._queue, tools.casework, tools.max_record_bytes, tools.clock)
        self._queued_bytes -= taken.size
        return taken

    async def _keep(self, claim: Claim, taken: Slice) -> bool:
        """Commits the slice whole, or nothing of it: False where the claim no longer holds."""
        tools = self._tools
        began = time.perf_counter()
        async with tools.store.transaction() as tx:
            if not await tx.advance(claim, taken.next_offset):
                return False
            now = tools.clock.now()
            await tools.casework.handle(tx, taken.updates, taken.letters, now, taken.event_at)
        tools.metrics.slice_seconds.observe(time.perf_counter() - began)
        return True

    async def _done(self, taken: Slice) -> None:
        """Counts what was committed."""
        self._backoff_s = BACKOFF_FIRST_S
        self._tools.committed()
        metrics, topic = self._tools.metrics, self._where.topic
        metrics.consumed.labels(topic).inc(taken.records)
        metrics.slice_records.observe(taken.records)
        metrics.last_progress.set(self._tools.clock.now().timestamp())
        metrics.processed.labels(topic, "ok").inc(taken.ok)
        metrics.processed.labels(topic, "ignored").inc(taken.ignored)
        metrics.processed.labels(topic, "dead_letter").inc(len(taken.letters))
        for letter in taken.letters:
            metrics.dead_letters.labels(letter.reason).inc()
        if taken.letters:
            where = self._where.partition
            log.warning(
                "dead_letters_kept", topic=topic, partition=where, letters=len(taken.letters)
            )
        highwater = self._consumer.highwater(self._where) if self._assigned() else None
        if highwater is not None:
            lag = max(0, highwater - taken.next_offset)
            metrics.lag.labels(topic, str(self._where.partition)).set(lag)
        if not self._queue or time.monotonic() - self._hinted > HINT_EVERY_S:
            await self._hint(taken.next_offset)

    async def _hint(self, offset: int) -> None:
        """Tells Kafka how far we are, for the lag tools that look there. The database decides."""
        self._hinted = time.monotonic()
        try:
            async with asyncio.timeout(HINT_TIMEOUT_S):
                await self._consumer.commit({self._where: offset})
        except (TimeoutError, IllegalStateError, KafkaError) as error:
            self._tools.metrics.commit_failures.labels(type(error).__name__).inc()

    async def _postpone(self, reason: str) -> None:
        """Puts the work back and waits. Kafka goes on being polled meanwhile."""
        self._rewind()
        log.warning(
            "slice_postponed",
            topic=self._where.topic,
            partition=self._where.partition,
            reason=reason,
        )
        await self._sleep(random.uniform(0.5, 1.0) * self._backoff_s)  # noqa: S311 (no secret)
        self._backoff_s = min(2 * self._backoff_s, BACKOFF_LAST_S)

    async def _fenced(self) -> None:
        """Another member has the partition: Kafka will say so within the session's time."""
        self._rewind()
        self._tools.metrics.fenced.inc()
        log.warning("partition_fenced", topic=self._where.topic, partition=self._where.partition)
        await self._sleep(self._tools.reclaim_after_s)

    async def _sleep(self, seconds: float) -> None:
        self._wake.clear()
        if self._closing:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            pass

    def _empty(self) -> None:
        self._queue.clear()
        self._queued_bytes = 0

    def _rewind(self) -> None:
        self._empty()
        self._accepted = None
        self.seeks += 1
        self._pause()

    def _seek(self, offset: int) -> None:
        self._accepted = offset
        self.seeks += 1
        if self._assigned():
            self._consumer.seek(self._where, offset)

    def _pause(self) -> None:
        if self._assigned():
            self._consumer.pause(self._where)

    def _resume(self) -> None:
        if self._assigned():
            self._consumer.resume(self._where)

    def _assigned(self) -> bool:
        return self._where in self._consumer.assignment()
