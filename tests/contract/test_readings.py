"""Resources: what is known of them, kept, and moved."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from tests.support.open_stores import (
    BERT,
    NEEDS,
    NOW,
    AnyStore,
    days_ago,
    filled,
    held,
    keep,
    kept,
    key_of_patient,
    open_store,
    record,
    result,
)

from cryovigil.adapters.store.upkeep import TOMBSTONE_DAYS
from cryovigil.adapters.versions import Tied
from cryovigil.errors import Unavailable
from cryovigil.normalize.readings import AnyReading, Finding, Person, Treatment, Version, key_of
from cryovigil.rules.needs import Need


async def test_what_is_stored_is_known_by_its_key(store: AnyStore) -> None:
    key = await key_of_patient(store)
    stored = kept("1", (result("1", "c4", NOW),), key, number=7)
    await keep(store, stored)
    async with store.transaction() as tx:
        known = await tx.known([stored.update.key, key_of("lab|Observation/2")])
    assert set(known) == {"lab|Observation/1"}
    head = known["lab|Observation/1"].head
    assert (head.identity, head.feed, head.patient) == ("lab|Observation/1", "t/0", "Patient/anna")
    assert (head.version, head.content) == (Version(7, 0, 0), 7)
    assert (head.gone, head.deletion) == (False, False)
    assert known["lab|Observation/1"].patient == key


async def test_thousands_of_keys_are_asked_for_at_once(store: AnyStore) -> None:
    key = await key_of_patient(store)
    await keep(store, *(kept(str(n), (result(str(n), "c4", NOW),), key) for n in range(20)))
    async with store.transaction() as tx:
        known = await tx.known([key_of(f"lab|Observation/{n}") for n in range(5000)])
    assert len(known) == 20


async def test_a_colliding_key_is_told_apart_by_the_identity(store: AnyStore) -> None:
    anna, bert = await key_of_patient(store), await key_of_patient(store, BERT)
    await keep(
        store,
        kept("1", (result("1", "c4", NOW),), anna, key=5),
        kept("2", (result("2", "c4", NOW, BERT),), bert, key=5),
    )
    await keep(store, kept("2", (result("2", "c4", NOW, BERT),), bert, key=5, number=2))
    async with store.transaction() as tx:
        known = await tx.known([5])
    numbers = {identity: entry.head.version.number for identity, entry in known.items()}
    assert numbers == {"lab|Observation/1": 1, "lab|Observation/2": 2}
    assert known["lab|Observation/1"].patient == anna
    assert known["lab|Observation/2"].patient == bert


async def test_a_tombstone_is_known_and_gives_no_reading(store: AnyStore) -> None:
    key = await key_of_patient(store)
    await filled(store, kept("1", (result("1", "cryoglobulin", NOW),), key))
    await keep(store, kept("1", number=2, deletion=True))
    async with store.transaction() as tx:
        known = (await tx.known([key_of("lab|Observation/1")]))["lab|Observation/1"]
    assert (known.head.gone, known.head.deletion, known.patient) == (True, True, None)
    assert await held(store, key) == []


async def test_a_new_version_replaces_every_part(store: AnyStore) -> None:
    key = await key_of_patient(store)
    parts = tuple(result("1", "cryoglobulin", NOW, part=part) for part in range(3))
    await filled(store, kept("1", parts, key))
    assert await held(store, key) == ["1", "1", "1"]
    corrected = result("1", "cryoglobulin", NOW, part=1, value=2.5)
    await keep(store, kept("1", (corrected,), key, number=2))
    assert (await record(store, key)).readings == (corrected,)


async def test_a_correction_may_move_a_result_to_another_patient(store: AnyStore) -> None:
    anna, bert = await key_of_patient(store), await key_of_patient(store, BERT)
    await filled(store, kept("1", (result("1", "cryoglobulin", NOW),), anna))
    moved = (result("1", "cryoglobulin", NOW, BERT),)
    await keep(store, kept("1", moved, bert, number=2))
    assert await held(store, anna) == []
    assert await held(store, bert) == ["1"]


async def test_readings_come_back_as_they_were_kept(store: AnyStore) -> None:
    """Every kind, sorted by place in time, then reference."""
    key = await key_of_patient(store)
    needs = {name: Need(whole=True) for name in ("patient", "purpura", "daa", "c4")}
    await store.align(needs)
    first = result("1", "c4", days_ago(3), value=0.05, unit="g/L", flag="L", shown="5 mg/dL")
    finding = Finding(
        concept="purpura",
        reference="Condition/1",
        patient="Patient/anna",
        source="lab",
        at=1,
        abated=True,
    )
    treatment = Treatment(
        concept="daa",
        reference="MedicationRequest/1",
        patient="Patient/anna",
        source="lab",
        form="order",
        at=2,
    )
    person = Person(
        concept="patient",
        reference="Patient/anna",
        patient="Patient/anna",
        source="lab",
        withheld="opted-out",
    )
    readings: tuple[AnyReading, ...] = (first, treatment, person, finding)
    for place, reading in enumerate(readings):
        await keep(store, kept(str(place), (reading,), key))
    found = await record(store, key, needs)
    assert found.readings == (person, finding, treatment, first)


async def test_a_reading_comes_once_while_two_rulebooks_are_at_work(store: AnyStore) -> None:
    """An older process reads within a window what a newer one has marked to be read whole."""
    key = await key_of_patient(store)
    await store.align({"c4": Need(whole=True)})
    await keep(store, kept("1", (result("1", "c4", NOW),), key))
    assert await held(store, key) == ["1"]


async def test_a_resource_that_changed_since_it_was_looked_up_is_not_overwritten(
    url: str,
) -> None:
    """Nothing locks a tombstone without patient: what was decided by its head is void."""
    if url.startswith("sqlite"):
        return await _one_writer_at_a_time(url)
    tombstone = kept("1", number=2, deletion=True)
    async with open_store(url) as one, open_store(url) as other:

        async def slow() -> None:
            async with one.transaction() as tx:
                assert await tx.known([tombstone.update.key]) == {}
                await keep(other, tombstone)
                await tx.keep([kept("1")], NOW)

        with pytest.raises(Unavailable):
            await slow()
        async with one.transaction() as tx:
            known = await tx.known([tombstone.update.key])
    assert known["lab|Observation/1"].head.version.number == 2
    return None


async def _one_writer_at_a_time(url: str) -> None:
    async with open_store(url) as store:
        order: list[str] = []

        async def second() -> None:
            async with store.transaction():
                order.append("second")

        async with store.transaction():
            waiting = asyncio.create_task(second())
            await asyncio.sleep(0.05)
            order.append("first")
        await waiting
        assert order == ["first", "second"]


ROLLING = Need(whole=True)
WINDOWED = Need(whole=False, days=90)


async def test_what_an_older_process_keeps_is_seen_by_a_newer_one(url: str) -> None:
    """A rolling deploy: the newer rulebook reads whole what the older one reads in a window."""
    async with open_store(url) as old, open_store(url) as new:
        await old.align({"c4": WINDOWED})
        key = await key_of_patient(old)
        await keep(old, kept("before", (result("before", "c4", days_ago(900)),), key))
        await new.align({"c4": ROLLING})
        await keep(old, kept("after", (result("after", "c4", days_ago(800)),), key))
        found, _ = await new.snapshot(key, {"c4": ROLLING}, NOW)
    names = [reading.reference for reading in found.readings]
    assert names == ["Observation/before", "Observation/after"]


async def test_a_newer_process_takes_no_reading_from_an_older_one(url: str) -> None:
    """The other way around: the newer rulebook asks for less of it, or not at all."""
    async with open_store(url) as old, open_store(url) as new:
        await old.align({"c4": ROLLING})
        key = await key_of_patient(old)
        await keep(old, kept("before", (result("before", "c4", days_ago(900)),), key))
        await new.align({})
        await keep(new, kept("after", (result("after", "c4", days_ago(800)),), key))
        found, _ = await old.snapshot(key, {"c4": ROLLING}, NOW)
    names = [reading.reference for reading in found.readings]
    assert names == ["Observation/before", "Observation/after"]


@pytest.mark.parametrize("gone", [True, False])
async def test_a_tie_is_marked_on_what_stays(store: AnyStore, gone: bool) -> None:
    """A tombstone that names nobody is given the patient of what came, anything else keeps its."""
    anna, bert = await key_of_patient(store), await key_of_patient(store, BERT)
    owner = bert if gone else anna
    stored = kept("1") if gone else kept("1", (result("1", "c4", NOW),), anna)
    await filled(store, stored)
    async with store.transaction() as tx:
        known = (await tx.known([stored.update.key]))["lab|Observation/1"]
        assert not known.tie
        await tx.keep([], NOW, [Tied(stored.update.key, "lab|Observation/1", bert)])
        known = (await tx.known([stored.update.key]))["lab|Observation/1"]
    assert (known.tie, known.patient) == (True, owner)
    assert (await record(store, owner)).incomplete == ("version-tie",)


async def test_a_tombstone_is_purged_after_its_time_and_not_before(store: AnyStore) -> None:
    day = timedelta(days=1)
    key = await key_of_patient(store)
    await filled(store, kept("1"), kept("doubtful", patient=key, tie=True))
    assert await store.purge(NEEDS, NOW + TOMBSTONE_DAYS * day) == 0
    assert await store.purge(NEEDS, NOW + TOMBSTONE_DAYS * day + day) == 1
    async with store.transaction() as tx:
        known = await tx.known([key_of("lab|Observation/1"), key_of("lab|Observation/doubtful")])
    assert set(known) == {"lab|Observation/doubtful"}
