"""On both stores: shuffled, duplicated and sliced events open the cards of the newest versions."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from tests.support.desk import Desk, cards_of, gist, journey
from tests.support.histories import TODAY, Delivered, delivered, history, seeded, told, told_by_demo
from tests.support.open_stores import AnyStore
from tests.support.revisions import Resource

from cryovigil.demo.resources import Chart
from cryovigil.errors import Unavailable

ALL = 9  # patients of the demo


@pytest.mark.parametrize("seed", range(4))
async def test_patients_whose_results_are_changed_in_any_order(store: AnyStore, seed: int) -> None:
    rng = seeded(seed)
    known = history(rng, ALL)
    desk = await Desk.at(store, journey())
    for records in delivered(rng, known):
        await desk.handle(records)
    assert gist(await desk.open_cards()) == gist(cards_of(known, journey()))


@pytest.mark.parametrize("seed", range(2))
async def test_the_patients_of_the_demo_in_any_order(store: AnyStore, seed: int) -> None:
    known = told_by_demo()
    desk = await Desk.at(store, journey())
    for records in delivered(seeded(seed), known):
        await desk.handle(records)
    opened = gist(await desk.open_cards())
    assert opened == gist(cards_of(known, journey()))
    # The demo's own table of expected cards, those that end retracted left out.
    assert {(patient.removeprefix("Patient/case-"), rule) for patient, rule in opened} == {
        ("1", "cryovas-likely"),
        ("1", "hcv-search"),
        ("3", "post-svr-lymphoma-search"),
        ("4", "post-svr-lymphoma-search"),
        ("5", "renal-involvement"),
        ("9", "cryovas-likely"),
    }


@pytest.mark.parametrize("seed", range(2))
async def test_two_partitions_that_are_worked_at_once(store: AnyStore, seed: int) -> None:
    """Their slices meet at the same patients, wait for each other, and are taken again."""
    rng = seeded(seed)
    known = history(rng, ALL)
    desk = await Desk.at(store, journey())
    slices = delivered(rng, known)

    async def work(partition: int) -> None:
        for records in slices:
            if records[0].partition == partition:
                await insist(desk, records)

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        for partition in (0, 1):
            group.create_task(work(partition))
    assert gist(await desk.open_cards()) == gist(cards_of(known, journey()))


async def opened(store: AnyStore, *slices: Sequence[Resource]) -> list[str]:
    """The rules with an open card once these resources came, slice after slice."""
    return [rule for _, rule in await cards_after(store, *slices)]


async def cards_after(store: AnyStore, *slices: Sequence[Resource]) -> list[tuple[str, str]]:
    """(patient, rule) of each open card once these resources came."""
    desk = await Desk.at(store, journey())
    offset = 0
    for resources in slices:
        events = told(resources).events
        await desk.handle([Delivered(0, offset + n, event) for n, event in enumerate(events)])
        offset += len(events)
    return list(await desk.open_cards())


ANNA, BEN = Chart("anna", TODAY), Chart("ben", TODAY)
POSITIVE = ANNA.result("cryoglobulin", 0.4, 30)
IN_ERROR = ANNA.result("cryoglobulin", 0.4, 30, status="entered-in-error", version=2)
DIED = {**ANNA.person("Adler", 1958), "deceasedBoolean": True}


async def test_a_positive_cryoglobulin_alone_asks_for_hcv(store: AnyStore) -> None:
    """What the tests below take away."""
    assert await opened(store, [POSITIVE]) == ["hcv-search"]


async def test_a_result_and_its_retraction_in_one_slice_leave_nothing(store: AnyStore) -> None:
    assert await opened(store, [POSITIVE, IN_ERROR]) == []


async def test_a_retraction_that_comes_first_keeps_the_result_away(store: AnyStore) -> None:
    assert await opened(store, [IN_ERROR], [POSITIVE]) == []


def in_place_of(replaced: Resource, by: Resource) -> Resource:
    """A result that says it replaces another one."""
    target = {"reference": f"Observation/{replaced['id']}"}
    url = "http://hl7.org/fhir/StructureDefinition/observation-replaces"
    return {**by, "extension": [{"url": url, "valueReference": target}]}


MOVED = in_place_of(POSITIVE, BEN.result("cryoglobulin", 0.4, 30))
MOVED_BACK = in_place_of(
    POSITIVE, BEN.result("cryoglobulin", 0.4, 30, status="entered-in-error", version=2)
)


async def test_a_result_that_replaces_another_patients_takes_its_card_along(
    store: AnyStore,
) -> None:
    assert await cards_after(store, [POSITIVE], [MOVED]) == [("Patient/ben", "hcv-search")]


async def test_a_result_counts_again_when_what_replaced_it_was_an_error(store: AnyStore) -> None:
    after = await cards_after(store, [POSITIVE], [MOVED], [MOVED_BACK])
    assert after == [("Patient/anna", "hcv-search")]


async def test_context_that_came_before_the_first_anchor_counts_when_it_comes(
    store: AnyStore,
) -> None:
    # Of a patient without an anchor nothing is asked. 80 to 130 is 1.625 times the lowest of 365
    # days (renal-involvement: at least 1.5), once a cryoglobulin is positive.
    context = [ANNA.result("creatinine", 80, 60), ANNA.result("creatinine", 130, 3)]
    assert await opened(store, context) == []
    assert "renal-involvement" in await opened(store, [POSITIVE])


async def test_a_death_withdraws_the_cards_and_opens_none(store: AnyStore) -> None:
    assert await opened(store, [POSITIVE], [DIED]) == []


async def test_who_is_known_to_be_dead_gets_no_card(store: AnyStore) -> None:
    assert await opened(store, [DIED], [POSITIVE]) == []


async def insist(desk: Desk, records: list[Delivered]) -> None:
    """As intake does: a slice that could not be had is taken again."""
    while True:
        try:
            await desk.handle(records)
        except Unavailable:
            await asyncio.sleep(0.01)
        else:
            return
