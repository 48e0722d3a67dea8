"""Time passes without any event: patients who are due are asked again, old rows go.

The journey says with every answer when it may change by time alone; that instant is a row of the
store. Any number of processes may drain them: each passes over what another holds.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Protocol

import structlog
from msgspec import Struct

from cryovigil.adapters.ports import Store, Transaction
from cryovigil.clock import Clock
from cryovigil.errors import Unavailable
from cryovigil.metrics import Metrics
from cryovigil.rules.needs import Need

log = structlog.get_logger(__name__)

DRAIN_EVERY_S = 5.0
PURGE_EVERY_S = 3600.0
PATIENTS_A_TIME = 100


class Drain(Protocol):
    """Asks the patients who are due, in a transaction; says how many there were."""

    async def __call__(self, tx: Transaction, now: datetime, limit: int) -> int: ...


class DueRows(Struct, frozen=True, kw_only=True):
    """What the passing of time needs. committed: called after each commit."""

    store: Store
    drain: Drain
    needs: Mapping[str, Need]
    clock: Clock
    metrics: Metrics
    committed: Callable[[], None]

    async def run(self, stopping: asyncio.Event) -> None:
        """Works until asked to stop; the transaction in hand is finished."""
        # Processes that start together should not purge together.
        purge_at = time.monotonic() + random.uniform(0, PURGE_EVERY_S)  # noqa: S311 (no secret)
        while not stopping.is_set():
            try:
                await self._expire()
                await self._drain_all(stopping)
                if time.monotonic() >= purge_at:
                    purge_at += PURGE_EVERY_S
                    await self._purge()
            except Unavailable as error:
                log.warning("worker_postponed", worker="due-rows", reason=type(error).__name__)
            await self._pause(stopping)

    async def _drain_all(self, stopping: asyncio.Event) -> None:
        full = True
        while full and not stopping.is_set():
            async with self.store.transaction() as tx:
                patients = await self.drain(tx, self.clock.now(), PATIENTS_A_TIME)
            if patients:
                self.committed()
                self.metrics.due_drained.inc(patients)
                log.info("due_drained", patients=patients)
            full = patients >= PATIENTS_A_TIME

    async def _expire(self) -> None:
        """What was never sent and is too old becomes due: evaluated again, not sent stale."""
        expired = await self.store.expire_deliveries(self.clock.now())
        if expired:
            log.warning("deliveries_expired", count=expired)

    async def _purge(self) -> None:
        purged = await self.store.purge(self.needs, self.clock.now())
        if purged:
            log.info("rows_purged", count=purged)

    async def _pause(self, stopping: asyncio.Event) -> None:
        try:
            async with asyncio.timeout(DRAIN_EVERY_S):
                await stopping.wait()
        except TimeoutError:
            pass
