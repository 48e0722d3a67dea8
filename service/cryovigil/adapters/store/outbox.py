"""Events the EHR is owed: strictly in order per patient, each leased to one courier at a time.

`outbox_head` points to the oldest unfinished event of each patient. Whatever changes events of a
patient locks that row first, so that claims, completions, supersedings and expiries of one
patient exclude each other, and a long backlog costs nothing to scan.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import uuid4

from msgspec.structs import replace

from cryovigil.adapters.ports import Delivery, OutboxEvent, Outcome, PatientKey
from cryovigil.adapters.store import rows
from cryovigil.adapters.store.cards import put_card
from cryovigil.adapters.store.patients import set_due
from cryovigil.adapters.store.session import Row, Session
from cryovigil.outbox import Superseded

_ENQUEUE = """INSERT INTO outbox (delivery_id, card_uuid, revision, patient_key, seq, kind, body,
        next_attempt_at, created_at, event_at, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9, $10)"""
# A head that is there already stays, but is locked: its completion waits and finds this event.
_POINT = """INSERT INTO outbox_head (patient_key, delivery_id, ready_at) VALUES ($1, $2, $3)
    ON CONFLICT (patient_key) DO UPDATE SET delivery_id = outbox_head.delivery_id"""
_LOCK_HEADS = """SELECT patient_key FROM outbox_head WHERE patient_key = ANY($1::bigint[])
    ORDER BY patient_key FOR UPDATE"""
_OLDEST = """SELECT delivery_id, next_attempt_at FROM outbox
    WHERE patient_key = $1 AND status = 'pending' ORDER BY seq LIMIT 1"""
_MOVE = """UPDATE outbox_head SET delivery_id = $2, ready_at = $3
    WHERE patient_key = $1 AND delivery_id <> $2"""
_NO_HEAD = "DELETE FROM outbox_head WHERE patient_key = $1"
_EVENTS_OF = "SELECT patient_key FROM outbox WHERE card_uuid = $1 LIMIT 1"
_SUPERSEDE = """UPDATE outbox SET status = 'superseded'
    WHERE card_uuid = $1 AND status = 'pending' AND attempts = 0 RETURNING kind"""
_ATTEMPTED = "SELECT 1 FROM outbox WHERE card_uuid = $1 AND attempts > 0 LIMIT 1"
_ANY_READY = "SELECT 1 FROM outbox_head WHERE ready_at <= $1 LIMIT 1"
_READY = """SELECT patient_key, delivery_id FROM outbox_head WHERE ready_at <= $1
    ORDER BY ready_at, patient_key LIMIT $2 FOR UPDATE SKIP LOCKED"""
_LEASE_HEADS = "UPDATE outbox_head SET ready_at = $2 WHERE patient_key = ANY($1::bigint[])"
_LEASE = """UPDATE outbox SET attempts = attempts + 1, lease = $2
    WHERE delivery_id = ANY($1::text[])
    RETURNING delivery_id, patient_key, body, attempts, created_at, event_at"""
_FINISH = """UPDATE outbox SET status = $3, lease = NULL, last_code = $4, next_attempt_at = $5
    WHERE delivery_id = $1 AND lease = $2 AND status = 'pending'"""
_RETRY = "UPDATE outbox_head SET ready_at = $2 WHERE patient_key = $1"
_PENDING = "SELECT count(*) FROM outbox WHERE status = 'pending'"
# An update of a card that the EHR has seen is sent late: what it would replace is older still.
_UNSENT = """status = 'pending' AND attempts = 0 AND expires_at <= $1 AND NOT EXISTS (
        SELECT 1 FROM outbox AS x WHERE x.card_uuid = outbox.card_uuid AND x.attempts > 0)"""
_EXPIRABLE = f"SELECT DISTINCT patient_key FROM outbox WHERE {_UNSENT} LIMIT $2"  # noqa: S608 (constant)
_EXPIRE = f"""UPDATE outbox SET status = 'expired'
    WHERE patient_key = ANY($2::bigint[]) AND {_UNSENT} RETURNING card_uuid, patient_key"""  # noqa: S608 (constant)
_LOCK_PATIENTS = """SELECT patient_key FROM patient WHERE patient_key = ANY($1::bigint[])
    ORDER BY patient_key FOR UPDATE"""
_CARDS = "SELECT patient_key, body FROM card WHERE card_uuid = ANY($1::text[])"


class Outbox:
    """The part of a transaction that owes events."""

    _session: Session

    async def supersede(self, card_uuid: str) -> Superseded:
        session = self._session
        owner = await session.fetch(_EVENTS_OF, card_uuid)
        if not owner:
            return Superseded(created=False, attempted=False)
        patient = owner[0][0]
        await session.fetch(_LOCK_HEADS, [patient])
        unsent = {kind for (kind,) in await session.fetch(_SUPERSEDE, card_uuid)}
        if unsent:
            await _move_head(session, patient)
        attempted = await session.fetch(_ATTEMPTED, card_uuid)
        return Superseded(created="created" in unsent, attempted=bool(attempted))

    async def enqueue(self, event: OutboxEvent) -> None:
        created = rows.micros(event.created_at)
        await self._session.execute(
            _ENQUEUE,
            event.delivery_id,
            event.card_uuid,
            event.revision,
            event.patient,
            event.sequence,
            event.kind,
            event.body,
            created,
            rows.micros(event.event_at) if event.event_at else None,
            rows.micros(event.expires_at) if event.expires_at else None,
        )
        await self._session.execute(_POINT, event.patient, event.delivery_id, created)


async def any_ready(session: Session, now: datetime) -> bool:
    """Whether there may be something to claim."""
    return bool(await session.fetch(_ANY_READY, rows.micros(now)))


async def claim_deliveries(
    session: Session, now: datetime, limit: int, lease_s: float
) -> list[Delivery]:
    """Leases heads whose time has come, passing over those that others hold."""
    ready = await session.fetch(_READY, rows.micros(now), limit)
    if not ready:
        return []
    lease = uuid4().hex
    until = rows.micros(now + timedelta(seconds=lease_s))
    await session.execute(_LEASE_HEADS, [patient for patient, _ in ready], until)
    names = [name for _, name in ready]
    leased = {row[0]: row for row in await session.fetch(_LEASE, names, lease)}
    return [_delivery(leased[name], lease) for name in names]


async def finish_delivery(
    session: Session, delivery: Delivery, outcome: Outcome, code: str, retry_at: datetime | None
) -> bool:
    """Records what came of a delivery; False where its lease was lost."""
    await session.fetch(_LOCK_HEADS, [delivery.patient])
    again = rows.micros(retry_at) if retry_at else rows.micros(delivery.created_at)
    status = "pending" if outcome == "retry" else outcome
    values = (delivery.delivery_id, delivery.lease, status, code, again)
    if not await session.execute(_FINISH, *values):
        return False
    if outcome == "retry":
        await session.execute(_RETRY, delivery.patient, again)
    else:
        await _move_head(session, delivery.patient)
    return True


async def outbox_pending(session: Session) -> int:
    """How many events are unfinished."""
    return int((await session.fetch(_PENDING))[0][0])


async def expirable(session: Session, now: datetime, limit: int) -> list[PatientKey]:
    """Patients with never attempted events past their time."""
    found = await session.fetch(_EXPIRABLE, rows.micros(now), limit)
    return sorted(patient for (patient,) in found)


async def expire(session: Session, patients: Sequence[PatientKey], now: datetime) -> int:
    """Expires such events and their cards, and makes the patients due; how many events."""
    await session.fetch(_LOCK_PATIENTS, patients)
    await session.fetch(_LOCK_HEADS, patients)
    expired = await session.fetch(_EXPIRE, rows.micros(now), patients)
    owners = sorted({patient for _, patient in expired})
    for patient, body in await session.fetch(_CARDS, [card for card, _ in expired]):
        state = rows.decode_card(body)
        if state.stands:
            after = replace(state, state="expired", revision=state.revision + 1)
            await put_card(session, patient, after, None, now)
    for patient in owners:
        await _move_head(session, patient)
    await set_due(session, dict.fromkeys(owners, now))
    return len(expired)


async def _move_head(session: Session, patient: PatientKey) -> None:
    """Points a locked head to the oldest unfinished event; a lease of that one stays."""
    oldest = await session.fetch(_OLDEST, patient)
    if oldest:
        await session.execute(_MOVE, patient, *oldest[0])
    else:
        await session.execute(_NO_HEAD, patient)


def _delivery(row: Row, lease: str) -> Delivery:
    name, patient, body, attempts, created, event = row
    return Delivery(
        delivery_id=name,
        patient=patient,
        body=body,
        attempts=attempts,
        lease=lease,
        created_at=rows.moment(created),
        event_at=rows.moment(event) if event is not None else None,
    )
