"""What the service needs from the world, as protocols. `app.py` chooses who offers it, and
`databases.py` which store an address means.

A store is one database with one schema behind two dialects. Everything that a slice of records
changes happens inside one `Transaction`; nothing is sent from there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Literal, Protocol, TypeAlias

from msgspec import Struct

from cryovigil.adapters.versions import Kept, Known, Tied
from cryovigil.lifecycle import CardState
from cryovigil.normalize.readings import AnyReading
from cryovigil.outbox import Kind, Superseded
from cryovigil.rules.needs import Need

PatientKey: TypeAlias = int
Outcome: TypeAlias = Literal["delivered", "retry", "parked"]


class Partition(Struct, frozen=True, order=True):
    """A partition of a topic of one cluster, as one consumer group sees it."""

    group: str
    cluster: str
    topic: str
    number: int


class Claim(Struct, frozen=True):
    """The right to advance a partition: valid while nobody raised the epoch since.

    next_offset: the offset of the next record to handle, None where the partition is new here.
    """

    partition: Partition
    epoch: int
    next_offset: int | None


class SourcePatient(Struct, frozen=True, order=True):
    """A patient as one source knows them. source: Source.key; reference: `Patient/id`."""

    source: str
    reference: str

    @property
    def identity(self) -> str:
        """`source|Patient/id`, as identities of resources are written."""
        return f"{self.source}|{self.reference}"

    @classmethod
    def named(cls, identity: str) -> SourcePatient:
        """The patient that `source|Patient/id` names."""
        source, _, reference = identity.rpartition("|")
        return cls(source, reference)

    @property
    def subject(self) -> str:
        """`Patient/id` as the EHR is told it: an absolute URL is shortened."""
        return "/".join(self.reference.split("/")[-2:])


class PatientRow(Struct, frozen=True):
    """A locked patient. anchored: has had a reading that alone may raise a card."""

    key: PatientKey
    anchored: bool


class Record(Struct, frozen=True):
    """What the store gives of one patient: readings within the needs, and why it is incomplete."""

    identity: str
    readings: tuple[AnyReading, ...]
    incomplete: tuple[str, ...]


class DeadLetter(Struct, frozen=True, kw_only=True):
    """What could not be read of a record. `reason` quotes nothing of it.

    part: place among the letters of the record, the first of which keeps its key, value and
    headers byte for byte; entries: how many entries of it the letter stands for; resource: the
    identity of what could not be read, where that much is known.
    """

    topic: str
    partition: int
    offset: int
    reason: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
    patient: PatientKey | None = None
    resource: str | None = None
    part: int = 0
    entries: int = 1
    at: datetime


class DeadLetterRow(Struct, frozen=True, omit_defaults=True):
    """A dead letter as listed: where it stands, why, since when, for how many. No content."""

    topic: str
    partition: int
    offset: int
    reason: str
    at: datetime
    entries: int = 1


class OutboxEvent(Struct, frozen=True, kw_only=True):
    """An event the EHR is owed. body: the frozen bytes; expires_at: not to be sent stale after."""

    delivery_id: str
    card_uuid: str
    revision: int
    patient: PatientKey
    sequence: int
    kind: Kind
    body: bytes
    created_at: datetime
    event_at: datetime | None = None
    expires_at: datetime | None = None


class Delivery(Struct, frozen=True, kw_only=True):
    """An event that this courier holds the lease of. attempts counts this one."""

    delivery_id: str
    patient: PatientKey
    body: bytes
    attempts: int
    lease: str
    created_at: datetime
    event_at: datetime | None


class StoredCard(Struct, frozen=True, kw_only=True):
    """A card as the HTTP API lists it. reason: why it was retracted."""

    state: CardState
    patient: SourcePatient
    changed_at: datetime
    reason: str | None = None


class Transaction(Protocol):
    """One database transaction. It commits when its context ends, and rolls back on any error."""

    async def advance(self, claim: Claim, next_offset: int) -> bool:
        """Compare and set: False where the claim no longer holds, and then nothing may follow."""
        ...

    async def known(self, keys: Collection[int]) -> Mapping[str, Known]:
        """The stored resources behind 8-byte keys, by identity; unknown keys are left out."""
        ...

    async def lock(
        self, patients: Collection[SourcePatient], keys: Collection[PatientKey] = ()
    ) -> Mapping[SourcePatient, PatientRow]:
        """Creates patients that are missing, then locks them and existing keys in key order."""
        ...

    async def lock_keys(self, keys: Collection[PatientKey]) -> Mapping[PatientKey, PatientRow]:
        """Locks existing patients by key, in key order."""
        ...

    async def keep(self, kept: Sequence[Kept], at: datetime, ties: Sequence[Tied] = ()) -> None:
        """Replaces what is stored of each resource; marks patients anchored, and marks ties."""
        ...

    async def replaced_by(
        self, identities: Collection[str], keys: Collection[int]
    ) -> Mapping[str, PatientKey]:
        """The patient each replaced result belongs to, by its identity.

        identities: those that new versions name; keys: of resources whose stored versions may
        replace others, which count again where they do so no longer.
        """
        ...

    async def records(
        self, patients: Collection[PatientKey], needs: Mapping[str, Need], as_of: datetime
    ) -> Mapping[PatientKey, Record]:
        """The readings the rules need, replaced results left out, sorted as Timeline wants."""
        ...

    async def cards(
        self, patients: Collection[PatientKey]
    ) -> Mapping[PatientKey, tuple[CardState, ...]]:
        """The newest card of each rule of each patient."""
        ...

    async def put_card(
        self, patient: PatientKey, state: CardState, reason: str | None, at: datetime
    ) -> None:
        """Keeps a card's new state, and its revision in the history."""
        ...

    async def supersede(self, card_uuid: str) -> Superseded:
        """Marks the card's never attempted events as superseded; says what was there."""
        ...

    async def next_sequence(self, patient: PatientKey) -> int:
        """The patient's next outbox sequence: strictly growing, under the patient's lock."""
        ...

    async def enqueue(self, event: OutboxEvent) -> None:
        """Owes the EHR an event."""
        ...

    async def set_due(self, due: Mapping[PatientKey, datetime | None]) -> None:
        """When each patient must be asked again without any event; None: not at all."""
        ...

    async def lock_due(self, now: datetime, limit: int) -> tuple[PatientKey, ...]:
        """Locks patients whose time has come, passing over those that others hold."""
        ...

    async def add_dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        """Keeps events that could not be read."""
        ...


class Store(Protocol):
    """One database. Unavailable: it may be back in a moment; anything else is a bug."""

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def ready(self) -> bool:
        """Whether it answers and its schema is the one this version needs."""
        ...

    async def secret(self) -> bytes:
        """The site's key for card ids where no setting gives one: made once, kept here."""
        ...

    async def align(self, needs: Mapping[str, Need]) -> None:
        """Makes stored rows agree with how much of each concept this rulebook reads."""
        ...

    async def claim(self, partition: Partition, committed: int | None) -> Claim:
        """Takes a partition over: raises its epoch. committed: Kafka's own offset, for a start."""
        ...

    def transaction(self) -> AbstractAsyncContextManager[Transaction]: ...

    async def patient(self, patient: SourcePatient) -> PatientKey | None: ...

    async def snapshot(
        self, patient: PatientKey, needs: Mapping[str, Need], as_of: datetime
    ) -> tuple[Record, tuple[CardState, ...]]:
        """One consistent view of a patient for a hook, without locks."""
        ...

    async def card(self, card_uuid: str) -> StoredCard | None: ...

    async def cards_since(
        self, since: datetime, limit: int, after: str = ""
    ) -> Sequence[StoredCard]:
        """Open and retracted cards in order of (changed_at, uuid), from the place given on."""
        ...

    async def claim_deliveries(self, now: datetime, limit: int, lease_s: float) -> list[Delivery]:
        """Leases the oldest unfinished event of each patient and counts the attempt, committed."""
        ...

    async def finish_delivery(
        self, delivery: Delivery, outcome: Outcome, code: str, retry_at: datetime | None
    ) -> bool:
        """Records what came of it; False where the lease was lost meanwhile."""
        ...

    async def expire_deliveries(self, now: datetime) -> int:
        """Never attempted events past their time become expired cards, due at once."""
        ...

    async def outbox_pending(self) -> int: ...

    async def list_dead_letters(self) -> list[DeadLetterRow]: ...

    async def purge(self, needs: Mapping[str, Need], now: datetime) -> int:
        """Deletes rows past every rule's look-back, the latest of each concept kept, and
        tombstones that nothing can revive any more.
        """
        ...
