"""What a slice of records does to the store: keep, evaluate each touched patient once, write.

Everything here happens inside one transaction of the caller, in the order of guarantees.md, 1.3:
owners are read, patients created and locked in key order, owners read again, then the newest
versions are kept and each touched patient goes through the journey.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec import Struct

from cryovigil.adapters.ports import (
    DeadLetter,
    Kept,
    Known,
    OutboxEvent,
    PatientKey,
    SourcePatient,
    Transaction,
)
from cryovigil.decode import Source
from cryovigil.errors import Unavailable, Unreadable
from cryovigil.journey import Journey
from cryovigil.lifecycle import Change
from cryovigil.normalize.readings import AnyReading, Update, key_of
from cryovigil.outbox import cloud_event, delivery_id, kind_of
from cryovigil.rules.needs import Need
from cryovigil.timeline import fold, head_of, replaces, tied
from cryovigil.updates import Reader

_encode = msgspec.msgpack.Encoder().encode
Causes = dict[PatientKey, dict[str, str]]


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
        for read in self._reader.read(value, key, source, f"{topic}/{partition}", offset):
            if not isinstance(read, Unreadable):
                yield read
                continue
            yield DeadLetter(
                topic=topic,
                partition=partition,
                offset=offset,
                reason=read.reason,
                key=key,
                value=value,
                headers=headers,
                patient=_key(source, read.patient),
                at=self._now(),
            )

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
        if letters:
            await tx.add_dead_letters(letters)
        causes = await self._keep(tx, updates)
        for letter in letters:
            if letter.patient is not None:
                causes.setdefault(letter.patient, {})
        await self._evaluate(tx, causes, Moment(at, event_at))

    async def drain(self, tx: Transaction, now: datetime, limit: int) -> int:
        """Asks again for patients whose answers change by time alone; how many there were."""
        patients = await tx.lock_due(now, limit)
        await self._evaluate(tx, {patient: {} for patient in patients}, Moment(now))
        return len(patients)

    async def _keep(self, tx: Transaction, updates: Sequence[Update]) -> Causes:
        keys = {update.key for update in updates}
        known = await tx.known(keys)
        # What is irrelevant and known neither from the store nor from this slice says nothing.
        watched = known.keys() | {u.identity for u in updates if u.watched}
        told = [u for u in updates if u.identity in watched]
        if not told:
            return {}
        stored = {u.key for u in told if u.identity in known}
        replaced = await tx.replaced_by({r for u in told for r in u.replaces}, stored)
        owners = {k.patient for k in known.values() if k.patient} | set(replaced.values())
        locked = await tx.lock({p for u in told if (p := _source_patient(u))})
        await tx.lock_keys(owners)
        again = await tx.known({u.key for u in told})
        if _owners(again) != _owners({i: k for i, k in known.items() if i in again}):
            raise Unavailable("a resource moved to another patient meanwhile")
        keys_by_patient = {patient: row.key for patient, row in locked.items()}
        kept, causes = _folded(told, again, keys_by_patient)
        corrected = {r for u in told if replaces(u) for r in u.replaces}
        for identity, patient in replaced.items():
            cause = "corrected" if identity in corrected else "answered"
            causes.setdefault(patient, {})[identity.rpartition("|")[2]] = cause
        await tx.keep(kept)
        return causes

    async def _evaluate(self, tx: Transaction, causes: Causes, moment: Moment) -> None:
        """Each patient once, in key order."""
        rows = await tx.lock_keys(causes)
        patients = sorted(key for key, row in rows.items() if row.anchored)
        if not patients:
            return
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
            subject=_subject(identity),
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


def _folded(
    updates: Iterable[Update],
    known: Mapping[str, Known],
    patients: Mapping[SourcePatient, PatientKey],
) -> tuple[list[Kept], Causes]:
    """The versions to keep, the newest of each resource, and what that means for whom."""
    newest: dict[str, Kept] = {}
    heads = {identity: entry.head for identity, entry in known.items()}
    causes: Causes = {}
    for update in updates:
        head = heads.get(update.identity)
        content = _content(update.readings)
        tie = head is not None and tied(head, update, content)
        taken = fold(head, update)
        if taken is None:
            continue
        source_patient = _source_patient(taken)
        owner = patients[source_patient] if source_patient else None
        newest[update.identity] = Kept(taken, owner, content, tie)
        heads[update.identity] = head_of(taken, content)
        before = known[update.identity].patient if update.identity in known else None
        reference = update.identity.rpartition("|")[2]
        for key in (owner, before):
            if key is not None:
                causes.setdefault(key, {})[reference] = update.cause
    return list(newest.values()), causes


def _owners(known: Mapping[str, Known]) -> dict[str, PatientKey | None]:
    return {identity: entry.patient for identity, entry in known.items()}


def _content(readings: Collection[AnyReading]) -> int:
    return key_of(_encode(readings).hex()) if readings else 0


def _source_patient(update: Update) -> SourcePatient | None:
    if update.patient is None:
        return None
    return SourcePatient(update.identity.rpartition("|")[0], update.patient)


def _key(source: Source, patient: str | None) -> PatientKey | None:
    return key_of(f"{source.key}|{patient}") if patient else None


def _subject(identity: str) -> str:
    """`Patient/id`, an absolute URL shortened."""
    return "/".join(identity.rpartition("|")[2].split("/")[-2:])
