"""A slice: records of one partition that are read together and committed together.

Bounded by what a transaction should hold and by how long reading may take, and read entry by entry
in short turns, so that neither many records nor one large Bundle hold the event loop for long.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Protocol

from aiokafka import ConsumerRecord
from msgspec import Struct, field

from cryovigil.adapters.ports import DeadLetter, Transaction
from cryovigil.clock import Clock
from cryovigil.normalize.readings import Update

MAX_ANCHORS = 200
MAX_RECORDS = 5_000
MAX_BYTES = 4 * 1024 * 1024
MAX_DECODING_S = 0.050
LATEST_MS = 253_402_300_800_000  # the year 10000, which no datetime holds
YIELD_AFTER_S = 0.005  # the event loop's p99 lag may be 20 ms, and it has other work as well


class Casework(Protocol):
    """What becomes of records: read them without I/O, then handle a slice in a transaction."""

    def read(
        self,
        value: bytes | None,
        key: bytes | None,
        headers: tuple[tuple[str, bytes], ...],
        topic: str,
        partition: int,
        offset: int,
    ) -> Iterator[Update | DeadLetter | None]: ...

    async def handle(
        self,
        tx: Transaction,
        updates: list[Update],
        letters: list[DeadLetter],
        at: datetime,
        event_at: datetime | None,
    ) -> None: ...


class Slice(Struct):
    """Records of one partition that are committed together. next_offset: the one after them.

    size: bytes, as `weight` counts them; ok, ignored: entries that say something, and those that
    are none of ours; oldest_ms: the earliest time that Kafka has of a record.
    """

    next_offset: int
    records: int = 0
    size: int = 0
    anchors: int = 0
    ok: int = 0
    ignored: int = 0
    oldest_ms: int | None = None
    updates: list[Update] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)

    @property
    def is_full(self) -> bool:
        return self.anchors >= MAX_ANCHORS or self.records >= MAX_RECORDS or self.size >= MAX_BYTES

    @property
    def event_at(self) -> datetime | None:
        """When the oldest of the records was produced, where a producer's clock can be believed."""
        if self.oldest_ms is None or not 0 <= self.oldest_ms < LATEST_MS:
            return None
        return datetime.fromtimestamp(self.oldest_ms / 1000, UTC)

    def count(self, record: ConsumerRecord) -> None:
        """Takes note of a record whose entries have all been added."""
        self.next_offset = record.offset + 1
        self.records += 1
        self.size += weight(record)
        if self.oldest_ms is None or record.timestamp < self.oldest_ms:
            self.oldest_ms = record.timestamp

    def add(self, read: Update | DeadLetter | None) -> None:
        """Takes what one entry of a record says."""
        if isinstance(read, DeadLetter):
            self.letters.append(read)
            return
        if read is not None:
            self.updates.append(read)
            self.anchors += read.anchor
        if read is not None and read.watched:
            self.ok += 1
        else:
            self.ignored += 1


def weight(record: ConsumerRecord) -> int:
    """Bytes that a record holds in memory: value, key and headers."""
    headers = sum(len(name) + len(value or b"") for name, value in record.headers)
    return len(record.value or b"") + len(record.key or b"") + headers


class _Turn:
    """How long reading has held the event loop, this time and in all."""

    def __init__(self) -> None:
        self._before = 0.0
        self._began = time.perf_counter()

    @property
    def spent(self) -> float:
        return self._before + time.perf_counter() - self._began

    @property
    def is_over(self) -> bool:
        return time.perf_counter() - self._began >= YIELD_AFTER_S

    async def pass_on(self) -> None:
        """Lets the others go first."""
        self._before = self.spent
        await asyncio.sleep(0)
        self._began = time.perf_counter()


async def take(
    queue: deque[ConsumerRecord], casework: Casework, max_record_bytes: int, clock: Clock
) -> Slice:
    """Reads records off the queue until a bound is met. The queue is not empty."""
    taken = Slice(next_offset=queue[0].offset)
    turn = _Turn()
    while queue and not taken.is_full and turn.spent < MAX_DECODING_S:
        record = queue.popleft()
        for read in _entries(record, casework, max_record_bytes, clock):
            taken.add(read)
            if turn.is_over:
                await turn.pass_on()
        taken.count(record)
    await turn.pass_on()
    return taken


def _entries(
    record: ConsumerRecord, casework: Casework, max_record_bytes: int, clock: Clock
) -> Iterator[Update | DeadLetter | None]:
    if len(record.value or b"") > max_record_bytes:
        return iter([_too_large(record, clock.now())])
    return casework.read(
        record.value,
        record.key,
        tuple(record.headers),
        record.topic,
        record.partition,
        record.offset,
    )


def _too_large(record: ConsumerRecord, at: datetime) -> DeadLetter:
    return DeadLetter(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        reason="too-large",
        key=record.key,
        value=record.value,
        headers=tuple(record.headers),
        at=at,
    )
