"""A store that remembers what it was asked, for tests of what surrounds it.

It keeps offsets and epochs as the real ones do; what a slice means is none of its business.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

from msgspec.structs import replace

from cryovigil.adapters.ports import Claim, DeadLetter, Delivery, Outcome, Partition
from cryovigil.errors import Unavailable
from cryovigil.normalize.readings import Update
from cryovigil.rules.needs import Need


class FakeTransaction:
    """Collects changes; FakeStore takes them over when the transaction ends well."""

    def __init__(self, store: FakeStore) -> None:
        self._store = store
        self.offsets: dict[Partition, int] = {}
        self.updates: list[Update] = []
        self.letters: list[DeadLetter] = []

    async def advance(self, claim: Claim, next_offset: int) -> bool:
        epoch, known = self._store.offsets[claim.partition]
        if (epoch, known) != (claim.epoch, claim.next_offset):
            return False
        self.offsets[claim.partition] = next_offset
        return True


class FakeStore:
    """Commits whole or not at all. outages: how many next transactions fail at their start;
    lost_answers: how many next ones fail after they were kept.
    """

    def __init__(self) -> None:
        self.offsets: dict[Partition, tuple[int, int | None]] = {}
        self.updates: list[Update] = []
        self.letters: list[DeadLetter] = []
        self.outages = 0
        self.lost_answers = 0
        self.commits = 0

    async def claim(self, partition: Partition, committed: int | None) -> Claim:
        epoch, known = self.offsets.get(partition, (0, committed))
        self.offsets[partition] = (epoch + 1, known)
        return Claim(partition, epoch + 1, known)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[FakeTransaction]:
        if self.outages:
            self.outages -= 1
            raise Unavailable("database: away")
        work = FakeTransaction(self)
        yield work
        for partition, offset in work.offsets.items():
            self.offsets[partition] = (self.offsets[partition][0], offset)
        self.updates += work.updates
        self.letters += work.letters
        self.commits += 1
        if self.lost_answers:
            self.lost_answers -= 1
            raise Unavailable("database: connection lost")

    async def expire_deliveries(self, now: datetime) -> int:
        return 0

    async def purge(self, needs: Mapping[str, Need], now: datetime) -> int:
        return 0


class FakeOutbox:
    """Leases as the stores do: the oldest unfinished event of each patient, when its time is."""

    def __init__(self, deliveries: Sequence[Delivery]) -> None:
        self.owed = list(deliveries)
        self.finished: list[tuple[str, Outcome, str]] = []
        self.retry_at: dict[str, datetime | None] = {}
        self.leased: set[str] = set()
        self.lost: set[str] = set()

    async def claim_deliveries(self, now: datetime, limit: int, lease_s: float) -> list[Delivery]:
        claimed: list[Delivery] = []
        seen: set[int] = set()
        for place, delivery in enumerate(self.owed):
            name = delivery.delivery_id
            due = self.retry_at.get(name)
            free = name not in self.leased and (due is None or due <= now)
            if delivery.patient not in seen and free and len(claimed) < limit:
                self.owed[place] = replace(delivery, attempts=delivery.attempts + 1)
                claimed.append(self.owed[place])
                self.leased.add(name)
            seen.add(delivery.patient)
        return claimed

    async def finish_delivery(
        self, delivery: Delivery, outcome: Outcome, code: str, retry_at: datetime | None
    ) -> bool:
        name = delivery.delivery_id
        self.leased.discard(name)
        if name in self.lost:
            return False
        self.finished.append((name, outcome, code))
        self.retry_at[name] = retry_at
        if outcome != "retry":
            self.owed = [other for other in self.owed if other.delivery_id != name]
        return True

    async def outbox_pending(self) -> int:
        return len(self.owed)
