"""Readings: which versions are stored, what is kept, and what a patient's record holds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from cryovigil.adapters.ports import PatientKey, Record
from cryovigil.adapters.store import rows
from cryovigil.adapters.store.session import Row, Session
from cryovigil.adapters.versions import Kept, Known, Tied
from cryovigil.errors import Unavailable
from cryovigil.normalize.readings import AnyReading, key_of
from cryovigil.rules.needs import Need
from cryovigil.timeline import replaces

_KNOWN = """SELECT resource_key, identity, patient_key, head, body IS NULL, doubt FROM reading
    WHERE resource_key = ANY($1::bigint[])"""
_STORED = """SELECT identity, head FROM reading
    WHERE resource_key = ANY($1::bigint[]) FOR UPDATE"""
_FORGET = "DELETE FROM reading WHERE resource_key = $1 AND identity = $2"
_FORGET_REPLACED = "DELETE FROM replacement WHERE by_key = $1 AND by_identity = $2"
_REPLACE = """INSERT INTO replacement (replaced_key, replaced, by_key, by_identity)
    VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING"""
_TIE = """UPDATE reading SET doubt = doubt | $4, patient_key = coalesce(patient_key, $3)
    WHERE resource_key = $1 AND identity = $2"""
_REPLACED = "SELECT replaced FROM replacement WHERE by_key = ANY($1::bigint[])"
_ANCHOR = """UPDATE patient SET anchored = true
    WHERE patient_key = ANY($1::bigint[]) AND NOT anchored"""
_OWNERS = """SELECT identity, patient_key FROM reading
    WHERE resource_key = ANY($1::bigint[]) AND patient_key IS NOT NULL"""
_WHOLE = """SELECT patient_key, body FROM reading AS r
    WHERE patient_key = ANY($1::bigint[]) AND whole AND NOT EXISTS (
        SELECT 1 FROM replacement AS x
        WHERE x.replaced_key = r.resource_key AND x.replaced = r.identity)"""
_MARKED = "SELECT value FROM meta WHERE name = 'whole' FOR SHARE"
_DOUBTS = """SELECT DISTINCT patient_key, doubt FROM reading AS r
    WHERE patient_key = ANY($1::bigint[]) AND doubt <> 0 AND NOT EXISTS (
        SELECT 1 FROM replacement AS x
        WHERE x.replaced_key = r.resource_key AND x.replaced = r.identity)"""
_UNREAD = """SELECT DISTINCT patient_key FROM dead_letter
    WHERE patient_key = ANY($1::bigint[]) AND state = 'open'"""
_PEOPLE = "SELECT patient_key, identity FROM patient WHERE patient_key = ANY($1::bigint[])"

# A window counts calendar days, and a day begins up to 14 hours earlier elsewhere.
_ELSEWHERE = timedelta(days=1)


class Readings:
    """The part of a transaction that keeps readings."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._asked: set[int] = set()
        self._heads: dict[str, bytes] = {}

    async def known(self, keys: Collection[int]) -> Mapping[str, Known]:
        if not keys:
            return {}
        found = await self._session.fetch(_KNOWN, list(keys))
        self._asked.update(keys)
        known: dict[str, Known] = {}
        for _, identity, patient, head, gone, doubt in found:
            if identity not in known:
                self._heads[identity] = head
                tie = bool(doubt & rows.Doubt.TIE)
                known[identity] = Known(rows.head(identity, head, gone=bool(gone)), patient, tie)
        return known

    async def keep(self, kept: Sequence[Kept], at: datetime, ties: Sequence[Tied] = ()) -> None:
        if kept:
            await self._replace(kept, at)
        if ties:
            marks = [(tie.key, tie.identity, tie.patient, rows.Doubt.TIE.value) for tie in ties]
            await self._session.many(_TIE, marks)

    async def _replace(self, kept: Sequence[Kept], at: datetime) -> None:
        session = self._session
        # Before any row: whoever marks concepts meanwhile waits for this transaction.
        whole = await whole_concepts(session)
        stored = await self._stored(kept)
        if stored:
            await session.many(_FORGET, stored)
            await session.many(_FORGET_REPLACED, stored)
        await session.insert_readings(
            [row for one in kept for row in rows.reading_rows(one, whole, at)]
        )
        replaced = [
            (key_of(old), old, k.update.key, k.update.identity)
            for k in kept
            if k.update.replaces and replaces(k.update)
            for old in k.update.replaces
        ]
        if replaced:
            await session.many(_REPLACE, replaced)
        anchored = {k.patient for k in kept if k.update.anchor and k.patient is not None}
        if anchored:
            await session.execute(_ANCHOR, sorted(anchored))

    async def _stored(self, kept: Sequence[Kept]) -> list[tuple[int, str]]:
        """Keys and identities of what is stored of these resources, locked.

        Where nothing that this transaction locked before guards a resource (its patient was
        unknown), another may have kept a version since `known`: what was decided by it is void.
        """
        wanted = {k.update.identity: k.update.key for k in kept}
        found = await self._session.fetch(_STORED, sorted(wanted.values()))
        stored = {identity: head for identity, head in found if identity in wanted}
        for identity, head in stored.items():
            if wanted[identity] in self._asked and self._heads.get(identity) != head:
                raise Unavailable("database: a resource changed meanwhile")
        return [(wanted[identity], identity) for identity in stored]

    async def replaced_by(
        self, identities: Collection[str], keys: Collection[int]
    ) -> Mapping[str, PatientKey]:
        names = set(identities)
        if keys:
            names |= {name for (name,) in await self._session.fetch(_REPLACED, list(keys))}
        if not names:
            return {}
        found = await self._session.fetch(_OWNERS, [key_of(name) for name in names])
        return {identity: patient for identity, patient in found if identity in names}

    async def records(
        self, patients: Collection[PatientKey], needs: Mapping[str, Need], as_of: datetime
    ) -> Mapping[PatientKey, Record]:
        return await read_records(self._session, patients, needs, as_of)


async def read_records(
    session: Session,
    patients: Collection[PatientKey],
    needs: Mapping[str, Need],
    as_of: datetime,
) -> Mapping[PatientKey, Record]:
    """Concepts that are read whole are marked in their rows: see upkeep.align."""
    keys = sorted(patients)
    people = await session.fetch(_PEOPLE, keys)
    found: list[Row] = [*await session.fetch(_WHOLE, keys)]
    since = cutoffs(needs, as_of)
    if since:
        found += await session.window(keys, since, rows.micros(as_of))
    readings: defaultdict[PatientKey, list[AnyReading]] = defaultdict(list)
    for patient, body in found:
        readings[patient].append(rows.decode_reading(body))
    reasons = await _incomplete(session, keys)
    return {
        patient: Record(
            identity,
            tuple(sorted(readings[patient], key=_place)),
            tuple(sorted(reasons[patient])),
        )
        for patient, identity in people
    }


async def whole_concepts(session: Session) -> frozenset[str]:
    """The concepts whose rows are marked to be read whole, held as they are to the end of this
    transaction. The database says so, not the rulebook of this process: another may be newer.
    """
    found = await session.fetch(_MARKED)
    return frozenset(msgspec.msgpack.decode(found[0][0], type=list[str])) if found else frozenset()


def cutoffs(needs: Mapping[str, Need], as_of: datetime) -> list[tuple[str, int]]:
    """The first instant of each window, by concept."""
    return [
        (concept, rows.micros(as_of - timedelta(days=need.days) - _ELSEWHERE))
        for concept, need in needs.items()
        if not need.whole
    ]


async def _incomplete(
    session: Session, keys: Sequence[PatientKey]
) -> defaultdict[PatientKey, set[str]]:
    reasons: defaultdict[PatientKey, set[str]] = defaultdict(set)
    for patient, doubt in await session.fetch(_DOUBTS, keys):
        reasons[patient].update(name for bit, name in rows.DOUBTS.items() if doubt & bit)
    for (patient,) in await session.fetch(_UNREAD, keys):
        reasons[patient].add("unreadable-event")
    return reasons


def _place(reading: AnyReading) -> tuple[int, str, int]:
    return reading.at, reading.reference, reading.part
