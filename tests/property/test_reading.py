"""Whatever bytes come, reading ends in updates or fixed reasons, and the journey in answers."""

from __future__ import annotations

import json
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import msgspec
from hypothesis import example, given, strategies as st
from msgspec.structs import replace
from tests.support.desk import SOURCE, journey, reader
from tests.support.fhir import cryoglobulin, observation, purpura

from cryovigil.errors import Unreadable
from cryovigil.normalize.readings import Update
from cryovigil.timeline import standing

NOW = datetime(2026, 6, 1, tzinfo=UTC)
READER, JOURNEY = reader(), journey()
TREATMENT = {
    "resourceType": "MedicationRequest",
    "id": "m1",
    "status": "completed",
    "subject": {"reference": "Patient/p"},
    "medicationCodeableConcept": {
        "coding": [{"system": "http://www.whocc.no/atc", "code": "J05AP55"}]
    },
    "authoredOn": "2025-01-10",
    "dosageInstruction": [{"timing": {"repeat": {"boundsPeriod": {"end": "2025-04-04"}}}}],
}
PERSON = {"resourceType": "Patient", "id": "p", "birthDate": "1960-02-29"}
LOG = {"value": 3, "unit": "log10 IU/mL"}
RECORDS = [
    cryoglobulin("p"),
    purpura("p"),
    observation("p", "c4", "4498-2", "2026-02-01", valueInteger=12, valueString="0.12 g/L"),
    observation(
        "p",
        "rna",
        "38180-6",
        "2026-02-01",
        valueQuantity=LOG,
        referenceRange=[{"low": LOG, "high": LOG}],
    ),
    json.dumps(TREATMENT).encode(),
    json.dumps(PERSON).encode(),
]
DATES = st.sampled_from(
    [
        "0001-01-01",
        "0001",
        "1800",
        "9999",
        "9999-12-31T23:59:59-12:00",
        "9999-12-31T23:59:59Z",
        "1900-02-29",
        "2026-02-01T24:00:00Z",
        "2026-02-01T09:00:00+99:99",
    ]
)
NUMBERS = st.sampled_from([0, -1, 1e308, -1e308, 5e-324, 2**63 - 1, 2**63, 10**30, 10**400, 0.1])
TEXTS = st.sampled_from(
    ["", " ", "\0", "a|b", "²", "٣", "9" * 19, "1:160", "< 5", "final", "x" * 3000, "Patient/a\0b"]
)
ODD: st.SearchStrategy[Any] = (
    DATES
    | NUMBERS
    | TEXTS
    | st.none()
    | st.booleans()
    | st.sampled_from([[], {}, [None], [[]], ["x"], {"value": 1e300, "unit": "mg/dL"}])
)


def places(value: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path to each member of a resource, at any depth."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    found = []
    for name, member in inner:
        found.append((*above, name))
        if isinstance(member, dict | list):
            found += places(member, (*above, name))
    return found


@st.composite
def spoiled(draw: st.DrawFn) -> bytes:
    """A record of ours with one or two members put in place of its own."""
    resource = json.loads(draw(st.sampled_from(RECORDS)))
    for _ in range(draw(st.integers(1, 2))):
        *path, last = draw(st.sampled_from(places(resource)))
        holder = resource
        for name in path:
            holder = holder[name]
        holder[last] = deepcopy(draw(ODD))
    return json.dumps(resource).encode()


@st.composite
def bundled(draw: st.DrawFn) -> bytes:
    """Entries of any shape around what may be a resource."""
    entries = draw(st.lists(ODD | st.builds(_entry, ODD, spoiled()), max_size=4))
    return json.dumps({"resourceType": "Bundle", "type": "batch", "entry": entries}).encode()


def _entry(odd: Any, record: bytes) -> dict[str, Any]:
    request = {"method": "DELETE", "url": f"Observation/1/_history/{odd}"}
    return {"fullUrl": odd, "resource": json.loads(record), "request": odd and request}


def read(value: bytes, key: bytes | None = None) -> list[Update]:
    """What is said; anything but Unreadable would come out as an error."""
    found = list(READER.read(value, key, SOURCE, "t/0", 5))
    assert all(item is None or isinstance(item, Update | Unreadable) for item in found)
    updates = [item for item in found if isinstance(item, Update)]
    for update in updates:
        msgspec.msgpack.encode(update)  # as the store keeps it
    return updates


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode), st.binary(max_size=40))
def test_bytes_that_are_nothing_are_unreadable_or_none_of_ours(value: bytes, key: bytes) -> None:
    read(value, key)


@given(st.data(), st.sampled_from(RECORDS))
def test_a_record_with_some_bytes_changed_raises_nothing(data: st.DataObject, value: bytes) -> None:
    at = data.draw(st.integers(0, len(value) - 1))
    read(value[:at] + data.draw(st.binary(max_size=8)) + value[at + data.draw(st.integers(0, 8)) :])


def deletion(version: str) -> bytes:
    request = {"method": "DELETE", "url": f"Observation/1/_history/{version}"}
    return json.dumps({"resourceType": "Bundle", "entry": [{"request": request}]}).encode()


@given(bundled())
@example(deletion("9" * 30))
@example(deletion("9" * 5000))
def test_a_bundle_of_anything_raises_nothing(value: bytes) -> None:
    read(value)


@given(st.lists(spoiled(), min_size=1, max_size=3))
@example([cryoglobulin("p").replace(b"2026-02-01T09:00:00Z", b"0001-01-01")])
@example([cryoglobulin("p").replace(b"2026-02-01T09:00:00Z", b"9999-12-31T23:59:59-12:00")])
@example([RECORDS[2].replace(b": 12", b": 1" + b"0" * 400)])
@example([RECORDS[3].replace(b'"value": 3', b'"value": 400')])
def test_what_was_read_goes_through_the_journey_and_no_rule_raises(values: list[bytes]) -> None:
    failures: list[tuple[str, str]] = []
    asked = replace(JOURNEY, on_failure=lambda rule, error: failures.append((rule, error)))
    updates = [update for value in [*RECORDS, *values] for update in read(value)]
    assessed = asked.assess(standing(updates), NOW)
    asked.changes(assessed, (), "||default|Patient/p", {})
    assert not failures
