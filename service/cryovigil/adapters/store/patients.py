"""Patients: created, locked, numbered, and asked again when their time comes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from cryovigil.adapters.ports import PatientKey, PatientRow, SourcePatient
from cryovigil.adapters.store import rows
from cryovigil.adapters.store.session import Session
from cryovigil.normalize.readings import key_of

_NAMED = """SELECT source_key, source, reference, patient_key FROM source_patient
    WHERE source_key = ANY($1::bigint[])"""
_CREATE = "INSERT INTO patient (patient_key, identity) VALUES ($1, $2) ON CONFLICT DO NOTHING"
_NAME = """INSERT INTO source_patient (source_key, source, reference, patient_key)
    VALUES ($1, $2, $3, $1) ON CONFLICT DO NOTHING"""
_LOCK = """SELECT patient_key, anchored FROM patient WHERE patient_key = ANY($1::bigint[])
    ORDER BY patient_key FOR UPDATE"""
_NUMBER = """UPDATE patient SET next_seq = next_seq + 1 WHERE patient_key = $1
    RETURNING next_seq"""
_DUE = """INSERT INTO due (patient_key, at) VALUES ($1, $2)
    ON CONFLICT (patient_key) DO UPDATE SET at = excluded.at"""
_NOT_DUE = "DELETE FROM due WHERE patient_key = ANY($1::bigint[])"
_LOCK_DUE = """SELECT patient.patient_key FROM due
    JOIN patient ON patient.patient_key = due.patient_key
    WHERE due.at <= $1 ORDER BY due.at, due.patient_key LIMIT $2
    FOR UPDATE OF patient SKIP LOCKED"""


class Patients:
    """The part of a transaction that holds patients."""

    _session: Session

    async def lock(
        self, patients: Collection[SourcePatient], keys: Collection[PatientKey] = ()
    ) -> Mapping[SourcePatient, PatientRow]:
        asked = {key_of(patient.identity): patient for patient in patients}
        named = await self._named(asked)
        missing = sorted(asked.keys() - named.keys())
        if missing:
            await self._session.many(_CREATE, [(key, asked[key].identity) for key in missing])
            names = [(key, asked[key].source, asked[key].reference) for key in missing]
            await self._session.many(_NAME, names)
            named |= await self._named({key: asked[key] for key in missing})
        locked = await self.lock_keys({*named.values(), *keys})
        return {patient: locked[named[key]] for key, patient in asked.items()}

    async def _named(self, keys: Mapping[int, SourcePatient]) -> dict[int, PatientKey]:
        if not keys:
            return {}
        found = await self._session.fetch(_NAMED, sorted(keys))
        for key, source, reference, _ in found:
            if keys[key] != SourcePatient(source, reference):
                raise RuntimeError("two patients share an 8-byte key: neither can be kept")
        return {key: patient for key, _, _, patient in found}

    async def lock_keys(self, keys: Collection[PatientKey]) -> Mapping[PatientKey, PatientRow]:
        if not keys:
            return {}
        found = await self._session.fetch(_LOCK, sorted(keys))
        return {key: PatientRow(key, bool(anchored)) for key, anchored in found}

    async def next_sequence(self, patient: PatientKey) -> int:
        found = await self._session.fetch(_NUMBER, patient)
        return int(found[0][0])

    async def set_due(self, due: Mapping[PatientKey, datetime | None]) -> None:
        await set_due(self._session, due)

    async def lock_due(self, now: datetime, limit: int) -> tuple[PatientKey, ...]:
        found = await self._session.fetch(_LOCK_DUE, rows.micros(now), limit)
        keys = [key for (key,) in found]
        # Whoever is asked says anew when to be asked again: nobody is left due for ever.
        await self._session.execute(_NOT_DUE, keys)
        return tuple(keys)


async def set_due(session: Session, due: Mapping[PatientKey, datetime | None]) -> None:
    """When each patient must be asked again; None: not at all."""
    coming = [(key, rows.micros(at)) for key, at in sorted(due.items()) if at is not None]
    if coming:
        await session.many(_DUE, coming)
    never = sorted(key for key, at in due.items() if at is None)
    if never:
        await session.execute(_NOT_DUE, never)
