"""The courier: in order per patient, side by side over patients, and never losing what it sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.support.stores import FakeOutbox

from cryovigil.adapters.courier import Courier, CourierTools, wait_s
from cryovigil.adapters.delivery import SinkAnswer
from cryovigil.adapters.ports import Delivery
from cryovigil.metrics import Metrics

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
DELIVERED = SinkAnswer("delivered", "200")


class Clock:
    """Stands still until it is set."""

    def __init__(self) -> None:
        self.time = START

    def now(self) -> datetime:
        return self.time


class FakeSink:
    """Answers as told, by delivery; remembers what it was sent, in order."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes]] = []
        self.answers: dict[str, list[SinkAnswer]] = {}
        self.gate: asyncio.Event | None = None

    async def send(self, body: bytes, delivery_id: str) -> SinkAnswer:
        self.sent.append((delivery_id, body))
        if self.gate is not None:
            await self.gate.wait()
        answers = self.answers.get(delivery_id, [])
        return answers.pop(0) if answers else DELIVERED

    async def close(self) -> None:
        """Nothing is open."""

    @property
    def ids(self) -> list[str]:
        return [delivery_id for delivery_id, _ in self.sent]


def delivery(name: str, patient: int) -> Delivery:
    return Delivery(
        delivery_id=name,
        patient=patient,
        body=name.encode(),
        attempts=0,
        lease="lease",
        created_at=START,
        event_at=None,
    )


@asynccontextmanager
async def running(
    outbox: FakeOutbox,
    sink: FakeSink,
    clock: Clock | None = None,
    concurrency: int = 4,
    grace_s: float = 5,
) -> AsyncIterator[Courier]:
    tools = CourierTools(
        store=outbox,  # type: ignore[arg-type] # the part of a store that a courier uses
        sink=sink,
        clock=clock or Clock(),
        metrics=Metrics(),
        concurrency=concurrency,
        grace_s=grace_s,
    )
    courier = Courier(tools)
    stopping = asyncio.Event()
    work = asyncio.create_task(courier.run(stopping))
    try:
        yield courier
    finally:
        stopping.set()
        await work


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110 (what is waited for belongs to several tasks)
            await asyncio.sleep(0.005)


async def test_a_patients_events_are_sent_one_after_the_other() -> None:
    outbox = FakeOutbox([delivery("a1", 1), delivery("a2", 1), delivery("a3", 1)])
    sink = FakeSink()
    async with running(outbox, sink):
        await until(lambda: not outbox.owed)
    assert sink.ids == ["a1", "a2", "a3"]


async def test_a_slow_answer_holds_up_nobody_but_its_patient() -> None:
    outbox = FakeOutbox([delivery("a1", 1), delivery("a2", 1), delivery("b1", 2)])
    sink = FakeSink()
    sink.gate = asyncio.Event()
    async with running(outbox, sink):
        await until(lambda: len(sink.sent) == 2)
        assert set(sink.ids) == {"a1", "b1"}
        sink.gate.set()
        await until(lambda: not outbox.owed)
    assert sink.ids[2] == "a2"


async def test_a_retry_sends_the_same_bytes_before_anything_later_of_the_patient() -> None:
    outbox = FakeOutbox([delivery("a1", 1), delivery("a2", 1)])
    sink, clock = FakeSink(), Clock()
    sink.answers["a1"] = [SinkAnswer("retry", "503")]
    async with running(outbox, sink, clock) as courier:
        await until(lambda: bool(outbox.finished))
        assert sink.ids == ["a1"]
        clock.time += timedelta(seconds=2)  # past the longest first wait of 1 s
        courier.wake()
        await until(lambda: not outbox.owed)
    assert sink.sent == [("a1", b"a1"), ("a1", b"a1"), ("a2", b"a2")]


async def test_a_parked_event_does_not_block_the_next() -> None:
    outbox = FakeOutbox([delivery("a1", 1), delivery("a2", 1)])
    sink = FakeSink()
    sink.answers["a1"] = [SinkAnswer("parked", "400")]
    async with running(outbox, sink):
        await until(lambda: not outbox.owed)
    assert outbox.finished == [("a1", "parked", "400"), ("a2", "delivered", "200")]


async def test_the_receiver_is_not_asked_again_before_it_said() -> None:
    outbox = FakeOutbox([delivery("a1", 1)])
    sink = FakeSink()
    sink.answers["a1"] = [SinkAnswer("retry", "429", retry_after_s=120)]
    async with running(outbox, sink):
        await until(lambda: bool(outbox.finished))
    retry_at = outbox.retry_at["a1"]
    assert retry_at is not None
    assert retry_at >= START + timedelta(seconds=120)


async def test_no_more_is_claimed_than_there_are_hands() -> None:
    outbox = FakeOutbox([delivery(f"p{n}", n) for n in range(1, 6)])
    sink = FakeSink()
    sink.gate = asyncio.Event()
    async with running(outbox, sink, concurrency=2):
        await until(lambda: len(sink.sent) == 2)
        assert len(outbox.leased) == 2
        sink.gate.set()
        await until(lambda: not outbox.owed)


async def test_news_is_sent_within_a_tenth_of_a_second() -> None:
    outbox, sink = FakeOutbox([]), FakeSink()
    async with running(outbox, sink) as courier:
        await asyncio.sleep(0.05)
        outbox.owed.append(delivery("a1", 1))
        courier.wake()
        async with asyncio.timeout(0.1):
            while not sink.sent:  # noqa: ASYNC110 (the sink is the other side)
                await asyncio.sleep(0.001)


async def test_what_is_under_way_at_a_stop_is_finished() -> None:
    outbox, sink = FakeOutbox([delivery("a1", 1)]), FakeSink()
    sink.gate = asyncio.Event()
    async with running(outbox, sink):
        await until(lambda: bool(sink.sent))
        asyncio.get_running_loop().call_later(0.05, sink.gate.set)
    assert outbox.finished == [("a1", "delivered", "200")]


async def test_an_answer_that_never_ends_does_not_hold_up_a_stop_and_is_asked_for_again() -> None:
    outbox, sink = FakeOutbox([delivery("a1", 1)]), FakeSink()
    sink.gate = asyncio.Event()
    async with asyncio.timeout(2), running(outbox, sink, grace_s=0.05):
        await until(lambda: bool(sink.sent))
    assert outbox.finished == []
    assert [owed.delivery_id for owed in outbox.owed] == ["a1"]


async def test_what_was_answered_before_the_stop_is_recorded_however_long_that_takes() -> None:
    class SlowOutbox(FakeOutbox):
        async def finish_delivery(self, *finished: Any) -> bool:
            await asyncio.sleep(0.2)
            return await super().finish_delivery(*finished)

    outbox, sink = SlowOutbox([delivery("a1", 1)]), FakeSink()
    async with running(outbox, sink, grace_s=0.05):
        await until(lambda: bool(sink.sent))
    assert outbox.finished == [("a1", "delivered", "200")]


async def test_a_lost_lease_is_no_failure() -> None:
    outbox, sink = FakeOutbox([delivery("a1", 1), delivery("b1", 2)]), FakeSink()
    outbox.lost = {"a1"}
    async with running(outbox, sink):
        await until(lambda: ("b1", "delivered", "200") in outbox.finished)
    assert [name for name, _, _ in outbox.finished] == ["b1"]


@pytest.mark.parametrize(
    ("attempts", "longest"),
    # 1 s doubled for each attempt, at most 300 s: 2^8 = 256 is below it, 2^9 = 512 above.
    [(1, 1), (2, 2), (9, 256), (10, 300), (1000, 300)],
)
def test_the_wait_is_spread_over_all_of_its_length(attempts: int, longest: float) -> None:
    waits = [wait_s(attempts) for _ in range(400)]
    # That 400 even draws all miss a tenth of the range has a chance of 0.9^400 < 1e-18.
    assert min(waits) < 0.1 * longest
    assert 0.9 * longest < max(waits) <= longest


@pytest.mark.parametrize(("asked", "least"), [(-5.0, 0.0), (60.0, 60.0), (1e9, 3600.0)])
def test_a_receiver_may_ask_for_an_hour_at_most(asked: float, least: float) -> None:
    assert least <= wait_s(1, asked) <= least + 1
