"""Opens either store by its URL, and makes what tests keep in it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

from cryovigil.adapters.ports import (
    OutboxEvent,
    PatientKey,
    Record,
    SourcePatient,
    Transaction,
)
from cryovigil.adapters.store.base import BaseStore
from cryovigil.adapters.store.postgres import PostgresStore
from cryovigil.adapters.store.rows import micros
from cryovigil.adapters.store.sqlite import SqliteStore
from cryovigil.adapters.versions import Kept
from cryovigil.lifecycle import CardState
from cryovigil.normalize.readings import AnyReading, Result, Update, Version, When, key_of
from cryovigil.rules.needs import Need

AnyStore: TypeAlias = BaseStore

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
SOURCE = "lab"
ANNA = SourcePatient(SOURCE, "Patient/anna")
BERT = SourcePatient(SOURCE, "Patient/bert")


NEEDS = {
    "cryoglobulin": Need(whole=True),
    "creatinine": Need(whole=False, days=90),
    "c4": Need(whole=False),
}


@asynccontextmanager
async def open_store(url: str) -> AsyncIterator[AnyStore]:
    """A store as `serve` opens it, without the process lock."""
    path = url.removeprefix("sqlite:///")
    store: AnyStore = PostgresStore(url, 5) if path == url else SqliteStore(Path(path))
    await store.open()
    try:
        yield store
    finally:
        await store.close()


def days_ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def result(
    name: str,
    concept: str,
    at: datetime,
    patient: SourcePatient = ANNA,
    **members: Any,
) -> Result:
    """A final, dated result. name: of its Observation."""
    stated = {"status": "final", "when": When(at.date(), at.date(), at), **members}
    return Result(
        concept=concept,
        reference=f"Observation/{name}",
        patient=patient.reference,
        source=patient.source,
        at=micros(at),
        **stated,
    )


def kept(
    name: str,
    readings: tuple[AnyReading, ...] = (),
    patient: PatientKey | None = None,
    *,
    number: int = 1,
    key: int | None = None,
    tie: bool = False,
    **members: Any,
) -> Kept:
    """A version of an Observation to keep, a tombstone where it has no readings."""
    identity = f"{SOURCE}|Observation/{name}"
    update = Update(
        identity=identity,
        key=key_of(identity) if key is None else key,
        version=Version(number, 0, 0),
        feed="t/0",
        patient=readings[0].patient if readings else None,
        readings=readings,
        **members,
    )
    return Kept(update, patient, content=number, tie=tie)


async def keep(store: AnyStore, *resources: Kept) -> None:
    async with store.transaction() as tx:
        await tx.keep(resources, NOW)


async def key_of_patient(store: AnyStore, patient: SourcePatient = ANNA) -> PatientKey:
    """The key of a patient, who is created where missing."""
    async with store.transaction() as tx:
        return (await tx.lock([patient]))[patient].key


def card(rule: str = "hcv-search", **members: Any) -> CardState:
    """An open card."""
    stated: Mapping[str, Any] = {
        "uuid": f"card-{rule}",
        "episode": 1,
        "revision": 1,
        "state": "open",
        "indicator": "warning",
        "criteria": ("c4-low",),
        "missing": (),
        "anchors": ("Observation/1",),
        "card": {"summary": "Look", "extension": {"org.cryovigil.basis": {"asOf": "2026"}}},
        **members,
    }
    return CardState(rule=rule, **stated)


async def owe(
    tx: Transaction, patient: PatientKey, card_uuid: str, revision: int = 1, **members: Any
) -> str:
    """Enqueues an event of a card; its delivery id."""
    stated: Mapping[str, Any] = {
        "kind": "created" if revision == 1 else "updated",
        "body": f"{card_uuid}.{revision}".encode(),
        "created_at": NOW,
        **members,
    }
    event = OutboxEvent(
        delivery_id=f"{card_uuid}.{revision}",
        card_uuid=card_uuid,
        revision=revision,
        patient=patient,
        sequence=await tx.next_sequence(patient),
        **stated,
    )
    await tx.enqueue(event)
    return event.delivery_id


async def record(
    store: AnyStore, patient: PatientKey, needs: Mapping[str, Need] = NEEDS, as_of: datetime = NOW
) -> Record:
    async with store.transaction() as tx:
        return (await tx.records([patient], needs, as_of))[patient]


async def held(store: AnyStore, patient: PatientKey) -> list[str]:
    """Names of the Observations in a record, oldest first."""
    found = await record(store, patient)
    return [reading.reference.removeprefix("Observation/") for reading in found.readings]


async def filled(store: AnyStore, *resources: Kept) -> None:
    """Keeps resources after the needs are told."""
    await store.align(NEEDS)
    await keep(store, *resources)
