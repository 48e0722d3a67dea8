"""Many patients, each with the first results that ever reach a service that was just installed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

from tests.support.histories import TODAY, History, told
from tests.support.revisions import Resource

from cryovigil.demo.resources import LOINC, UCUM, Chart

# Test, how many patients in ten have it among their first results, and what it may say.
_FIRST: Sequence[tuple[str, int, Sequence[float | str]]] = (
    ("creatinine", 6, (62, 75, 90, 141, 160, 320)),
    ("C4", 4, (0.05, 0.09, 0.12, 0.2, 0.31)),
    ("cryoglobulin presence", 3, ("positive", "negative")),
    ("cryoglobulin", 2, (0.02, 0.06, 0.4)),
    ("cryoglobulin type", 1, ("Type II", "mixed")),
    ("HCV antibody", 4, ("positive", "negative", "negative")),
    ("HCV RNA", 1, (1200, 820_000)),
    ("HCV RNA presence", 2, ("not detected",)),
)
_RF = (8, 14, 21, 160)


def first_results(rng: Random, patients: int) -> History:
    """Whatever each patient happened to be tested for within the last weeks."""
    every = (_of_one(rng, Chart(f"first-{number}", TODAY)) for number in range(patients))
    return told(resource for resources in every for resource in resources)


def _of_one(rng: Random, chart: Chart) -> Iterator[Resource]:
    if rng.random() < 0.7:
        yield chart.person("Probe", rng.randint(1935, 2000))
    for test, of_ten, values in _FIRST:
        if rng.random() * 10 < of_ten:
            yield chart.result(test, rng.choice(values), rng.randint(1, 20))
    if rng.random() < 0.4:
        yield _rheumatoid_factor(chart, rng.choice(_RF))
    if rng.random() < 0.2:
        yield chart.condition("D69.2", "Palpable purpura", rng.randint(1, 20))


def _rheumatoid_factor(chart: Chart, value: float) -> Resource:
    unit = "[IU]/mL"
    return {
        **chart.result("creatinine", value, 5),
        "id": f"{chart.patient}-rf",
        "code": {"coding": [{"system": LOINC, "code": "11572-5"}]},
        "valueQuantity": {"value": value, "unit": unit, "system": UCUM, "code": unit},
    }
