"""Cards as kept, with their history."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace
from tests.support.databases import query
from tests.support.open_stores import ANNA, NOW, AnyStore, card, key_of_patient

from cryovigil.adapters.ports import StoredCard
from cryovigil.lifecycle import Judgement

TICK = timedelta(microseconds=1)


async def test_a_card_comes_back_as_it_was_put(store: AnyStore) -> None:
    key = await key_of_patient(store)
    judged = card(
        state="snoozed",
        judgement=Judgement(criteria=("a",), indicator="info", anchors=(), until=NOW),
    )
    async with store.transaction() as tx:
        await tx.put_card(key, judged, None, NOW)
        assert await tx.cards([key]) == {key: (judged,)}
    assert await store.card(judged.uuid) == StoredCard(state=judged, patient=ANNA, changed_at=NOW)


async def test_an_unknown_card_is_none(store: AnyStore) -> None:
    assert await store.card("card-unknown") is None


async def test_the_newest_card_of_each_rule_is_given(store: AnyStore) -> None:
    key = await key_of_patient(store)
    first = card(uuid="e1", state="retracted", revision=2)
    second = card(uuid="e2", episode=2)
    other = card("renal-involvement")
    async with store.transaction() as tx:
        for state in (second, first, other):
            await tx.put_card(key, state, None, NOW)
        assert (await tx.cards([key]))[key] == (second, other)


async def test_every_revision_stays_in_the_history(store: AnyStore, url: str) -> None:
    key = await key_of_patient(store)
    opened = card()
    retracted = replace(opened, state="retracted", revision=2)
    async with store.transaction() as tx:
        await tx.put_card(key, opened, None, NOW)
    async with store.transaction() as tx:
        await tx.put_card(key, retracted, "corrected", NOW + TICK)
    found = await query(url, "SELECT revision, state, reason FROM card_revision ORDER BY revision")
    assert found == [(1, "open", None), (2, "retracted", "corrected")]
    stored = await store.card(opened.uuid)
    assert stored is not None
    assert (stored.state, stored.reason) == (retracted, "corrected")


async def test_open_and_retracted_cards_are_listed_from_an_instant_on(store: AnyStore) -> None:
    key = await key_of_patient(store)
    async with store.transaction() as tx:
        await tx.put_card(key, card("a"), None, NOW - TICK)
        await tx.put_card(key, card("d"), None, NOW + TICK)
        await tx.put_card(key, card("b", state="retracted"), "deleted", NOW)
        await tx.put_card(key, card("c", state="closed"), None, NOW)
    listed = [found.state.rule for found in await store.cards_since(NOW, 10)]
    assert listed == ["b", "d"]


async def test_a_page_of_cards_goes_on_after_the_last_of_the_page_before(store: AnyStore) -> None:
    """Where many changed at the same instant the uuid says which were listed."""
    key = await key_of_patient(store)
    async with store.transaction() as tx:
        for number in (2, 0, 4, 1, 3):
            await tx.put_card(key, card(f"rule-{number}"), None, NOW)
        await tx.put_card(key, card("later", uuid="a"), None, NOW + TICK)
    first = await store.cards_since(NOW, 3)
    rest = await store.cards_since(first[-1].changed_at, 3, first[-1].state.uuid)
    assert [found.state.rule for found in first] == ["rule-0", "rule-1", "rule-2"]
    assert [found.state.rule for found in rest] == ["rule-3", "rule-4", "later"]


async def test_an_error_of_the_database_quotes_no_value(store: AnyStore) -> None:
    """Both databases name the values of a duplicate key in their own messages."""
    key = await key_of_patient(store)

    async def put_twice() -> None:
        async with store.transaction() as tx:
            await tx.put_card(key, card(uuid="canary"), None, NOW)
            await tx.put_card(key, card(uuid="canary"), None, NOW)

    with pytest.raises(RuntimeError) as caught:
        await put_twice()
    assert "canary" not in str(caught.value)
    assert caught.value.__suppress_context__
