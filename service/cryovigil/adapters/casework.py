"""What a slice of records does to the store: keep, evaluate each touched patient once, write.

Everything here happens inside one transaction of the caller: the newest versions are kept
(keeping.py), and then each touched patient goes through the journey.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from cryovigil.adapters.keeping import Causes, keep
from cryovigil.adapters.letters import Letters
from cryovigil.adapters.ports import (
    DeadLetter,
    OutboxEvent,
    PatientKey,
    SourcePatient,
    Transaction,
)
from cryovigil.decode import Source
from cryovigil.errors import Unreadable
from cryovigil.journey import Journey
from cryovigil.lifecycle import Change
from cryovigil.normalize.readings import Update
from cryovigil.outbox import cloud_event, delivery_id, kind_of
from cryovigil.rules.needs import Need
from cryovigil.updates import Reader

PATIENTS_A_TIME = 200


class Announcing(Struct, frozen=True):
    """How cards are announced. origin: the CloudEvents source; expiry: by rule id, how long a card
    may wait unsent before it is stale.
    """

    origin: str
    expiry: Mapping[str, timedelta]


class Moment(Struct, frozen=True):
    """When a slice is evaluated, and when the oldest event of it was produced, if any was."""

    at: datetime
    event_at: datetime | None = None


class Casework:
    """Reads records without I/O, and handles what they say inside a transaction.

    sources: by topic, the default under ""; announcing: None where no sink is owed any event.
    """

    def __init__(
        self,
        reader: Reader,
        journey: Journey,
        needs: Mapping[str, Need],
        sources: Mapping[str, Source],
        *,
        announcing: Announcing | None,
        now: Callable[[], datetime],
    ) -> None:
        self._reader = reader
        self._journey = journey
        self._needs = needs
        self._sources = sources
        self._announcing = announcing
        self._now = now

    def read(
        self,
        value: bytes | None,
        key: bytes | None,
        headers: tuple[tuple[str, bytes], ...],
        topic: str,
        partition: int,
        offset: int,
    ) -> Iterator[Update | DeadLetter | None]:
        """What each entry of one record says, entry by entry.

        None is none of ours; what cannot be read becomes a dead letter, the others still count.
        """
        source = self._sources.get(topic) or self._sources[""]
        letters: Letters | None = None
        for read in self._reader.read(value, key, source, f"{topic}/{partition}", offset):
            if not isinstance(read, Unreadable):
                yield read
                continue
            letters = letters or Letters(
                DeadLetter(
                    topic=topic,
                    partition=partition,
                    offset=offset,
                    reason=read.reason,
                    key=key,
                    value=value,
                    headers=headers,
                    at=self._now(),
                )
            )
            yield letters.add(read, source.key)
        if letters is not None and letters.rest is not None:
            yield letters.rest

    async def handle(
        self,
        tx: Transaction,
        updates: Sequence[Update],
        letters: Sequence[DeadLetter],
        at: datetime,
        event_at: datetime | None = None,
    ) -> None:
        """Keeps a slice and everything that follows from it. Raises Unavailable to try again.

        event_at: when the oldest of its records was produced.
        """
        causes = await keep(tx, updates, letters, at)
        await self._evaluate(tx, causes, Moment(at, event_at))

    async def drain(self, tx: Transaction, now: datetime, limit: int) -> int:
        """Asks again for patients whose answers change by time alone; how many there were."""
        patients = await tx.lock_due(now, limit)
        await self._evaluate(tx, {patient: {} for patient in patients}, Moment(now))
        return len(patients)

    async def _evaluate(self, tx: Transaction, causes: Causes, moment: Moment) -> None:
        """Each patient once, in key order, some at a time: a transaction may not idle for long."""
        rows = await tx.lock_keys(causes)
        patients = sorted(key for key, row in rows.items() if row.anchored)
        for first in range(0, len(patients), PATIENTS_A_TIME):
            await self._ask(tx, patients[first : first + PATIENTS_A_TIME], causes, moment)

    async def _ask(
        self, tx: Transaction, patients: Sequence[PatientKey], causes: Causes, moment: Moment
    ) -> None:
        records = await tx.records(patients, self._needs, moment.at)
        known = await tx.cards(patients)
        due: dict[PatientKey, datetime | None] = {}
        for patient in patients:
            record = records[patient]
            assessed = self._journey.assess(record.readings, moment.at, record.incomplete)
            made = self._journey.changes(
                assessed, known.get(patient, ()), record.identity, causes[patient]
            )
            due[patient] = assessed.changes_at
            for change in made:
                await self._write(tx, patient, record.identity, change, moment)
            await asyncio.sleep(0)  # the event loop may not wait for a whole slice of patients
        await tx.set_due(due)

    async def _write(
        self, tx: Transaction, patient: PatientKey, identity: str, change: Change, moment: Moment
    ) -> None:
        """The card's new state and, where the EHR has to know, the event it is owed."""
        await tx.put_card(patient, change.after, change.reason, moment.at)
        announcing = self._announcing
        if announcing is None or not change.push:
            return
        kind = kind_of(change, await tx.supersede(change.after.uuid))
        if kind is None:
            return
        sequence = await tx.next_sequence(patient)
        body = cloud_event(
            change,
            kind,
            source=announcing.origin,
            subject=SourcePatient.named(identity).subject,
            sequence=sequence,
            time=moment.at,
        )
        # A retraction never grows stale: the EHR must hear of it however late.
        wait = announcing.expiry.get(change.after.rule) if kind != "retracted" else None
        await tx.enqueue(
            OutboxEvent(
                delivery_id=delivery_id(change),
                card_uuid=change.after.uuid,
                revision=change.after.revision,
                patient=patient,
                sequence=sequence,
                kind=kind,
                body=body,
                created_at=moment.at,
                event_at=moment.event_at,
                expires_at=moment.at + wait if wait else None,
            )
        )
