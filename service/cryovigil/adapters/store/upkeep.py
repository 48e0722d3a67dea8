"""What the store keeps of itself: the site's secret, what the rulebook reads, what is too old."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec

from cryovigil.adapters.store import rows
from cryovigil.adapters.store.readings import cutoffs
from cryovigil.adapters.store.session import Session
from cryovigil.rules.needs import Need

_SECRET_BYTES = 32
# How long a tombstone keeps older versions away. Nothing is delivered that much later, and whoever
# replays a topic from its beginning replays the deletions too.
TOMBSTONE_DAYS = 400
_OFFER = "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING"
_META = "SELECT value FROM meta WHERE name = $1 FOR UPDATE"
_SET = "UPDATE meta SET value = $2 WHERE name = $1"
_MARK = "UPDATE reading SET whole = true WHERE concept = ANY($1::text[]) AND NOT whole"
_PATIENTS = """SELECT patient_key FROM patient WHERE patient_key > $1
    ORDER BY patient_key LIMIT $2 FOR UPDATE SKIP LOCKED"""
_TOMBSTONES = """SELECT resource_key, identity, part FROM reading
    WHERE body IS NULL AND doubt = 0 AND at < $1 ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED"""
_DELETE = "DELETE FROM reading WHERE resource_key = $1 AND identity = $2 AND part = $3"


async def secret(session: Session) -> bytes:
    """The site's key, made by whoever asks first."""
    return await _meta(session, "secret", secrets.token_bytes(_SECRET_BYTES))


async def align(session: Session, needs: Mapping[str, Need]) -> None:
    """Marks the rows of concepts that are read whole from now on.

    What is marked stays so: another version may be at work that reads such a concept whole, while
    a rulebook that asks for less is served all the same.
    """
    whole = frozenset(concept for concept, need in needs.items() if need.whole)
    stored = await _meta(session, "whole", rows.encode([]))
    before = frozenset(msgspec.msgpack.decode(stored, type=list[str]))
    if whole - before:
        await session.execute(_MARK, sorted(whole - before))
        await session.execute(_SET, "whole", rows.encode(sorted(whole | before)))


async def purge_some(
    session: Session, after: int, limit: int, needs: Mapping[str, Need], now: datetime
) -> tuple[int, int | None]:
    """Purges the next patients after a key: rows deleted, and the last key; None: no more.

    Concepts that are read whole, and those that no rule reads today, are left alone.
    """
    found = await session.fetch(_PATIENTS, after, limit)
    patients = [patient for (patient,) in found]
    if not patients:
        return 0, None
    stale = await session.stale(patients, cutoffs(needs, now), rows.micros(now))
    if stale:
        await session.many(_DELETE, stale)
    return len(stale), patients[-1]


async def purge_tombstones(session: Session, limit: int, now: datetime) -> int:
    """Deletes the oldest tombstones past their time; how many. One with a doubt stays."""
    old = rows.micros(now - timedelta(days=TOMBSTONE_DAYS))
    found = await session.fetch(_TOMBSTONES, old, limit)
    if found:
        await session.many(_DELETE, [tuple(place) for place in found])
    return len(found)


async def _meta(session: Session, name: str, start: bytes) -> bytes:
    await session.execute(_OFFER, name, start)
    return bytes((await session.fetch(_META, name))[0][0])
