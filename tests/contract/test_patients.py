"""Patients, due rows and what the store keeps of itself."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from tests.support.databases import query
from tests.support.open_stores import (
    ANNA,
    BERT,
    NOW,
    AnyStore,
    keep,
    kept,
    key_of_patient,
    open_store,
    result,
)

from cryovigil.errors import Unavailable
from cryovigil.normalize.readings import key_of

# With a single writer there is nothing to pass over, and no deadlock.
ON_POSTGRES = pytest.mark.parametrize(
    "url", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)


class Stop(Exception):
    """Ends a transaction on purpose."""


async def test_a_transaction_that_fails_leaves_nothing(store: AnyStore) -> None:

    async def fail() -> None:
        async with store.transaction() as tx:
            key = (await tx.lock([ANNA]))[ANNA].key
            await tx.keep([kept("1", (result("1", "c4", NOW),), key)], NOW)
            await tx.set_due({key: NOW})
            raise Stop

    with pytest.raises(Stop):
        await fail()
    assert await store.patient(ANNA) is None
    async with store.transaction() as tx:
        assert await tx.known([kept("1").update.key]) == {}
        assert await tx.lock_due(NOW, 10) == ()


async def test_a_patient_keeps_the_key_and_is_known_by_it(store: AnyStore) -> None:
    key = await key_of_patient(store)
    assert await key_of_patient(store) == key
    assert await store.patient(ANNA) == key
    assert await store.patient(BERT) is None


async def test_locked_keys_are_those_that_exist(store: AnyStore) -> None:
    key = await key_of_patient(store)
    async with store.transaction() as tx:
        assert set(await tx.lock_keys([key, key + 1])) == {key}


async def test_patients_are_locked_in_the_order_of_their_keys(store: AnyStore) -> None:
    """Two slices that name the same patients in either order wait for each other, no deadlock."""

    async def slice_of(names: list[str]) -> None:
        for _ in range(5):
            async with store.transaction() as tx:
                await tx.lock([ANNA, BERT] if names[0] == "anna" else [BERT, ANNA])
                await asyncio.sleep(0.002)

    await asyncio.gather(slice_of(["anna"]), slice_of(["bert"]))
    assert await store.patient(ANNA) is not None
    assert await store.patient(BERT) is not None


async def test_a_second_writer_waits_for_a_locked_patient(store: AnyStore) -> None:
    key = await key_of_patient(store)
    order: list[str] = []

    async def second() -> None:
        async with store.transaction() as tx:
            await tx.lock_keys([key])
            order.append("second has it")

    async with store.transaction() as tx:
        await tx.lock_keys([key])
        waiting = asyncio.create_task(second())
        await asyncio.sleep(0.1)
        order.append("first is done")
    await waiting
    assert order == ["first is done", "second has it"]


async def test_concurrent_writers_lose_no_sequence_number(store: AnyStore) -> None:
    key = await key_of_patient(store)

    async def numbers() -> list[int]:
        found = []
        for _ in range(10):
            async with store.transaction() as tx:
                await tx.lock_keys([key])
                found.append(await tx.next_sequence(key))
        return found

    first, second = await asyncio.gather(numbers(), numbers())
    assert sorted(first + second) == list(range(1, 21))
    assert first == sorted(first)


async def test_only_an_anchor_marks_a_patient_anchored(store: AnyStore) -> None:
    key = await key_of_patient(store)
    await keep(store, kept("1", (result("1", "creatinine", NOW),), key))
    async with store.transaction() as tx:
        assert not (await tx.lock_keys([key]))[key].anchored
        await tx.keep([kept("2", (result("2", "c4", NOW),), key, anchor=True)], NOW)
        assert (await tx.lock_keys([key]))[key].anchored


async def test_a_patient_is_due_from_the_instant_on(store: AnyStore) -> None:
    key = await key_of_patient(store)
    async with store.transaction() as tx:
        await tx.set_due({key: NOW})
    async with store.transaction() as tx:
        assert await tx.lock_due(NOW - timedelta(microseconds=1), 10) == ()
        assert await tx.lock_due(NOW, 10) == (key,)


async def test_a_later_due_time_replaces_the_earlier_and_none_removes_it(store: AnyStore) -> None:
    key = await key_of_patient(store)
    async with store.transaction() as tx:
        await tx.set_due({key: NOW})
        await tx.set_due({key: NOW + timedelta(days=1)})
        assert await tx.lock_due(NOW, 10) == ()
        await tx.set_due({key: None})
        assert await tx.lock_due(NOW + timedelta(days=2), 10) == ()


async def test_due_patients_come_oldest_first_and_no_more_than_asked(store: AnyStore) -> None:
    anna, bert = await key_of_patient(store), await key_of_patient(store, BERT)
    async with store.transaction() as tx:
        await tx.set_due({anna: NOW, bert: NOW - timedelta(days=1)})
    async with store.transaction() as tx:
        assert await tx.lock_due(NOW, 1) == (bert,)


@ON_POSTGRES
async def test_due_patients_that_another_holds_are_passed_over(url: str) -> None:
    async with open_store(url) as one, open_store(url) as other:
        anna, bert = await key_of_patient(one), await key_of_patient(one, BERT)
        async with one.transaction() as tx:
            await tx.set_due({anna: NOW, bert: NOW})
        async with one.transaction() as tx:
            await tx.lock_keys([anna])
            async with other.transaction() as passing:
                assert await passing.lock_due(NOW, 10) == (bert,)


async def test_the_secret_is_made_once(url: str) -> None:
    async with open_store(url) as store:
        made = await store.secret()
    async with open_store(url) as store:
        assert await store.secret() == made
    assert len(made) == 32


async def test_two_sites_have_different_secrets(store: AnyStore, url: str) -> None:
    made = await store.secret()
    await query(url, "DELETE FROM meta")
    assert await store.secret() != made


async def test_reopening_finds_everything(url: str) -> None:
    async with open_store(url) as store:
        key = await key_of_patient(store)
        await keep(store, kept("1", (result("1", "c4", NOW),), key, number=3))
    async with open_store(url) as store:
        assert await store.ready()
        async with store.transaction() as tx:
            known = await tx.known([kept("1").update.key])
    assert known["lab|Observation/1"].head.version.number == 3
    assert known["lab|Observation/1"].patient == key


async def test_a_store_of_another_revision_is_not_ready(store: AnyStore, url: str) -> None:
    assert await store.ready()
    await query(url, "UPDATE alembic_version SET version_num = '0000'")
    assert not await store.ready()


async def test_a_closed_store_is_unavailable_and_not_ready(url: str) -> None:
    async with open_store(url) as store:
        pass
    assert not await store.ready()
    with pytest.raises(Unavailable):
        await key_of_patient(store)


@ON_POSTGRES
async def test_a_deadlock_is_an_outage_of_one_and_the_other_goes_on(url: str) -> None:
    async with open_store(url) as store:
        anna, bert = await key_of_patient(store), await key_of_patient(store, BERT)
        both_hold = asyncio.Barrier(2)

        async def lock_one_by_one(keys: list[int]) -> None:
            async with store.transaction() as tx:
                await tx.lock_keys(keys[:1])
                await both_hold.wait()
                await tx.lock_keys(keys[1:])

        ends = await asyncio.gather(
            lock_one_by_one([anna, bert]), lock_one_by_one([bert, anna]), return_exceptions=True
        )
    assert sorted(str(end) for end in ends) == ["None", "database: 40P01"]
    assert any(isinstance(end, Unavailable) for end in ends)


@ON_POSTGRES
async def test_a_lost_connection_is_an_outage_and_the_next_transaction_works(url: str) -> None:
    end_all = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()"""

    async def interrupted(store: AnyStore) -> None:
        async with store.transaction() as tx:
            await tx.lock([ANNA])
            await query(url, end_all)
            await tx.lock([BERT])

    async with open_store(url) as store:
        with pytest.raises(Unavailable):
            await interrupted(store)
        assert await store.patient(ANNA) is None
        assert await key_of_patient(store) == key_of(ANNA.identity)


async def test_two_patients_with_one_key_are_never_mixed(store: AnyStore, url: str) -> None:
    """The row of another patient stands where Anna's belongs, as after a collision of hashes."""
    await key_of_patient(store)
    await query(url, "UPDATE source_patient SET reference = 'Patient/other'")
    assert await store.patient(ANNA) is None
    with pytest.raises(RuntimeError, match="share an 8-byte key"):
        await key_of_patient(store)
