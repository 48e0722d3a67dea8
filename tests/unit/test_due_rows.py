"""Time passes without events: everybody who is due is asked, and soon."""

from __future__ import annotations

import asyncio
from datetime import datetime

import pytest
from tests.support.stores import FakeStore

from cryovigil.adapters import due_rows
from cryovigil.adapters.due_rows import DueRows
from cryovigil.adapters.ports import Transaction
from cryovigil.clock import WallClock
from cryovigil.metrics import Metrics


class FakeDrain:
    """So many patients are due; each call takes as many as it may."""

    def __init__(self, due: int) -> None:
        self.due = due
        self.limits: list[int] = []

    async def __call__(self, tx: Transaction, now: datetime, limit: int) -> int:
        taken = min(self.due, limit)
        self.due -= taken
        self.limits.append(limit)
        return taken


async def drained(drain: FakeDrain, store: FakeStore) -> int:
    """Runs until nobody is due; how often the courier was woken."""
    woken = 0

    def wake() -> None:
        nonlocal woken
        woken += 1

    due = DueRows(
        store=store,  # type: ignore[arg-type] # the part of a store that due rows use
        drain=drain,
        needs={},
        clock=WallClock(),
        metrics=Metrics(),
        committed=wake,
    )
    stopping = asyncio.Event()
    work = asyncio.create_task(due.run(stopping))
    async with asyncio.timeout(5):
        while drain.due or not drain.limits:  # noqa: ASYNC110 (the worker is the other side)
            await asyncio.sleep(0.005)
    stopping.set()
    await work
    return woken


async def test_everybody_who_is_due_is_asked_in_small_transactions() -> None:
    store, drain = FakeStore(), FakeDrain(250)
    woken = await drained(drain, store)
    # 100 + 100 + 50: the third is not full, so that nobody is left.
    assert drain.limits == [100, 100, 100]
    assert (store.commits, woken) == (3, 3)


async def test_where_nobody_is_due_nobody_is_woken() -> None:
    assert await drained(FakeDrain(0), FakeStore()) == 0


async def test_a_database_that_was_away_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    # "due rows are drained at least once a minute".
    assert due_rows.DRAIN_EVERY_S <= 60
    monkeypatch.setattr(due_rows, "DRAIN_EVERY_S", 0.01)
    store, drain = FakeStore(), FakeDrain(1)
    store.outages = 1
    await drained(drain, store)
    assert store.commits >= 1
