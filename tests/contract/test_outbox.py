"""Events to the EHR: in order per patient, leased, superseded, expired."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from tests.support.open_stores import (
    BERT,
    NOW,
    AnyStore,
    card,
    key_of_patient,
    owe,
)

from cryovigil.adapters.ports import Delivery
from cryovigil.outbox import Superseded

LEASE_S = 60.0
LATER = NOW + timedelta(seconds=1)
LEASE_OVER = NOW + timedelta(seconds=LEASE_S)


async def claim(store: AnyStore, now: datetime = NOW) -> list[Delivery]:
    return await store.claim_deliveries(now, 10, LEASE_S)


async def owed(store: AnyStore, *cards: str) -> int:
    """A patient who is owed the opening of each card, in order."""
    key = await key_of_patient(store)
    async with store.transaction() as tx:
        for name in cards:
            await owe(tx, key, name)
    return key


def names(deliveries: list[Delivery]) -> list[str]:
    return [delivery.delivery_id for delivery in deliveries]


async def test_a_delivery_holds_what_was_enqueued(store: AnyStore) -> None:
    key = await owed(store, "a")
    (found,) = await claim(store)
    assert (found.delivery_id, found.patient, found.body) == ("a.1", key, b"a.1")
    assert (found.attempts, found.created_at, found.event_at) == (1, NOW, None)


async def test_the_next_event_of_a_patient_waits_for_the_one_before(store: AnyStore) -> None:
    await owed(store, "a", "b")
    (first,) = await claim(store)
    assert first.delivery_id == "a.1"
    assert await claim(store) == []
    assert await store.finish_delivery(first, "delivered", "200", None)
    assert names(await claim(store)) == ["b.1"]


async def test_patients_do_not_wait_for_each_other(store: AnyStore) -> None:
    await owed(store, "a")
    bert = await key_of_patient(store, BERT)
    async with store.transaction() as tx:
        await owe(tx, bert, "b")
    assert sorted(names(await claim(store))) == ["a.1", "b.1"]


async def test_a_retry_waits_for_its_time_and_holds_the_later_events(store: AnyStore) -> None:
    await owed(store, "a", "b")
    (first,) = await claim(store)
    assert await store.finish_delivery(first, "retry", "503", LATER)
    assert await claim(store, LATER - timedelta(microseconds=1)) == []
    (again,) = await claim(store, LATER)
    assert (again.delivery_id, again.attempts, again.body) == ("a.1", 2, b"a.1")


async def test_a_parked_event_never_blocks_the_later_ones(store: AnyStore) -> None:
    await owed(store, "a", "b")
    (first,) = await claim(store)
    assert await store.finish_delivery(first, "parked", "400", None)
    assert names(await claim(store)) == ["b.1"]
    assert await store.outbox_pending() == 1


async def test_a_lease_ends_and_another_courier_sends_the_same(store: AnyStore) -> None:
    await owed(store, "a")
    (lost,) = await claim(store)
    assert await claim(store, LEASE_OVER - timedelta(microseconds=1)) == []
    (taken,) = await claim(store, LEASE_OVER)
    assert (taken.delivery_id, taken.attempts) == ("a.1", 2)
    assert taken.lease != lost.lease
    assert not await store.finish_delivery(lost, "delivered", "200", None)
    assert await store.finish_delivery(taken, "delivered", "200", None)
    assert await store.outbox_pending() == 0


async def test_a_finished_delivery_cannot_be_finished_again(store: AnyStore) -> None:
    await owed(store, "a")
    (first,) = await claim(store)
    assert await store.finish_delivery(first, "delivered", "200", None)
    assert not await store.finish_delivery(first, "retry", "503", LATER)


async def test_an_event_that_comes_while_another_is_sent_follows_it(store: AnyStore) -> None:
    key = await owed(store, "a")
    (first,) = await claim(store)
    async with store.transaction() as tx:
        await tx.lock_keys([key])
        await owe(tx, key, "b")
    assert await claim(store) == []
    assert await store.finish_delivery(first, "delivered", "200", None)
    assert names(await claim(store)) == ["b.1"]


async def test_an_event_enqueued_while_the_last_one_finishes_is_not_lost(store: AnyStore) -> None:
    key = await owed(store, "a")
    (first,) = await claim(store)

    async def enqueue() -> None:
        async with store.transaction() as tx:
            await tx.lock_keys([key])
            await owe(tx, key, "b")
            await asyncio.sleep(0.05)

    _, finished = await asyncio.gather(
        enqueue(), store.finish_delivery(first, "delivered", "200", None)
    )
    assert finished
    assert names(await claim(store)) == ["b.1"]


async def test_what_was_never_attempted_is_superseded(store: AnyStore) -> None:
    key = await owed(store, "a", "b")
    async with store.transaction() as tx:
        await tx.lock_keys([key])
        assert await tx.supersede("a") == Superseded(created=True, attempted=False)
        await owe(tx, key, "a", 2, kind="created")
    assert names(await claim(store)) == ["b.1"]
    assert await store.outbox_pending() == 2


async def test_what_was_attempted_is_not_superseded(store: AnyStore) -> None:
    key = await owed(store, "a")
    (first,) = await claim(store)
    async with store.transaction() as tx:
        await tx.lock_keys([key])
        assert await tx.supersede("a") == Superseded(created=False, attempted=True)
    assert await store.finish_delivery(first, "delivered", "200", None)


async def test_an_unsent_update_is_superseded_behind_a_sent_opening(store: AnyStore) -> None:
    key = await owed(store, "a")
    (first,) = await claim(store)
    async with store.transaction() as tx:
        await owe(tx, key, "a", 2)
    async with store.transaction() as tx:
        assert await tx.supersede("a") == Superseded(created=False, attempted=True)
    assert await store.finish_delivery(first, "delivered", "200", None)
    assert await claim(store) == []
    assert await store.outbox_pending() == 0


async def test_a_card_without_events_supersedes_nothing(store: AnyStore) -> None:
    async with store.transaction() as tx:
        assert await tx.supersede("none") == Superseded(created=False, attempted=False)


async def test_an_event_is_either_claimed_or_superseded(store: AnyStore) -> None:
    """Whoever is first wins, and the other one knows."""

    async def supersede(name: str) -> Superseded:
        async with store.transaction() as tx:
            return await tx.supersede(name)

    for turn in range(10):
        name = f"a{turn}"
        await owed(store, name)
        claimed, superseded = await asyncio.gather(claim(store), supersede(name))
        assert superseded == Superseded(created=not claimed, attempted=bool(claimed))
        for delivery in claimed:
            assert await store.finish_delivery(delivery, "delivered", "200", None)


async def test_two_couriers_never_hold_the_same_event(store: AnyStore) -> None:
    await owed(store, "a", "b")
    bert = await key_of_patient(store, BERT)
    async with store.transaction() as tx:
        await owe(tx, bert, "c")
    one, other = await asyncio.gather(claim(store), claim(store))
    assert sorted(names(one) + names(other)) == ["a.1", "c.1"]


async def test_an_unsent_event_expires_at_its_time_with_its_card(store: AnyStore) -> None:
    key = await key_of_patient(store)
    async with store.transaction() as tx:
        await tx.put_card(key, card(uuid="a"), None, NOW)
        await owe(tx, key, "a", expires_at=LATER)
    assert await store.expire_deliveries(LATER - timedelta(microseconds=1)) == 0
    assert await store.expire_deliveries(LATER) == 1
    assert await claim(store, LATER) == []
    async with store.transaction() as tx:
        (state,) = (await tx.cards([key]))[key]
        assert state.state == "expired"
        assert await tx.lock_due(LATER, 10) == (key,)


async def test_an_attempted_event_does_not_expire(store: AnyStore) -> None:
    key = await key_of_patient(store)
    async with store.transaction() as tx:
        await tx.put_card(key, card(uuid="a"), None, NOW)
        await owe(tx, key, "a", expires_at=LATER)
    (first,) = await claim(store)
    async with store.transaction() as tx:
        await owe(tx, key, "a", 2, expires_at=LATER)
    assert await store.expire_deliveries(LATER) == 0
    assert await store.finish_delivery(first, "delivered", "200", None)
    assert names(await claim(store)) == ["a.2"]


async def test_an_expired_event_gives_way_to_the_next(store: AnyStore) -> None:
    key = await key_of_patient(store)
    async with store.transaction() as tx:
        await owe(tx, key, "a", expires_at=LATER)
        await owe(tx, key, "b")
    assert await store.expire_deliveries(LATER) == 1
    assert names(await claim(store, LATER)) == ["b.1"]
