"""What the rules are given of a patient: needs, replaced results, doubts, purging."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from msgspec.structs import replace
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
    record,
    result,
)

from cryovigil.adapters.ports import DeadLetter, DeadLetterRow
from cryovigil.normalize.readings import UNRESOLVED, Treatment, key_of
from cryovigil.rules.needs import Need

SECOND = timedelta(seconds=1)
# A window begins a day earlier than it says: calendar days begin elsewhere up to 14 hours earlier.
WINDOW_START = days_ago(91)


async def test_a_record_names_its_patient(store: AnyStore) -> None:
    anna, bert = await key_of_patient(store), await key_of_patient(store, BERT)
    async with store.transaction() as tx:
        records = await tx.records([anna, bert], NEEDS, NOW)
    assert {key: record.identity for key, record in records.items()} == {
        anna: "lab|Patient/anna",
        bert: "lab|Patient/bert",
    }
    assert records[anna].readings == ()


async def test_a_whole_concept_is_read_however_old(store: AnyStore) -> None:
    key = await key_of_patient(store)
    readings = (days_ago(9000), days_ago(1), NOW)
    await filled(
        store,
        *(
            kept(str(n), (result(str(n), "cryoglobulin", at),), key)
            for n, at in enumerate(readings)
        ),
    )
    assert await held(store, key) == ["0", "1", "2"]


async def test_a_window_is_read_from_its_first_instant(store: AnyStore) -> None:
    key = await key_of_patient(store)
    await filled(
        store,
        kept("out", (result("out", "creatinine", WINDOW_START - SECOND),), key),
        kept("in", (result("in", "creatinine", WINDOW_START),), key),
        kept("now", (result("now", "creatinine", NOW),), key),
    )
    assert await held(store, key) == ["in", "now"]


async def test_the_latest_is_read_however_old(store: AnyStore) -> None:
    key = await key_of_patient(store)
    await filled(
        store,
        kept("older", (result("older", "creatinine", days_ago(4001)),), key),
        kept("old", (result("old", "creatinine", days_ago(4000)),), key),
    )
    assert await held(store, key) == ["old"]


async def test_results_of_the_same_latest_instant_are_all_read(store: AnyStore) -> None:
    key = await key_of_patient(store)
    await filled(
        store, *(kept(name, (result(name, "c4", days_ago(400)),), key) for name in ("a", "b"))
    )
    assert await held(store, key) == ["a", "b"]


async def test_what_lies_ahead_is_read_beside_the_latest_before_it(store: AnyStore) -> None:
    key = await key_of_patient(store)
    await filled(
        store,
        kept("old", (result("old", "c4", days_ago(400)),), key),
        kept("ahead", (result("ahead", "c4", NOW + timedelta(days=30)),), key),
    )
    assert await held(store, key) == ["old", "ahead"]


async def test_a_preliminary_latest_comes_with_the_latest_that_counts(store: AnyStore) -> None:
    key = await key_of_patient(store)
    await filled(
        store,
        kept("older", (result("older", "c4", days_ago(403)),), key),
        kept("counts", (result("counts", "c4", days_ago(402)),), key),
        kept("between", (result("between", "c4", days_ago(401), status="preliminary"),), key),
        kept("latest", (result("latest", "c4", days_ago(400), status="preliminary"),), key),
    )
    assert await held(store, key) == ["counts", "latest"]


async def test_a_failed_specimen_comes_with_the_latest_that_can_be_read(store: AnyStore) -> None:
    key = await key_of_patient(store)
    hemolyzed = replace(result("latest", "c4", days_ago(400)), word="invalid")
    unread = replace(result("unread", "c4", days_ago(500)), problem="word-unknown")
    await filled(
        store,
        kept("read", (replace(result("read", "c4", days_ago(600)), value=0.04),), key),
        kept("unread", (unread,), key),
        kept("latest", (hemolyzed,), key),
    )
    assert await held(store, key) == ["read", "latest"]


async def test_a_concept_that_no_rule_reads_stays_out(store: AnyStore) -> None:
    key = await key_of_patient(store)
    await filled(store, kept("1", (result("1", "glucose", NOW),), key))
    assert await held(store, key) == []


async def test_a_rulebook_that_reads_more_finds_the_rows_that_were_stored_before(
    store: AnyStore,
) -> None:
    """One that reads less afterwards is given no less: another may still read all of it."""
    key = await key_of_patient(store)
    old, latest = (result(name, "ggt", days_ago(d)) for name, d in (("o", 900), ("l", 800)))
    await filled(store, kept("o", (old,), key), kept("l", (latest,), key))
    whole = {"ggt": Need(whole=True)}
    await store.align(whole)
    assert (await record(store, key, whole)).readings == (old, latest)
    narrow = {"ggt": Need(whole=False)}
    await store.align(narrow)
    assert (await record(store, key, narrow)).readings == (old, latest)


@pytest.mark.parametrize("concept", ["cryoglobulin", "creatinine", "c4"])
async def test_a_replaced_result_is_left_out_until_its_successor_falls(
    store: AnyStore, concept: str
) -> None:
    key = await key_of_patient(store)
    new = kept("new", (result("new", concept, NOW),), key, replaces=("lab|Observation/old",))
    await filled(store, kept("old", (result("old", concept, days_ago(2)),), key), new)
    assert await held(store, key) == ["new"]
    await keep(store, kept("new", number=2))
    assert await held(store, key) == ["old"]


async def test_a_result_that_comes_after_its_successor_stays_out(store: AnyStore) -> None:
    key = await key_of_patient(store)
    new = (result("new", "cryoglobulin", NOW),)
    await filled(store, kept("new", new, key, replaces=("lab|Observation/old",)))
    await keep(store, kept("old", (result("old", "cryoglobulin", days_ago(2)),), key))
    assert await held(store, key) == ["new"]


async def test_a_preliminary_successor_replaces_nothing(store: AnyStore) -> None:
    key = await key_of_patient(store)
    new = (result("new", "cryoglobulin", NOW, status="preliminary"),)
    old = kept("old", (result("old", "cryoglobulin", days_ago(2)),), key)
    await filled(store, old, kept("new", new, key, replaces=("lab|Observation/old",)))
    assert await held(store, key) == ["old", "new"]


async def test_the_latest_that_stands_is_found_behind_a_replaced_one(store: AnyStore) -> None:
    key = await key_of_patient(store)
    moved = (result("moved", "cryoglobulin", NOW),)
    await filled(
        store,
        kept("first", (result("first", "c4", days_ago(402)),), key),
        kept("second", (result("second", "c4", days_ago(401)),), key),
        kept("moved", moved, key, replaces=("lab|Observation/second",)),
    )
    assert await held(store, key) == ["first", "moved"]


async def test_the_owner_of_a_replaced_result_is_told(store: AnyStore) -> None:
    key = await key_of_patient(store)
    await keep(store, kept("1", (result("1", "c4", NOW),), key), kept("2"))
    names = {"lab|Observation/1", "lab|Observation/2", "lab|Observation/3"}
    async with store.transaction() as tx:
        assert await tx.replaced_by(names, ()) == {"lab|Observation/1": key}


async def test_the_owner_of_what_a_stored_result_replaces_is_told(store: AnyStore) -> None:
    key = await key_of_patient(store)
    new = (result("2", "c4", NOW),)
    second = kept("2", new, key, replaces=("lab|Observation/1",))
    await filled(store, kept("1", (result("1", "c4", NOW),), key), second)
    async with store.transaction() as tx:
        assert await tx.replaced_by((), {second.update.key}) == {"lab|Observation/1": key}
        assert await tx.replaced_by((), {key_of("lab|Observation/1")}) == {}


async def test_a_tie_makes_the_record_incomplete_until_a_newer_version(store: AnyStore) -> None:
    key = await key_of_patient(store)
    reading = (result("1", "creatinine", days_ago(4000)),)
    await filled(store, kept("1", reading, key, tie=True))
    assert (await record(store, key)).incomplete == ("version-tie",)
    await keep(store, kept("1", reading, key, number=2))
    assert (await record(store, key)).incomplete == ()


async def test_an_undated_result_makes_the_record_incomplete_outside_any_window(
    store: AnyStore,
) -> None:
    key = await key_of_patient(store)
    undated = replace(result("1", "glucose", NOW), when=None, at=0)
    await filled(store, kept("1", (undated,), key))
    assert (await record(store, key)).incomplete == ("undated-result",)
    await keep(store, kept("1", (replace(undated, status="preliminary"),), key, number=2))
    assert (await record(store, key)).incomplete == ()


async def test_a_drug_out_of_reach_makes_the_record_incomplete_until_it_is_named(
    store: AnyStore,
) -> None:
    key = await key_of_patient(store)
    order = Treatment(
        concept=UNRESOLVED,
        reference="MedicationRequest/1",
        patient="Patient/anna",
        source="lab",
        form="request",
    )
    await filled(store, kept("1", (order,), key))
    assert (await record(store, key)).incomplete == ("unresolved-medication",)
    await keep(store, kept("1", (replace(order, concept="rituximab"),), key, number=2))
    assert (await record(store, key)).incomplete == ()


async def test_a_dead_letter_is_listed_and_makes_its_patient_incomplete(store: AnyStore) -> None:
    anna, bert = await key_of_patient(store), await key_of_patient(store, BERT)
    letter = DeadLetter(
        topic="t",
        partition=1,
        offset=9,
        reason="not-json",
        key=b"k",
        value=b"\x00{",
        headers=(("h", b"v"),),
        patient=anna,
        at=NOW,
    )
    async with store.transaction() as tx:
        await tx.add_dead_letters([letter, replace(letter, offset=10, patient=None, value=None)])
    assert (await record(store, anna)).incomplete == ("unreadable-event",)
    assert (await record(store, bert)).incomplete == ()
    assert await store.list_dead_letters() == [
        DeadLetterRow("t", 1, 9, "not-json", NOW),
        DeadLetterRow("t", 1, 10, "not-json", NOW),
    ]


async def test_a_snapshot_is_what_a_transaction_reads(store: AnyStore) -> None:
    key = await key_of_patient(store)
    await filled(store, kept("1", (result("1", "cryoglobulin", NOW),), key))
    found, cards = await store.snapshot(key, NEEDS, NOW)
    assert found == await record(store, key)
    assert cards == ()


async def test_readers_do_not_wait_for_a_writer(store: AnyStore) -> None:
    key = await key_of_patient(store)
    async with store.transaction() as tx:
        await tx.lock_keys([key])
        await tx.keep([kept("1", (result("1", "c4", NOW),), key)], NOW)
        async with asyncio.timeout(5):
            found, _ = await store.snapshot(key, NEEDS, NOW)
        assert found.readings == ()


async def test_purging_keeps_windows_whole_concepts_and_the_latest(store: AnyStore) -> None:
    key = await key_of_patient(store)
    await filled(
        store,
        kept("whole", (result("whole", "cryoglobulin", days_ago(9000)),), key),
        kept("unread", (result("unread", "glucose", days_ago(9000)),), key),
        kept("gone", (result("gone", "creatinine", WINDOW_START - SECOND),), key),
        kept("stays", (result("stays", "creatinine", WINDOW_START),), key),
        kept("old", (result("old", "c4", days_ago(402)),), key),
        kept("latest", (result("latest", "c4", days_ago(401)),), key),
        kept("preliminary", (result("preliminary", "c4", days_ago(400), status="x"),), key),
    )
    before = await record(store, key)
    assert await store.purge(NEEDS, NOW) == 2
    async with store.transaction() as tx:
        names = ("whole", "unread", "gone", "stays", "old", "latest", "preliminary")
        known = await tx.known([kept(name).update.key for name in names])
    left = {identity.removeprefix("lab|Observation/") for identity in known}
    assert left == {"whole", "unread", "stays", "latest", "preliminary"}
    assert await record(store, key) == before
    assert await store.purge(NEEDS, NOW) == 0
