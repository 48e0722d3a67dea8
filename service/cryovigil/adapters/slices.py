"""A slice: records of one partition that are read together and committed together.

Bounded by what a transaction should hold and by how long reading may take, and read in short
stretches, so that the event loop is never held for long.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Mapping
from datetime import datetime
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
    ) -> tuple[list[Update], list[DeadLetter], Mapping[str, int]]: ...

    async def handle(
        self, tx: Transaction, updates: list[Update], letters: list[DeadLetter], at: datetime
    ) -> None: ...


class Slice(Struct):
    """Records of one partition that are committed together. next_offset: the one after them."""

    next_offset: int
    records: int = 0
    size: int = 0
    anchors: int = 0
    updates: list[Update] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def is_full(self) -> bool:
        return self.anchors >= MAX_ANCHORS or self.records >= MAX_RECORDS or self.size >= MAX_BYTES


async def take(
    queue: deque[ConsumerRecord], casework: Casework, max_record_bytes: int, clock: Clock
) -> Slice:
    """Reads records off the queue until a bound is met. The queue is not empty."""
    taken = Slice(next_offset=queue[0].offset)
    spent = 0.0
    while queue and not taken.is_full() and spent < MAX_DECODING_S:
        began = time.perf_counter()
        held = 0.0
        while queue and not taken.is_full() and held < YIELD_AFTER_S:
            record = queue.popleft()
            if len(record.value or b"") > max_record_bytes:
                _add(taken, record, [], [_too_large(record, clock.now())], {})
            else:
                _add(taken, record, *_read(record, casework))
            held = time.perf_counter() - began
        spent += held
        await asyncio.sleep(0)
    return taken


def _read(
    record: ConsumerRecord, casework: Casework
) -> tuple[list[Update], list[DeadLetter], Mapping[str, int]]:
    return casework.read(
        record.value,
        record.key,
        tuple(record.headers),
        record.topic,
        record.partition,
        record.offset,
    )


def _add(
    taken: Slice,
    record: ConsumerRecord,
    updates: list[Update],
    letters: list[DeadLetter],
    counts: Mapping[str, int],
) -> None:
    taken.next_offset = record.offset + 1
    taken.records += 1
    taken.size += len(record.value or b"")
    taken.updates += updates
    taken.letters += letters
    taken.anchors += sum(update.anchor for update in updates)
    for outcome, count in (*counts.items(), ("dead_letter", len(letters))):
        taken.counts[outcome] = taken.counts.get(outcome, 0) + count


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
