"""A Kafka consumer in memory that keeps the habits of aiokafka's which intake depends on.

`getmany` without partitions gives of all of them, a paused partition gives nothing, a position
moves on with what was handed out, and `commit` may be refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError, OffsetOutOfRangeError


def record(where: TopicPartition, offset: int, value: bytes | None = b"{}") -> ConsumerRecord:
    """A record as a consumer hands it out."""
    return ConsumerRecord(
        topic=where.topic,
        partition=where.partition,
        offset=offset,
        timestamp=1_772_366_400_000,  # 2026-03-01T12:00:00Z
        timestamp_type=0,
        key=b"key",
        value=value,
        checksum=None,
        serialized_key_size=3,
        serialized_value_size=len(value or b""),
        headers=(),
    )


class FakeConsumer:
    """One member of a group; the test assigns and revokes. at_once: records of an answer."""

    def __init__(self, logs: dict[TopicPartition, list[ConsumerRecord]]) -> None:
        self.logs = logs
        self.first = {where: records[0].offset if records else 0 for where, records in logs.items()}
        self.known: dict[TopicPartition, int] = {}
        self.commits: list[dict[TopicPartition, int]] = []
        self.refuses_commits = False
        self.polls = 0
        self.at_once = 100
        self.stopped = False
        self.failure: Exception | None = None
        self.rebalancing = False
        self.listener: Any = None
        self._assigned: set[TopicPartition] = set()
        self._positions: dict[TopicPartition, int] = {}
        self._paused: set[TopicPartition] = set()

    def subscribe(self, topics: Sequence[str], listener: Any) -> None:
        self.listener = listener

    async def assign(self, *partitions: TopicPartition) -> None:
        self._assigned = set(partitions)
        self._paused = set()
        await self.listener.on_partitions_assigned(self._assigned)

    async def revoke(self) -> None:
        await self.listener.on_partitions_revoked(self._assigned)
        self._assigned = set()

    async def getmany(
        self, *partitions: TopicPartition, timeout_ms: int = 0
    ) -> dict[TopicPartition, list[ConsumerRecord]]:
        self.polls += 1
        if self.rebalancing:
            await asyncio.Event().wait()
        if self.failure is not None:
            raise self.failure
        await asyncio.sleep(0.001)
        found, lost = {}, {}
        for where in set(partitions or self._assigned) & self._assigned - self._paused:
            position = self._positions[where]
            if position < self.first[where]:
                lost[where] = position
                continue
            records = [r for r in self.logs[where] if r.offset >= position][: self.at_once]
            if records:
                self._positions[where] = records[-1].offset + 1
                found[where] = records
        if lost and not found:  # what was found first is handed out first
            raise OffsetOutOfRangeError(lost)
        return found

    async def committed(self, where: TopicPartition) -> int | None:
        return self.known.get(where)

    async def beginning_offsets(
        self, partitions: Sequence[TopicPartition]
    ) -> dict[TopicPartition, int]:
        return {where: self.first[where] for where in partitions}

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        if self.refuses_commits:
            raise CommitFailedError
        self.commits.append(offsets)

    async def stop(self) -> None:
        self.stopped = True

    def assignment(self) -> frozenset[TopicPartition]:
        return frozenset(self._assigned)

    def seek(self, where: TopicPartition, offset: int) -> None:
        self._positions[where] = offset

    def pause(self, *partitions: TopicPartition) -> None:
        self._paused |= set(partitions)

    def resume(self, *partitions: TopicPartition) -> None:
        self._paused -= set(partitions)

    def paused(self) -> frozenset[TopicPartition]:
        return frozenset(self._paused)

    def highwater(self, where: TopicPartition) -> int | None:
        records = self.logs[where]
        return records[-1].offset + 1 if records else None
