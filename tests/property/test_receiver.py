"""What the EHR is told, event by event, leaves it with the cards that are open here."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Mapping
from random import Random
from typing import Any

import pytest
from hypothesis import given, strategies as st
from tests.support.databases import query
from tests.support.desk import Cards, Desk, journey
from tests.support.histories import NOW, delivered, history, replayed, seeded
from tests.support.open_stores import AnyStore
from tests.support.single_files import SqliteFiles

pytestmark = pytest.mark.sqlite

chance = st.randoms(use_true_random=False)
BASIS = "org.cryovigil.basis"
OWED = "SELECT delivery_id, status, body FROM outbox ORDER BY delivery_id"
GONE = "org.cryovigil.retracted"


class Receiver:
    """An EHR that takes every event at its word, and complains where it makes no sense."""

    def __init__(self) -> None:
        self.cards: dict[str, Mapping[str, Any]] = {}
        self.kinds: Counter[str] = Counter()
        self._sequences: dict[str, str] = {}
        self._seen: set[str] = set()

    def take(self, body: bytes) -> None:
        event = json.loads(body)
        assert event["id"] not in self._seen
        self._seen.add(event["id"])
        assert event["sequence"] > self._sequences.get(event["subject"], "")
        self._sequences[event["subject"]] = event["sequence"]
        data, kind = event["data"], event["type"].split(".")[-2]
        self.kinds[kind] += 1
        match kind:
            case "created":
                (card,) = data["cards"]
                assert card["uuid"] not in self.cards
                assert self._of(event["subject"], card) == []
                self.cards[card["uuid"]] = {**card, "subject": event["subject"]}
            case "updated":
                (card,) = data["cards"]
                assert card["uuid"] in self.cards
                self.cards[card["uuid"]] = {**card, "subject": event["subject"]}
            case "retracted":
                del self.cards[data["extension"][GONE]["uuid"]]

    def _of(self, subject: str, card: Mapping[str, Any]) -> list[str]:
        """The open cards of the same patient and rule."""
        return [
            known["uuid"]
            for known in self.cards.values()
            if known["subject"] == subject and _rule(known) == _rule(card)
        ]

    @property
    def advice(self) -> dict[str, tuple[Any, ...]]:
        return {
            uuid: (
                card["subject"],
                card["indicator"],
                card["extension"][BASIS]["criteria"],
                card["extension"][BASIS].get("missing", []),
            )
            for uuid, card in self.cards.items()
        }


def _rule(card: Mapping[str, Any]) -> str:
    return str(card["extension"][BASIS]["rule"])


def advice(cards: Cards) -> dict[str, tuple[Any, ...]]:
    """What an update would be pushed for: not for the text alone."""
    return {
        state.uuid: (patient, state.indicator, list(state.criteria), list(state.missing))
        for (patient, _), state in cards.items()
    }


async def deliver(store: AnyStore, receiver: Receiver, most: int) -> int:
    """Hands over so many events at most, as a courier does; how many there were."""
    deliveries = await store.claim_deliveries(NOW, most, 60)
    for delivery in deliveries:
        receiver.take(delivery.body)
        assert await store.finish_delivery(delivery, "delivered", "200", None)
    return len(deliveries)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> SqliteFiles:
    return SqliteFiles(tmp_path_factory.mktemp("stores"))


async def story(files: SqliteFiles, rng: Random, receiver: Receiver) -> Cards:
    """Histories come in, a courier lags behind; the cards that are open once it is done."""
    async with files.fresh() as (store, _):
        desk = await Desk.at(store, journey())
        for records in delivered(rng, history(rng)):
            await desk.handle(records)
            if rng.random() < 0.5:
                await deliver(store, receiver, rng.randint(1, 3))
        while await deliver(store, receiver, 10):
            pass
        return await desk.open_cards()


@given(chance)
def test_the_events_leave_a_receiver_with_the_open_cards(files: SqliteFiles, rng: Random) -> None:
    receiver = Receiver()
    opened = asyncio.run(story(files, rng, receiver))
    assert receiver.advice == advice(opened)


def test_the_histories_bring_events_of_every_kind(files: SqliteFiles) -> None:
    """Without this the property above might hold of openings alone."""
    receivers = [Receiver() for _ in range(30)]
    for seed, receiver in enumerate(receivers):
        asyncio.run(story(files, seeded(seed), receiver))
    kinds = sum((receiver.kinds for receiver in receivers), Counter[str]())
    assert min(kinds[kind] for kind in ("created", "updated", "retracted")) >= 5, kinds


@given(chance)
def test_a_log_that_is_read_twice_owes_nothing_new(files: SqliteFiles, rng: Random) -> None:
    """The same records at the same offsets, sliced differently: no row, no revision more."""
    slices = delivered(rng, history(rng))

    async def twice() -> None:
        async with files.fresh() as (store, url):
            desk = await Desk.at(store, journey())
            for records in slices:
                await desk.handle(records)
            owed, opened = await query(url, OWED), await desk.open_cards()
            for records in replayed(rng, slices):
                await desk.handle(records)
            assert await query(url, OWED) == owed
            assert await desk.open_cards() == opened

    asyncio.run(twice())
