"""The store port over sessions, whichever dialect opens them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime

from cryovigil.adapters import schema
from cryovigil.adapters.ports import (
    Claim,
    DeadLetterRow,
    Delivery,
    Outcome,
    Partition,
    PatientKey,
    Record,
    SourcePatient,
    StoredCard,
)
from cryovigil.adapters.store import cards, dead_letters, offsets, outbox, readings, upkeep
from cryovigil.adapters.store.cards import Cards
from cryovigil.adapters.store.dead_letters import DeadLetters
from cryovigil.adapters.store.offsets import Offsets
from cryovigil.adapters.store.outbox import Outbox
from cryovigil.adapters.store.patients import Patients
from cryovigil.adapters.store.readings import Readings
from cryovigil.adapters.store.session import Session
from cryovigil.errors import Unavailable
from cryovigil.lifecycle import CardState
from cryovigil.normalize.readings import key_of
from cryovigil.rules.needs import Need

PATIENTS_A_TIME = 200  # of expiry and purge, so that no transaction holds many for long
TOMBSTONES_A_TIME = 1_000
_FIRST_KEY = -(2**63)
_REVISION = "SELECT version_num FROM alembic_version"
_PATIENT = """SELECT source, reference, patient_key FROM source_patient
    WHERE source_key = $1"""


class StoreTransaction(Offsets, Readings, Patients, Cards, Outbox, DeadLetters):
    """Everything that a slice of records may change."""


class BaseStore(ABC):
    """A store whose dialect gives it sessions."""

    @abstractmethod
    async def open(self) -> None:
        """Connects. Raises Unavailable."""

    @abstractmethod
    async def close(self) -> None:
        """Closes every connection."""

    @abstractmethod
    def _writing(self) -> AbstractAsyncContextManager[Session]:
        """A transaction that may write: committed at the end, rolled back on any error."""

    @abstractmethod
    def _reading(self) -> AbstractAsyncContextManager[Session]:
        """A transaction that sees one moment of the database and locks nothing."""

    async def ready(self) -> bool:
        try:
            async with self._reading() as session:
                found = await session.fetch(_REVISION)
        except (Unavailable, RuntimeError):  # away, or without any table
            return False
        return [tuple(row) for row in found] == [(schema.HEAD,)]

    async def secret(self) -> bytes:
        async with self._writing() as session:
            return await upkeep.secret(session)

    async def align(self, needs: Mapping[str, Need]) -> None:
        async with self._writing() as session:
            await upkeep.align(session, needs)

    async def claim(self, partition: Partition, committed: int | None) -> Claim:
        async with self._writing() as session:
            return await offsets.claim(session, partition, committed)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[StoreTransaction]:
        async with self._writing() as session:
            yield StoreTransaction(session)

    async def patient(self, patient: SourcePatient) -> PatientKey | None:
        async with self._reading() as session:
            found = await session.fetch(_PATIENT, key_of(patient.identity))
        for source, reference, key in found:
            if (source, reference) == (patient.source, patient.reference):
                return int(key)
        return None

    async def snapshot(
        self, patient: PatientKey, needs: Mapping[str, Need], as_of: datetime
    ) -> tuple[Record, tuple[CardState, ...]]:
        async with self._reading() as session:
            records = await readings.read_records(session, [patient], needs, as_of)
            known = await cards.read_cards(session, [patient])
        return records[patient], known.get(patient, ())

    async def card(self, card_uuid: str) -> StoredCard | None:
        async with self._reading() as session:
            return await cards.read_card(session, card_uuid)

    async def cards_since(
        self, since: datetime, limit: int, after: str = ""
    ) -> Sequence[StoredCard]:
        async with self._reading() as session:
            return await cards.read_cards_since(session, since, limit, after)

    async def claim_deliveries(self, now: datetime, limit: int, lease_s: float) -> list[Delivery]:
        async with self._reading() as session:
            if not await outbox.any_ready(session, now):
                return []
        async with self._writing() as session:
            return await outbox.claim_deliveries(session, now, limit, lease_s)

    async def finish_delivery(
        self, delivery: Delivery, outcome: Outcome, code: str, retry_at: datetime | None
    ) -> bool:
        async with self._writing() as session:
            return await outbox.finish_delivery(session, delivery, outcome, code, retry_at)

    async def expire_deliveries(self, now: datetime) -> int:
        total = 0
        while True:
            async with self._reading() as session:
                patients = await outbox.expirable(session, now, PATIENTS_A_TIME)
            if not patients:
                return total
            async with self._writing() as session:
                expired = await outbox.expire(session, patients, now)
            if not expired:  # a courier was faster: what is left is not for us
                return total
            total += expired

    async def outbox_pending(self) -> int:
        async with self._reading() as session:
            return await outbox.outbox_pending(session)

    async def list_dead_letters(self) -> list[DeadLetterRow]:
        async with self._reading() as session:
            return await dead_letters.list_dead_letters(session)

    async def purge(self, needs: Mapping[str, Need], now: datetime) -> int:
        total = 0
        after: int | None = _FIRST_KEY
        while after is not None:
            async with self._writing() as session:
                purged, after = await upkeep.purge_some(session, after, PATIENTS_A_TIME, needs, now)
            total += purged
        return total + await self._purge_tombstones(now)

    async def _purge_tombstones(self, now: datetime) -> int:
        total, purged = 0, TOMBSTONES_A_TIME
        while purged == TOMBSTONES_A_TIME:
            async with self._writing() as session:
                purged = await upkeep.purge_tombstones(session, TOMBSTONES_A_TIME, now)
            total += purged
        return total
