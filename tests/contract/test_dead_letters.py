"""Dead letters as kept: a record once, and whose data they make incomplete."""

from __future__ import annotations

import json

import pytest
from tests.support.databases import query
from tests.support.desk import Desk, journey
from tests.support.open_stores import ANNA, NOW, AnyStore, filled, kept, key_of_patient, result

from cryovigil.adapters.letters import ANONYMOUS
from cryovigil.adapters.ports import DeadLetter
from cryovigil.normalize.readings import Update

CRYOGLOBULIN = {"coding": [{"system": "http://loinc.org", "code": "5117-7"}]}


def bundle(bad_entries: int) -> bytes:
    """A transaction of results whose patient nobody can tell."""
    entries = [
        {
            "resource": {
                "resourceType": "Observation",
                "id": f"o{number}",
                "status": "final",
                "code": CRYOGLOBULIN,
            }
        }
        for number in range(bad_entries)
    ]
    return json.dumps({"resourceType": "Bundle", "type": "transaction", "entry": entries}).encode()


async def written_off(store: AnyStore, value: bytes) -> list[DeadLetter]:
    desk = await Desk.at(store, journey())
    read = [*desk.casework.read(value, b"key", (("h", b"v"),), "t", 0, 7)]
    letters = [letter for letter in read if isinstance(letter, DeadLetter)]
    async with store.transaction() as tx:
        await desk.casework.handle(tx, [], letters, NOW)
    return letters


async def test_a_record_is_kept_once_however_many_of_its_entries_are_bad(
    store: AnyStore, url: str
) -> None:
    value = bundle(3)
    await written_off(store, value)
    found = await query(url, "SELECT part, key, value FROM dead_letter ORDER BY id")
    assert found == [(0, b"key", value), (1, None, None), (2, None, None)]


async def test_the_entries_of_a_record_beyond_its_letters_are_counted(store: AnyStore) -> None:
    await written_off(store, bundle(ANONYMOUS + 5))
    listed = await store.list_dead_letters()
    assert len(listed) == ANONYMOUS + 1
    assert {(row.topic, row.partition, row.offset) for row in listed} == {("t", 0, 7)}
    assert (listed[-1].reason, listed[-1].entries) == ("more-unreadable", 5)
    assert sum(row.entries for row in listed) == ANONYMOUS + 5


async def test_a_letter_without_patient_belongs_to_the_owner_of_what_is_stored(
    store: AnyStore,
) -> None:
    key = await key_of_patient(store)
    await filled(store, kept("1", (result("1", "c4", NOW),), key, anchor=True))
    desk = await Desk.at(store, journey())
    letter = DeadLetter(
        topic="t",
        partition=0,
        offset=1,
        reason="bad-structure",
        key=None,
        value=b"{}",
        resource="lab|Observation/1",
        at=NOW,
    )
    async with store.transaction() as tx:
        await desk.casework.handle(tx, [], [letter], NOW)
    found, _ = await store.snapshot(key, {}, NOW)
    assert (found.identity, found.incomplete) == (ANNA.identity, ("unreadable-event",))


def observation(offset: int, **members: object) -> tuple[bytes, int]:
    """A version of one result, and where it stands in its partition."""
    body = {
        "resourceType": "Observation",
        "id": "o",
        "status": "final",
        "code": CRYOGLOBULIN,
        "effectiveDateTime": "2026-01-01",
        "valueString": "positive",
        **members,
    }
    return json.dumps(body).encode(), offset


@pytest.mark.parametrize("slices", [1, 2])
@pytest.mark.parametrize(("good", "bad", "harmed"), [(1, 2, 1), (2, 1, 0)])
async def test_a_later_version_that_cannot_be_read_harms_the_patient_however_slices_are_cut(
    store: AnyStore, url: str, slices: int, good: int, bad: int, harmed: int
) -> None:
    desk = await Desk.at(store, journey())
    whole = observation(good, subject={"reference": "Patient/anna"})
    records = sorted([whole, observation(bad)], key=lambda record: record[1])
    for cut in [records] if slices == 1 else [[record] for record in records]:
        read = [r for value, at in cut for r in desk.casework.read(value, None, (), "t", 0, at)]
        letters = [r for r in read if isinstance(r, DeadLetter)]
        updates = [r for r in read if isinstance(r, Update)]
        async with store.transaction() as tx:
            await desk.casework.handle(tx, updates, letters, NOW)
    marked = await query(url, "SELECT count(*) FROM dead_letter WHERE patient_key IS NOT NULL")
    assert marked == [(harmed,)]
