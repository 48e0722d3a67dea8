"""Intake keeps its guarantee whatever Kafka and the database do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, UnknownError
from tests.support.consumers import FakeConsumer, record
from tests.support.stores import FakeStore, FakeTransaction

from cryovigil.adapters import partition_work
from cryovigil.adapters.kafka_intake import Intake, Open
from cryovigil.adapters.partition_work import Tools
from cryovigil.adapters.ports import DeadLetter, Partition, Transaction
from cryovigil.clock import WallClock
from cryovigil.metrics import Metrics
from cryovigil.normalize.readings import Update, Version
from cryovigil.settings.parts import Kafka

LAB = TopicPartition("lab", 0)
OTHER = TopicPartition("lab", 1)
LIMIT = 1000


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partition_work, "BACKOFF_FIRST_S", 0.01)


class FakeCasework:
    """Keeps an update for each record, named by its offset. failures: offsets it cannot bear."""

    def __init__(self) -> None:
        self.failures: set[int] = set()
        self.slices: list[int] = []
        self.gate: asyncio.Event | None = None

    def read(
        self,
        value: bytes | None,
        key: bytes | None,
        headers: tuple[tuple[str, bytes], ...],
        topic: str,
        partition: int,
        offset: int,
    ) -> Iterator[Update | DeadLetter | None]:
        if offset in self.failures:
            raise ValueError("a bug")
        name = f"{topic}/{partition}/{offset}"
        update = Update(identity=name, key=offset, version=Version(), anchor=value == b"anchor")
        yield update

    async def handle(
        self,
        tx: Transaction,
        updates: list[Update],
        letters: list[DeadLetter],
        at: datetime,
        event_at: datetime | None,
    ) -> None:
        assert isinstance(tx, FakeTransaction)
        if self.gate is not None:
            await self.gate.wait()
        self.slices.append(len(updates))
        tx.updates += updates
        tx.letters += letters


class Bench:
    """A running intake with everything it touches."""

    def __init__(self, consumer: FakeConsumer, store: FakeStore) -> None:
        self.consumer = consumer
        self.store = store
        self.casework = FakeCasework()
        self.metrics = Metrics()
        self.commits = 0
        self.stopping = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    def start(self) -> None:
        async def opened(_: Kafka) -> tuple[Any, str]:
            return self.consumer, "cluster"

        self.start_with(opened)

    def start_with(self, open_: Open) -> None:
        tools = Tools(
            store=self.store,  # type: ignore[arg-type] # the part of a store that intake uses
            casework=self.casework,
            clock=WallClock(),
            metrics=self.metrics,
            max_record_bytes=LIMIT,
            reclaim_after_s=0.05,
            committed=self._committed,
        )
        self.intake = Intake(Kafka(), tools, open_)
        self.task = asyncio.create_task(self.intake.run(self.stopping))

    def _committed(self) -> None:
        self.commits += 1

    def offset(self, where: TopicPartition = LAB) -> int | None:
        return self.store.offsets.get(name(where), (0, None))[1]

    def lag(self) -> float | None:
        labels = {"topic": LAB.topic, "partition": str(LAB.partition)}
        return self.metrics.registry.get_sample_value("cryovigil_consumer_lag_records", labels)

    def kept(self) -> list[str]:
        return [update.identity for update in self.store.updates]


def name(where: TopicPartition) -> Partition:
    return Partition("cryovigil", "cluster", where.topic, where.partition)


def names(where: TopicPartition, offsets: range) -> list[str]:
    return [f"{where.topic}/{where.partition}/{offset}" for offset in offsets]


@asynccontextmanager
async def running(consumer: FakeConsumer, store: FakeStore | None = None) -> AsyncIterator[Bench]:
    bench = Bench(consumer, store or FakeStore())
    bench.start()
    try:
        await until(lambda: consumer.listener is not None)
        yield bench
    finally:
        bench.stopping.set()
        assert bench.task is not None
        await asyncio.wait([bench.task])
    assert consumer.stopped
    bench.task.result()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110 (what is waited for belongs to several tasks)
            await asyncio.sleep(0.002)


def log_of(where: TopicPartition, offsets: range) -> dict[TopicPartition, list[Any]]:
    return {where: [record(where, offset) for offset in offsets]}


async def test_a_new_partition_begins_at_its_beginning() -> None:
    async with running(FakeConsumer(log_of(LAB, range(5, 8)))) as bench:
        await bench.consumer.assign(LAB)
        await until(lambda: bench.offset() == 8)
    assert bench.kept() == names(LAB, range(5, 8))


async def test_a_new_partition_begins_where_kafka_says_the_group_was() -> None:
    consumer = FakeConsumer(log_of(LAB, range(8)))
    consumer.known[LAB] = 6
    async with running(consumer) as bench:
        await consumer.assign(LAB)
        await until(lambda: bench.offset() == 8)
    assert bench.kept() == names(LAB, range(6, 8))


async def test_the_databases_offset_beats_kafkas() -> None:
    consumer, store = FakeConsumer(log_of(LAB, range(8))), FakeStore()
    consumer.known[LAB] = 2
    store.offsets[name(LAB)] = (4, 6)
    async with running(consumer, store) as bench:
        await consumer.assign(LAB)
        await until(lambda: bench.offset() == 8)
    assert bench.kept() == names(LAB, range(6, 8))
    assert store.offsets[name(LAB)] == (5, 8)  # the epoch was raised by this claim alone


async def test_offsets_may_have_gaps() -> None:
    consumer = FakeConsumer({LAB: [record(LAB, offset) for offset in (0, 1, 7, 9)]})
    async with running(consumer) as bench:
        await consumer.assign(LAB)
        await until(lambda: bench.offset() == 10)
    assert len(bench.kept()) == 4


async def test_partitions_do_not_wait_for_each_other() -> None:
    consumer = FakeConsumer(log_of(LAB, range(1)) | log_of(OTHER, range(1)))
    async with running(consumer) as bench:
        bench.casework.gate = asyncio.Event()
        await consumer.assign(LAB, OTHER)
        # Both slices stand inside their transactions at the same time.
        polls = consumer.polls
        await until(lambda: consumer.polls > polls + 20)
        assert bench.store.commits == 0
        bench.casework.gate.set()
        await until(lambda: bench.offset(LAB) == 1 and bench.offset(OTHER) == 1)


async def test_a_slice_holds_at_most_200_anchors() -> None:
    records = [record(LAB, offset, b"anchor") for offset in range(450)]
    async with running(FakeConsumer({LAB: records})) as bench:
        bench.casework.gate = asyncio.Event()
        await bench.consumer.assign(LAB)
        await until(lambda: bench.consumer.polls > 20)  # by now all records wait in the queue
        bench.casework.gate.set()
        await until(lambda: bench.offset() == 450)
    # A slice is bounded by 200 anchor records.
    assert max(bench.casework.slices) == 200


async def test_a_database_that_was_away_loses_nothing_and_repeats_nothing() -> None:
    store = FakeStore()
    store.outages = 3
    async with running(FakeConsumer(log_of(LAB, range(300))), store) as bench:
        await bench.consumer.assign(LAB)
        await until(lambda: bench.offset() == 300)
    assert bench.kept() == names(LAB, range(300))


async def test_a_commit_whose_answer_was_lost_is_not_repeated() -> None:
    store = FakeStore()
    store.lost_answers = 1
    async with running(FakeConsumer(log_of(LAB, range(300))), store) as bench:
        await bench.consumer.assign(LAB)
        await until(lambda: bench.offset() == 300)
    assert bench.kept() == names(LAB, range(300))


async def test_kafka_is_polled_while_the_database_is_away() -> None:
    store = FakeStore()
    store.outages = 10**9
    async with running(FakeConsumer(log_of(LAB, range(3))), store) as bench:
        await bench.consumer.assign(LAB)
        await until(lambda: LAB in bench.consumer.paused())
        polls = bench.consumer.polls
        await until(lambda: bench.consumer.polls > polls + 10)
        bench.store.outages = 0
        await until(lambda: bench.offset() == 3)


async def test_a_slice_of_a_partition_that_another_took_is_dropped() -> None:
    async with running(FakeConsumer(log_of(LAB, range(3)))) as bench:
        bench.casework.gate = asyncio.Event()
        await bench.consumer.assign(LAB)
        await until(lambda: bench.store.offsets.get(name(LAB)) == (1, None))
        bench.casework.gate.set()
        await until(lambda: bench.offset() == 3)
        bench.store.offsets[name(LAB)] = (7, 5)  # another member claimed it and went on
        bench.consumer.logs[LAB] += [record(LAB, offset) for offset in range(3, 8)]
        # Kafka still counts it as ours: after a session's time it is claimed anew, at offset 5.
        await until(lambda: bench.offset() == 8)
    assert bench.kept() == names(LAB, range(3)) + names(LAB, range(5, 8))
    assert bench.metrics.fenced._value.get() == 1


async def test_a_record_at_the_size_limit_is_read_and_one_above_is_a_dead_letter() -> None:
    values = [b"x" * LIMIT, b"x" * (LIMIT + 1)]
    records = [record(LAB, offset, value) for offset, value in enumerate(values)]
    async with running(FakeConsumer({LAB: records})) as bench:
        await bench.consumer.assign(LAB)
        await until(lambda: bench.offset() == 2)
    (letter,) = bench.store.letters
    assert (letter.offset, letter.reason, letter.value) == (1, "too-large", values[1])
    assert bench.kept() == names(LAB, range(1))


async def test_a_bug_ends_the_intake_and_keeps_nothing_of_its_slice() -> None:
    bench = Bench(FakeConsumer(log_of(LAB, range(5))), FakeStore())
    bench.casework.failures = {3}
    bench.start()
    await until(lambda: bench.consumer.listener is not None)
    await bench.consumer.assign(LAB)
    assert bench.task is not None
    with pytest.raises(ValueError, match="a bug"):
        await asyncio.wait_for(bench.task, 5)
    assert bench.kept() == []
    assert bench.consumer.stopped


async def test_an_offset_out_of_range_pauses_its_partition_and_no_other() -> None:
    consumer, store = FakeConsumer(log_of(LAB, range(5, 8)) | log_of(OTHER, range(2))), FakeStore()
    store.offsets[name(LAB)] = (1, 3)  # retention has deleted offsets 3 and 4
    async with running(consumer, store) as bench:
        await consumer.assign(LAB, OTHER)
        await until(lambda: bench.offset(OTHER) == 2 and LAB in consumer.paused())
        polls = consumer.polls
        await until(lambda: consumer.polls > polls + 20)
    assert bench.offset(LAB) == 3
    assert bench.kept() == names(OTHER, range(2))


async def test_an_error_that_kafka_will_not_take_back_ends_the_intake() -> None:
    bench = Bench(FakeConsumer({}), FakeStore())
    bench.consumer.failure = UnknownError()  # FENCED_INSTANCE_ID arrives as this one
    bench.start()
    assert bench.task is not None
    with pytest.raises(KafkaError):
        await asyncio.wait_for(bench.task, 5)


async def test_a_refused_kafka_commit_changes_nothing() -> None:
    consumer = FakeConsumer(log_of(LAB, range(3)))
    consumer.refuses_commits = True
    async with running(consumer) as bench:
        await consumer.assign(LAB)
        await until(lambda: bench.offset() == 3)
    assert bench.kept() == names(LAB, range(3))


async def test_kafka_is_told_the_offset_after_the_commit() -> None:
    async with running(FakeConsumer(log_of(LAB, range(3)))) as bench:
        await bench.consumer.assign(LAB)
        await until(lambda: bool(bench.consumer.commits))
    assert bench.consumer.commits[-1] == {LAB: 3}
    assert bench.commits >= 1


async def test_a_revoked_partition_finishes_the_slice_in_hand() -> None:
    async with running(FakeConsumer(log_of(LAB, range(3)))) as bench:
        gate = bench.casework.gate = asyncio.Event()
        await bench.consumer.assign(LAB)
        await until(lambda: bench.consumer.polls > 5)
        asyncio.get_running_loop().call_later(0.05, gate.set)
        await bench.consumer.revoke()
        assert bench.offset() == 3


async def test_a_stop_does_not_wait_for_a_group_that_rebalances() -> None:
    async with running(FakeConsumer(log_of(LAB, range(3)))) as bench:
        bench.consumer.rebalancing = True
        await asyncio.sleep(0.02)
        began = datetime.now(UTC)
    assert (datetime.now(UTC) - began).total_seconds() < 1


async def test_records_asked_for_before_a_seek_are_asked_for_again() -> None:
    consumer = FakeConsumer(log_of(LAB, range(10)))
    async with running(consumer) as bench:
        gate = bench.casework.gate = asyncio.Event()
        await consumer.assign(LAB)
        await until(lambda: bench.store.offsets.get(name(LAB)) is not None)
        work = bench.intake._works[LAB]
        before = work.seeks - 1
        # What comes of an older question may leave a gap that nobody could see afterwards.
        work.offer([record(LAB, 9)], before)
        gate.set()
        await until(lambda: bench.offset() == 10)
    assert bench.kept() == names(LAB, range(10))


async def test_an_outage_between_two_slices_leaves_nothing_behind_in_the_queue() -> None:
    records = [record(LAB, offset, b"anchor") for offset in range(450)]
    async with running(FakeConsumer({LAB: records})) as bench:
        bench.casework.gate = asyncio.Event()
        await bench.consumer.assign(LAB)
        await until(lambda: bench.consumer.polls > 20)  # by now all records wait in the queue
        bench.store.outages = 1  # the slice in hand has begun: the next one finds nobody
        bench.casework.gate.set()
        await until(lambda: bench.offset() == 450)
    assert bench.kept() == names(LAB, range(450))


async def test_a_stop_during_a_rebalance_finishes_the_slice_and_leaves_the_group() -> None:
    async with running(FakeConsumer(log_of(LAB, range(3)))) as bench:
        gate = bench.casework.gate = asyncio.Event()
        await bench.consumer.assign(LAB)
        await until(lambda: bench.consumer.polls > 5)
        revoking = asyncio.create_task(bench.consumer.revoke())
        await asyncio.sleep(0.02)
        bench.stopping.set()
        await asyncio.sleep(0.02)
        gate.set()
        await revoking
    assert bench.offset() == 3


async def test_a_partition_that_is_assigned_during_a_stop_is_not_begun() -> None:
    async with running(FakeConsumer(log_of(LAB, range(3)) | log_of(OTHER, range(3)))) as bench:
        gate = bench.casework.gate = asyncio.Event()
        await bench.consumer.assign(LAB)
        await until(lambda: bench.consumer.polls > 5)
        bench.stopping.set()
        await asyncio.sleep(0.02)
        await bench.consumer.assign(OTHER)
        gate.set()
    assert bench.kept() == names(LAB, range(3))
    assert name(OTHER) not in bench.store.offsets


async def test_a_broker_that_accepts_and_says_nothing_does_not_hold_up_a_stop() -> None:
    closed = False

    async def silent(_: Kafka) -> tuple[Any, str]:
        nonlocal closed
        try:
            return await asyncio.Future()
        finally:
            closed = True

    bench = Bench(FakeConsumer({}), FakeStore())
    bench.start_with(silent)
    await asyncio.sleep(0.02)
    bench.stopping.set()
    assert bench.task is not None
    await asyncio.wait_for(bench.task, 1)
    assert closed


async def test_no_more_is_asked_for_than_the_memory_is_meant_to_hold() -> None:
    mebibyte = bytes(2**20)
    consumer = FakeConsumer({LAB: [record(LAB, offset, mebibyte) for offset in range(30)]})
    consumer.at_once = 1
    async with running(consumer) as bench:
        bench.casework.gate = asyncio.Event()
        await consumer.assign(LAB)
        await until(lambda: not bench.intake._works[LAB].has_room)
        # 4 MiB are a slice, and twice as many wait: 12 records, and their keys make it no more.
        assert consumer._positions[LAB] <= 12
        bench.casework.gate.set()
        await until(lambda: bench.offset() == 30)


async def test_the_lag_of_a_partition_goes_with_it() -> None:
    async with running(FakeConsumer(log_of(LAB, range(3)))) as bench:
        await bench.consumer.assign(LAB)
        await until(lambda: bench.lag() == 0)
        await bench.consumer.revoke()
        assert bench.lag() is None
