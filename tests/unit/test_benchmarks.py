"""The made-up hospital of the benchmarks: what is measured has to be what it is said to be."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from datetime import date
from importlib.resources import files
from zoneinfo import ZoneInfo

import pytest

from benchmarks.books import Mismatch, check
from benchmarks.catalogue import COMMON, COMMON_CONDITIONS, COMMON_DRUGS
from benchmarks.hospital import PATIENTS, Expected, Hospital, Kind, Load
from benchmarks.workups import WORKUPS
from cryovigil.decode import Source
from cryovigil.normalize import Site
from cryovigil.normalize.readings import Update
from cryovigil.normalize.tables import load_tables
from cryovigil.updates import Reader

TODAY = date(2026, 11, 25)
READER = Reader(load_tables(files("cryovigil") / "mappings", None), Site(ZoneInfo("UTC")))


def hospital(seed: int = 1) -> Hospital:
    return Hospital("mix", seed, TODAY)


def concepts(load: Load) -> Counter[str]:
    """What the service reads of each record: one concept, or `unwatched`."""
    found: Counter[str] = Counter()
    for offset, arrival in enumerate(load.arrivals):
        for update in READER.read(arrival.value, arrival.key, Source(), "mix/0", offset):
            assert isinstance(update, Update)
            found.update([r.concept for r in update.readings] or ["unwatched"])
    return found


class Books:
    """A database that holds these rows. readings, cards: what it lists."""

    def __init__(self, readings: Counter[str], cards: Counter[str], letters: int = 0) -> None:
        self._rows: dict[str, Sequence[tuple[object, ...]]] = {
            "reading": list(readings.items()),
            "card": list(cards.items()),
            "dead_letter": [(letters,)],
        }

    async def rows(self, statement: str) -> Sequence[tuple[object, ...]]:
        return self._rows[statement.partition(" FROM ")[2].split()[0]]

    async def server(self) -> int | None:
        return None

    async def version(self) -> str:
        return "made up"


def test_the_mix_is_84_irrelevant_15_context_and_1_anchor_in_a_hundred() -> None:
    found = hospital().mix(1_000)
    assert len(found.arrivals) == 1_000
    assert found.expected.readings.total() == 160
    assert concepts(found)["unwatched"] == 840


def test_the_service_reads_of_each_record_what_its_code_stands_for() -> None:
    found = hospital().mix(2_000)
    assert concepts(found) == found.expected.readings + Counter(unwatched=1_680)


def test_nothing_common_is_watched() -> None:
    find = READER.tables.codes.concepts
    assert [a.loinc for a in COMMON if find("http://loinc.org", a.loinc)] == []
    icd_10, atc = "http://hl7.org/fhir/sid/icd-10", "http://www.whocc.no/atc"
    assert [c.code for c in COMMON_CONDITIONS if find(icd_10, c.code)] == []
    assert [d.code for d in COMMON_DRUGS if find(atc, d.code)] == []


@pytest.mark.parametrize("kind", ["irrelevant", "context", "anchor"])
def test_a_record_has_1_to_1_5_kilobytes(kind: Kind) -> None:
    sizes = [len(arrival.value) for arrival in hospital().alone(kind, 500).arrivals]
    assert min(sizes) >= 1_000
    assert max(sizes) <= 1_500


def test_equal_seeds_make_equal_hospitals_and_others_others() -> None:
    assert hospital(1).mix(300) == hospital(1).mix(300)
    assert hospital(1).mix(300).arrivals != hospital(2).mix(300).arrivals


def test_a_record_is_keyed_by_its_resource_and_not_by_its_patient() -> None:
    arrivals = hospital().alone("anchor", 200).arrivals
    assert all(json.loads(a.value)["id"].encode() == a.key for a in arrivals)
    assert len({a.key for a in arrivals}) == len(arrivals)


def test_each_patient_with_a_workup_has_its_cards_once_however_often_they_come() -> None:
    # More visits than patients: every patient has had theirs, each of one kind, so the open cards
    # are bounded by the patients of the weights in WORKUPS (100 in all), not by the visits.
    most = sum(workup.weight * len(workup.cards) for workup in WORKUPS) / 100
    found = hospital().alone("anchor", 3 * PATIENTS).expected.cards.total()
    assert 0.9 * most * PATIENTS < found < 1.1 * most * PATIENTS


async def test_books_that_hold_what_was_expected_pass() -> None:
    expected = Expected(Counter({"hcv rna": 2}), Counter({"hcv-search": 1}))
    await check(Books(Counter({"hcv rna": 2}), Counter({"hcv-search": 1})), expected)


@pytest.mark.parametrize(
    "books",
    [
        Books(Counter({"hcv rna": 1}), Counter({"hcv-search": 1})),
        Books(Counter({"hcv rna": 2, "creatinine": 1}), Counter({"hcv-search": 1})),
        Books(Counter({"hcv rna": 2}), Counter()),
        Books(Counter({"hcv rna": 2}), Counter({"hcv-search": 2})),
        Books(Counter({"hcv rna": 2}), Counter({"hcv-search": 1}), letters=1),
    ],
    ids=["reading lost", "reading too many", "card lost", "card too many", "dead letter"],
)
async def test_books_that_differ_fail(books: Books) -> None:
    expected = Expected(Counter({"hcv rna": 2}), Counter({"hcv-search": 1}))
    with pytest.raises(Mismatch):
        await check(books, expected)
