"""What becomes of a patient's resources: corrected, moved, declared an error, deleted, replaced."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, TypeAlias

from cryovigil.demo.resources import Chart

Resource: TypeAlias = dict[str, Any]
# The versions of one resource, oldest first; None: it was deleted.
Chain: TypeAlias = list[Resource | None]

UNWATCHED = "urn:other"
_REPLACES = "http://hl7.org/fhir/StructureDefinition/observation-replaces"
_VALUES: Mapping[str, Sequence[float | str]] = {
    "cryoglobulin": (0.02, 0.05, 0.051, 0.4, 0.8),
    "cryoglobulin presence": ("positive", "negative"),
    "cryoglobulin type": ("Type I", "Type II", "mixed"),
    "C4": (0.05, 0.2),
    "HCV RNA": (820_000,),
    "HCV RNA presence": ("positive", "not detected"),
    "HCV antibody": ("positive", "negative"),
    "creatinine": (80, 130, 210),
}
_CONDITIONS = (
    ("D69.2", "Palpable purpura"),
    ("B18.2", "Chronic hepatitis C"),
    ("M32.9", "Systemic lupus erythematosus"),
    ("N17.9", "Acute renal failure"),
    ("C83.3", "Diffuse large B-cell lymphoma"),
)
# Around what rules look back to: 90, 365 and 400 days; below 0 is ahead of NOW.
_DAYS = (-5, 2, 3, 10, 29, 60, 89, 100, 200, 364, 380, 399, 420, 900, 1400)
_STATUSES = ("final", "final", "final", "corrected", "preliminary", "cancelled")


def revisions(rng: Random, chain: Chain, charts: Sequence[Chart]) -> Iterator[Resource | None]:
    """One to three further versions."""
    last = chain[-1]
    assert last is not None
    for _ in range(rng.randint(1, 3)):
        yield rng.choice(_REVISIONS)(rng, last, charts)


def _other_content(rng: Random, body: Resource, charts: Sequence[Chart]) -> Resource:
    """Another value, date and code of the same patient's resource."""
    kind = body["resourceType"]
    if kind == "Patient":
        return {**body, "birthDate": rng.choice(("2015-05-02", "1950-05-02"))}
    if kind == "MedicationStatement":
        return {**body, "effectivePeriod": {"start": "2025-01-01", "end": "2025-04-01"}}
    chart = next(c for c in charts if body["subject"]["reference"] == f"Patient/{c.patient}")
    make = _result if kind == "Observation" else _condition
    return {**make(rng, chart), "id": body["id"]}


def _other_patient(rng: Random, body: Resource, charts: Sequence[Chart]) -> Resource:
    if body["resourceType"] == "Patient":
        return {**body, "deceasedBoolean": True}
    return {**body, "subject": {"reference": f"Patient/{rng.choice(charts).patient}"}}


def _not_watched(_rng: Random, body: Resource, _charts: Sequence[Chart]) -> Resource:
    if body["resourceType"] == "Patient":
        return body
    named = "medicationCodeableConcept" if "medicationCodeableConcept" in body else "code"
    return {**body, named: {"coding": [{"system": UNWATCHED, "code": "other"}]}}


def _error(_rng: Random, body: Resource, _charts: Sequence[Chart]) -> Resource:
    if body["resourceType"] == "Condition":
        return {**body, "verificationStatus": {"coding": [{"code": "entered-in-error"}]}}
    return body if body["resourceType"] == "Patient" else {**body, "status": "entered-in-error"}


def _deleted(_rng: Random, _body: Resource, _charts: Sequence[Chart]) -> None:
    return None


def _restored(_rng: Random, body: Resource, _charts: Sequence[Chart]) -> Resource:
    return body


_REVISIONS: Sequence[Callable[[Random, Resource, Sequence[Chart]], Resource | None]] = (
    _other_content,
    _other_content,
    _other_patient,
    _not_watched,
    _error,
    _deleted,
    _restored,
)


def fresh(rng: Random, chart: Chart) -> Resource:
    return _condition(rng, chart) if rng.random() < 0.25 else _result(rng, chart)


def _result(rng: Random, chart: Chart) -> Resource:
    test = rng.choice(tuple(_VALUES))
    body = chart.result(test, rng.choice(_VALUES[test]), 1, status=rng.choice(_STATUSES))
    if rng.random() < 0.05:
        # Without any time it decides nothing, and the record is incomplete.
        return {m: v for m, v in body.items() if m not in ("effectiveDateTime", "issued")}
    taken = datetime(2026, 6, 1, 8, tzinfo=UTC) - timedelta(days=rng.choice(_DAYS))
    issued = taken + timedelta(days=rng.choice((1, 8)))
    return {**body, "effectiveDateTime": taken.isoformat(), "issued": issued.isoformat()}


def _condition(rng: Random, chart: Chart) -> Resource:
    return chart.condition(*rng.choice(_CONDITIONS), rng.choice(_DAYS))


def replace_some(rng: Random, chains: dict[str, Chain]) -> None:
    """Some results appear again under a new id, which says so."""
    for name, chain in list(chains.items()):
        body = next((b for b in reversed(chain) if b is not None), None)
        if body is None or body["resourceType"] != "Observation" or rng.random() > 0.1:
            continue
        new = {
            **body,
            "id": f"{body['id']}-again",
            "status": rng.choice(("corrected", "preliminary")),
            "extension": [{"url": _REPLACES, "valueReference": {"reference": name}}],
        }
        chains[name_of(new)] = [new]
        if rng.random() < 0.3:
            chains[name_of(new)].append({**new, "status": "entered-in-error"})


def name_of(body: Resource) -> str:
    """`Type/id`."""
    return f"{body['resourceType']}/{body['id']}"
