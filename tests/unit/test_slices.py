"""A slice is read in short turns, and knows when its oldest event was produced."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from tests.support.consumers import record

from cryovigil.adapters.ports import DeadLetter
from cryovigil.adapters.slices import YIELD_AFTER_S, Slice, take
from cryovigil.clock import WallClock
from cryovigil.normalize.readings import Update, Version

LAB = TopicPartition("lab", 0)
ENTRIES = 5


class SlowReader:
    """Every record is a Bundle whose entries each take as long to read as a turn may last."""

    def read(self, *_: Any) -> Iterator[Update | DeadLetter | None]:
        for number in range(ENTRIES):
            time.sleep(YIELD_AFTER_S)
            yield Update(identity=f"{number}", key=number, version=Version())

    async def handle(self, *_: Any) -> None:
        raise AssertionError("nothing is handled while a slice is read")


async def test_the_entries_of_one_bundle_give_way_to_others_between_them() -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    waiting = asyncio.create_task(others())
    taken = await take(deque([record(LAB, 7)]), SlowReader(), 1_000, WallClock())
    waiting.cancel()
    assert (len(taken.updates), taken.next_offset, taken.records) == (ENTRIES, 8, 1)
    assert turns >= ENTRIES


def produced(*milliseconds: int) -> datetime | None:
    taken = Slice(next_offset=0)
    for offset, ms in enumerate(milliseconds):
        taken.count(_at(ms, offset))
    return taken.event_at


def _at(milliseconds: int, offset: int) -> ConsumerRecord:
    at = record(LAB, offset)
    at.timestamp = milliseconds
    return at


def test_the_oldest_record_says_since_when_a_card_has_been_due() -> None:
    assert produced(2_000, 1_000, 3_000) == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)


@pytest.mark.parametrize("milliseconds", [-1, 253_402_300_800_000])
def test_a_time_that_no_clock_shows_says_nothing(milliseconds: int) -> None:
    # Kafka has -1 for none; the other one is the first instant of the year 10000.
    assert produced(milliseconds) is None


def test_a_slice_without_records_has_no_time() -> None:
    assert produced() is None
