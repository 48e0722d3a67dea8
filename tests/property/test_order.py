"""Open cards are a function of the newest versions and the instant, whatever came in which order.

What may differ with the order of arrival is left out of the comparison (`gist`): an opening in
between raises the episode, and with it uuid and link; revisions count what was seen on the way;
asOf is the instant at which a card last had something new to say.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from random import Random

import pytest
from hypothesis import given, strategies as st
from tests.support.desk import Cards, Desk, cards_of, gist, journey, rules_in
from tests.support.histories import (
    NOW,
    Delivered,
    deleted_at_last,
    delivered,
    history,
    in_one_slice,
    kidney_history,
    seeded,
)
from tests.support.single_files import SqliteFiles

pytestmark = pytest.mark.sqlite

chance = st.randoms(use_true_random=False)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> SqliteFiles:
    return SqliteFiles(tmp_path_factory.mktemp("stores"))


async def handled(files: SqliteFiles, slices: Sequence[Sequence[Delivered]]) -> Cards:
    """The cards that are open after these slices."""
    async with files.fresh() as (store, _):
        desk = await Desk.at(store, journey())
        for records in slices:
            await desk.handle(records)
        return await desk.open_cards()


@given(chance)
def test_any_order_slicing_and_duplication_opens_the_cards_of_the_newest_versions(
    files: SqliteFiles, rng: Random
) -> None:
    known = history(rng)
    opened = asyncio.run(handled(files, delivered(rng, known)))
    assert gist(opened) == gist(cards_of(known, journey()))


@given(chance)
def test_versions_that_come_in_one_slice_are_told_apart(files: SqliteFiles, rng: Random) -> None:
    known = history(rng)
    opened = asyncio.run(handled(files, in_one_slice(known)))
    assert gist(opened) == gist(cards_of(known, journey()))


@given(chance)
def test_a_retracted_resource_leaves_what_never_having_received_it_leaves(
    files: SqliteFiles, rng: Random
) -> None:
    known = history(rng)
    names = sorted({event.name for event in known.events})
    gone = rng.sample(names, rng.randint(1, len(names)))
    opened = asyncio.run(handled(files, delivered(rng, deleted_at_last(known, gone))))
    assert gist(opened) == gist(cards_of(known.without(gone), journey()))


@given(chance)
def test_cards_do_not_depend_on_when_their_evidence_came(files: SqliteFiles, rng: Random) -> None:
    """What time changes is found by the due rows, down to the figures in the text."""
    known = history(rng)
    slices = delivered(rng, known)
    hours = sorted((rng.randint(0, 24 * 500) for _ in slices), reverse=True)

    async def story() -> Cards:
        async with files.fresh() as (store, _):
            desk = await Desk.at(store, journey())
            for records, ago in zip(slices, hours, strict=True):
                at = NOW - timedelta(hours=ago)
                if rng.random() < 0.5:
                    await desk.drain(at)
                await desk.handle(records, at)
            await desk.drain(NOW)
            return await desk.open_cards()

    assert gist(asyncio.run(story())) == gist(cards_of(known, journey()))


@given(chance)
def test_what_the_store_need_not_read_decides_nothing(files: SqliteFiles, rng: Random) -> None:
    """The store gives what a rule declares to need; the comparison has every result."""
    known = kidney_history(rng)
    opened = asyncio.run(handled(files, delivered(rng, known)))
    assert gist(opened) == gist(cards_of(known, journey()))


def test_the_histories_raise_cards_of_every_rule_and_let_some_fall() -> None:
    """Without this the properties above might hold of nothing."""
    known = [history(seeded(seed)) for seed in range(200)]
    raised = rules_in(cards_of(one, journey()) for one in known)
    assert {rule.id for rule in journey().book.rules} == raised.keys()
    assert min(raised.values()) >= 10
    assert sum(event.retracted for one in known for event in one.events) >= 50
    assert sum(bool(event.replaces) for one in known for event in one.events) >= 20
