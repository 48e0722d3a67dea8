"""Brings what the EHR is owed to the sink: claim, send, record what came of it.

Per patient strictly in order, over patients side by side. The claim has counted the attempt before
anything is sent, and the bytes never change, so that a courier that dies costs at most a repeat
with the same id. The rule is never asked again here.
"""

from __future__ import annotations

import asyncio
import random
import time
from datetime import timedelta

import structlog
from msgspec import Struct

from cryovigil.adapters.delivery import Sink, SinkAnswer
from cryovigil.adapters.ports import Delivery, Store
from cryovigil.clock import Clock
from cryovigil.errors import Unavailable
from cryovigil.metrics import Metrics

log = structlog.get_logger(__name__)

LEASE_S = 60.0
LEASE_JITTER_S = 10.0
POLL_S = 1.0
OUTAGE_S = 1.0  # how long to wait where the database is away
# Full jitter: attempt n waits between 0 and 1 s x 2^(n-1). 2^9 s is past 5 min, so that from the
# tenth attempt on the mean wait is 150 s and an outage of an hour costs some 25 attempts.
RETRY_FIRST_S = 1.0
RETRY_LAST_S = 300.0
DOUBLINGS = 9
RETRY_AFTER_LAST_S = 3600.0


class CourierTools(Struct, frozen=True, kw_only=True):
    """What a courier works with.

    concurrency: patients served side by side; grace_s: how long a stop waits for answers.
    """

    store: Store
    sink: Sink
    clock: Clock
    metrics: Metrics
    concurrency: int
    grace_s: float


class Courier:
    """One courier. Several may work on one database: a lease belongs to one of them."""

    def __init__(self, tools: CourierTools) -> None:
        self._tools = tools
        self._news = asyncio.Event()
        self._sending: set[asyncio.Task[None]] = set()
        self._attempts: set[asyncio.Task[SinkAnswer]] = set()
        self._counted = -POLL_S

    def wake(self) -> None:
        """Something was just owed: look now rather than at the next poll."""
        self._news.set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Delivers until asked to stop; then what is under way is awaited for a while."""
        stop = asyncio.create_task(stopping.wait())
        try:
            while not stopping.is_set():
                claimed = await self._round()
                self._raise_failure()
                if not claimed:
                    await self._pause(stop)
        finally:
            stop.cancel()
            await self._wind_up()
        self._raise_failure()

    async def _wind_up(self) -> None:
        """Awaits answers for the time of grace, and records every one that came."""
        if self._sending:
            await asyncio.wait(self._sending, timeout=self._tools.grace_s)
        for attempt in self._attempts:
            attempt.cancel()
        if self._sending:
            await asyncio.wait(self._sending)

    async def _round(self) -> int:
        """Claims as much as there are hands for, and sets them to work."""
        tools = self._tools
        free = tools.concurrency - len(self._sending)
        self._news.clear()
        if free <= 0:
            return 0
        lease_s = LEASE_S + random.uniform(0, LEASE_JITTER_S)  # noqa: S311 (no secret)
        try:
            claimed = await tools.store.claim_deliveries(tools.clock.now(), free, lease_s)
            await self._count()
        except Unavailable as error:
            log.warning("worker_postponed", worker="courier", reason=type(error).__name__)
            await asyncio.sleep(OUTAGE_S)
            return 0
        for delivery in claimed:
            task = asyncio.create_task(self._deliver(delivery))
            self._sending.add(task)
        return len(claimed)

    async def _count(self) -> None:
        """Keeps the gauge of what is owed, at most once a poll: counting is not free."""
        if time.monotonic() - self._counted < POLL_S:
            return
        self._counted = time.monotonic()
        self._tools.metrics.outbox_pending.set(await self._tools.store.outbox_pending())

    async def _pause(self, stop: asyncio.Task[bool]) -> None:
        """Until there is news, a hand becomes free, or it is time to look again."""
        news = asyncio.create_task(self._news.wait())
        try:
            await asyncio.wait(
                [news, stop, *self._sending],
                timeout=POLL_S,
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            news.cancel()

    def _raise_failure(self) -> None:
        done = {task for task in self._sending if task.done()}
        self._sending -= done
        for task in done:
            task.result()

    async def _deliver(self, delivery: Delivery) -> None:
        began = time.perf_counter()
        attempt = asyncio.create_task(self._tools.sink.send(delivery.body, delivery.delivery_id))
        self._attempts.add(attempt)
        await asyncio.wait([attempt])
        self._attempts.discard(attempt)
        if attempt.cancelled():  # the lease ends, and the same bytes go again
            log.warning("delivery_postponed", code="stopping", attempt=delivery.attempts)
            return
        answer = attempt.result()
        self._tools.metrics.delivery_seconds.observe(time.perf_counter() - began)
        # What was sent must not be forgotten because the process stops.
        await asyncio.shield(self._finish(delivery, answer))

    async def _finish(self, delivery: Delivery, answer: SinkAnswer) -> None:
        """Records the outcome. Where that fails the lease ends, and the same bytes go again."""
        tools = self._tools
        now = tools.clock.now()
        retry_at = None
        if answer.outcome == "retry":
            retry_at = now + timedelta(seconds=wait_s(delivery.attempts, answer.retry_after_s))
        try:
            held = await tools.store.finish_delivery(
                delivery, answer.outcome, answer.code, retry_at
            )
        except Unavailable as error:
            log.warning("worker_postponed", worker="courier", reason=type(error).__name__)
            return
        tools.metrics.deliveries.labels(answer.outcome, answer.code).inc()
        if not held:
            log.warning("delivery_lease_lost", attempt=delivery.attempts)
            return
        if answer.outcome == "delivered":
            since = delivery.event_at or delivery.created_at
            tools.metrics.event_to_card.observe(max(0.0, (now - since).total_seconds()))
            log.info("delivered", code=answer.code, attempt=delivery.attempts)
        elif answer.outcome == "parked":
            log.error("delivery_parked", code=answer.code, attempt=delivery.attempts)
        else:
            log.warning("delivery_postponed", code=answer.code, attempt=delivery.attempts)


def wait_s(attempts: int, retry_after_s: float | None = None) -> float:
    """How long to wait after attempt number `attempts`; never less than the receiver asked for."""
    longest = min(RETRY_LAST_S, RETRY_FIRST_S * 2 ** min(attempts - 1, DOUBLINGS))
    chosen = random.uniform(0, longest)  # noqa: S311 (no secret)
    asked = min(max(retry_after_s or 0.0, 0.0), RETRY_AFTER_LAST_S)
    return asked + chosen if asked else chosen
