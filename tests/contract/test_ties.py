"""On both stores: where nothing says which body is newer, the order of arrival changes nothing.

"A tie that cannot be resolved marks the patient incomplete".
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from itertools import permutations
from typing import Any

import pytest
from tests.support.desk import SOURCE, Desk, journey
from tests.support.histories import NOW, Delivered, Event
from tests.support.open_stores import AnyStore, key_of_patient, open_store

from cryovigil.adapters.ports import DeadLetter, SourcePatient
from cryovigil.normalize.readings import Update, key_of

ON_POSTGRES = pytest.mark.parametrize(
    "url", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)


def result(
    patient: str = "anna", number: str = "1", value: str = "10828004", **members: Any
) -> dict[str, Any]:
    """A cryoglobulin that is positive, or whatever SNOMED CT says."""
    return {
        "resourceType": "Observation",
        "id": number,
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "5117-7"}]},
        "subject": {"reference": f"Patient/{patient}"},
        "effectiveDateTime": "2026-02-01T09:00:00Z",
        "valueCodeableConcept": {"coding": [{"system": "http://snomed.info/sct", "code": value}]},
        **members,
    }


def told(partition: int, offset: int, body: dict[str, Any] | None) -> Delivered:
    """A body, or the tombstone of Observation 1."""
    value = None if body is None else json.dumps(body).encode()
    return Delivered(
        partition, offset, Event("Observation/1", value, b"Observation/1", retracted=body is None)
    )


EARLIER = result()
LATER = result(effectiveDateTime="2026-03-01T09:00:00Z")
SAME_VERSION = {"meta": {"versionId": "3"}}
NEWER_VERSION = {"meta": {"versionId": "4"}}


async def shown(store: AnyStore, slices: Sequence[Sequence[Delivered]]) -> list[tuple[str, bool]]:
    """The date and the incompleteness of Anna's card, where there is one."""
    desk = await Desk.at(store, journey())
    for records in slices:
        await desk.handle(records)
    return [
        (
            state.card["extension"]["org.cryovigil.basis"]["evidence"][0]["date"][:10],
            "could not be read" in state.card["detail"],
        )
        for state in (await desk.open_cards()).values()
    ]


async def doubts(store: AnyStore) -> tuple[str, ...]:
    key = await store.patient(SourcePatient(SOURCE.key, "Patient/anna"))
    assert key is not None
    return (await store.snapshot(key, {}, NOW))[0].incomplete


@pytest.mark.parametrize("version", [{}, SAME_VERSION], ids=["unversioned", "versioned"])
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("together", [True, False])
async def test_bodies_of_two_partitions_that_differ_are_a_tie_in_either_order(
    store: AnyStore, version: dict[str, Any], order: tuple[int, int], together: bool
) -> None:
    events = [told(0, 5, EARLIER | version), told(1, 9, LATER | version)]
    arriving = [events[place] for place in order]
    cards = await shown(store, [arriving] if together else [[event] for event in arriving])
    # The higher offset stands, for want of anything better.
    assert cards == [("2026-03-01", True)]
    assert await doubts(store) == ("version-tie",)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_the_same_body_in_two_partitions_is_a_duplicate(
    store: AnyStore, order: tuple[int, int]
) -> None:
    events = [told(0, 5, EARLIER), told(1, 9, EARLIER)]
    assert await shown(store, [[events[place]] for place in order]) == [("2026-02-01", False)]
    assert await doubts(store) == ()


async def test_two_bodies_of_one_partition_are_in_the_order_of_their_offsets(
    store: AnyStore,
) -> None:
    events = [told(0, 5, EARLIER | SAME_VERSION), told(0, 9, LATER | SAME_VERSION)]
    await shown(store, [[event] for event in events])
    assert await doubts(store) == ()


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
async def test_a_newer_version_ends_a_tie_whenever_it_comes(
    store: AnyStore, order: tuple[int, ...]
) -> None:
    events = [
        told(0, 5, EARLIER | SAME_VERSION),
        told(1, 9, LATER | SAME_VERSION),
        told(0, 6, EARLIER | NEWER_VERSION),
    ]
    assert await shown(store, [[events[place]] for place in order]) == [("2026-02-01", False)]
    assert await doubts(store) == ()


async def test_a_tie_lasts_while_only_offsets_speak(store: AnyStore) -> None:
    """The third body is newer than the first; of the second still nothing is known."""
    events = [told(0, 5, EARLIER), told(1, 4, LATER), told(0, 6, EARLIER)]
    await shown(store, [[event] for event in events])
    assert await doubts(store) == ("version-tie",)


async def test_a_body_that_may_be_newer_than_a_deletion_is_not_dropped_in_silence(
    store: AnyStore,
) -> None:
    """The tombstone knows no patient: the body says whose record is in doubt."""
    assert await shown(store, [[told(1, 10, None)], [told(0, 5, EARLIER)]]) == []
    assert await doubts(store) == ("version-tie",)


async def test_a_late_duplicate_of_what_was_deleted_is_no_tie(store: AnyStore) -> None:
    events = [
        told(0, 5, EARLIER | SAME_VERSION),
        told(0, 6, None),
        told(1, 9, EARLIER | SAME_VERSION),
    ]
    assert await shown(store, [[event] for event in events]) == []
    assert await doubts(store) == ()


@ON_POSTGRES
async def test_patients_of_what_cannot_be_read_are_locked_in_one_order_with_all_others(
    url: str,
) -> None:
    """A slice that waits for its lowest key holds none of the higher ones meanwhile."""
    async with open_store(url) as store:
        desk = await Desk.at(store, journey())
        low, high = sorted(("anna", "bert"), key=lambda name: key_of(_patient(name).identity))
        for name in (low, high):
            await key_of_patient(store, _patient(name))
        bad = {**result(low, "2"), "valueQuantity": {"value": "x"}}
        read = [*_read(desk, result(high)), *_read(desk, bad)]
        letters = [one for one in read if isinstance(one, DeadLetter)]
        assert [letter.patient for letter in letters] == [key_of(_patient(low).identity)]

        async def handle() -> None:
            updates = [one for one in read if isinstance(one, Update)]
            async with store.transaction() as tx:
                await desk.casework.handle(tx, updates, letters, NOW)

        async with store.transaction() as holding:
            await holding.lock_keys([key_of(_patient(low).identity)])
            waiting = asyncio.create_task(handle())
            await asyncio.sleep(0.3)
            async with asyncio.timeout(3), store.transaction() as free:
                assert await free.lock_keys([key_of(_patient(high).identity)])
            assert not waiting.done()
        await waiting


def _patient(name: str) -> SourcePatient:
    return SourcePatient(SOURCE.key, f"Patient/{name}")


def _read(desk: Desk, body: dict[str, Any]) -> list[Update | DeadLetter | None]:
    return [*desk.casework.read(json.dumps(body).encode(), None, (), "t", 0, 0)]
