"""fhir.resources as an oracle: what it accepts, our structs read alike, member by member.

It is no gate. What real systems send and it refuses is read all the same; those shapes are below.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from importlib import import_module
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from msgspec import Struct
from pydantic import ValidationError
from tests.support.desk import ZONE, reader
from tests.support.fhir_shapes import RESOURCES
from tests.support.first_results import first_results
from tests.support.histories import History, history, seeded, told_by_demo

from cryovigil.decode import Source, look, parse
from cryovigil.envelopes import Entry
from cryovigil.normalize.readings import Result, Update
from cryovigil.normalize.times import when
from cryovigil.resources import Component

# R4 has neither relations nor abatement as a boolean; of the others only the presence is read.
_OURS_ALONE = {"related", "abatementBoolean", "abatementAge", "abatementRange", "note"}
# A component is no resource and only borrows the struct of one.
_OF_RESOURCES = {"resourceType", "meta"}

C4_PART: dict[str, Any] = {"code": {"text": "C4"}, "valueString": "low"}
C4: dict[str, Any] = {
    "resourceType": "Observation",
    "id": "o1",
    "status": "final",
    "code": {"coding": [{"system": "http://loinc.org", "code": "4498-2"}]},
    "subject": {"reference": "Patient/7"},
    "effectiveDateTime": "2026-01-10T08:00:00+01:00",
    "valueQuantity": {"value": 0.05, "unit": "g/L"},
}


def ours(body: bytes) -> Struct:
    """The resource as the service reads it."""
    seen = look(Entry(body))
    assert seen is not None
    return parse(seen, body)


def theirs(body: bytes) -> Any:
    """The resource as fhir.resources reads it. Raises ValidationError."""
    name = json.loads(body)["resourceType"]
    module = import_module(f"fhir.resources.R4B.{name.lower()}")
    return getattr(module, name).model_validate_json(body)


def differences(own: Any, their: Any, where: str = "") -> list[str]:
    """Where the two say something else; only members that a struct of ours has are looked at."""
    if isinstance(own, Struct) and their is None:
        return [] if own == type(own)() else [f"{where}: only ours"]
    if isinstance(own, Struct):
        return [
            line
            for name, value in _read_of(own)
            for line in differences(value, _of_theirs(their, name), f"{where}.{name}")
        ]
    if isinstance(own, list):
        pairs = zip(own, their or (), strict=True)
        return [
            line for i, (a, b) in enumerate(pairs) for line in differences(a, b, f"{where}[{i}]")
        ]
    return [] if _alike(own, their) else [f"{where}: {own!r} is not {their!r}"]


def _read_of(own: Struct) -> Iterator[tuple[str, Any]]:
    """The members that a struct reads, by their FHIR names."""
    left_out = _OURS_ALONE | (_OF_RESOURCES if isinstance(own, Component) else set())
    for field in msgspec.structs.fields(own):
        if field.encode_name not in left_out:
            yield field.encode_name, getattr(own, field.name)


def _of_theirs(their: Any, member: str) -> Any:
    """Raises AttributeError where R4 has no such member."""
    return their.get_resource_type() if member == "resourceType" else getattr(their, member)


def _alike(own: Any, their: Any) -> bool:
    match their:
        case datetime():
            known = when(own, ZONE)
            return known is not None and known.instant == their
        case date():
            known = when(own, ZONE)
            return known is not None and known.earliest == known.latest == their
        case Decimal():
            return bool(own == float(their))
        case _:
            return bool(own == their)


def bodies(histories: Iterable[History]) -> list[bytes]:
    """Every resource of these histories, deletions left out."""
    values = (event.value for known in histories for event in known.events)
    return [value for value in values if value is not None and b'"Bundle"' not in value]


def test_the_resources_of_the_demo_and_of_the_tests_are_read_alike() -> None:
    known = bodies(
        [told_by_demo(), first_results(seeded(1), 50), *(history(seeded(n)) for n in range(20))]
    )
    assert len(known) > 300
    for body in known:
        assert differences(ours(body), theirs(body)) == [], body


@settings(max_examples=300, deadline=None, derandomize=True)
@given(RESOURCES)
def test_whatever_members_a_valid_resource_has_it_is_read_alike(resource: Any) -> None:
    body = json.dumps(resource).encode()
    assert differences(ours(body), theirs(body)) == []


def test_the_comparison_finds_what_differs() -> None:
    """Each kind of member, told otherwise to one of the two."""
    told = {
        **C4,
        "component": [C4_PART],
        "meta": {"versionId": "3"},
        "issued": "2026-01-11T08:00:00Z",
    }
    other = {
        **told,
        "status": "amended",
        "effectiveDateTime": "2026-01-10T08:00:00+02:00",
        "valueQuantity": {**told["valueQuantity"], "value": 0.06},
        "component": [{**C4_PART, "valueString": "other"}],
        "meta": {"versionId": "4"},
        "issued": "2026-01-12T08:00:00Z",
    }
    found = differences(ours(json.dumps(told).encode()), theirs(json.dumps(other).encode()))
    assert [line.partition(":")[0] for line in found] == [
        ".meta.versionId",
        ".valueQuantity.value",
        ".status",
        ".effectiveDateTime",
        ".issued",
        ".component[0].valueString",
    ]


# What real systems send, each as a change of C4.
SHAPES: dict[str, dict[str, Any]] = {
    "a time without a zone": {"effectiveDateTime": "2026-01-10T08:00:00"},
    "a time without seconds": {"effectiveDateTime": "2026-01-10T08:00+01:00"},
    "an offset without its colon": {"effectiveDateTime": "2026-01-10T08:00:00+0100"},
    "a blank in place of the T": {"effectiveDateTime": "2026-01-10 08:00:00"},
    "a lastUpdated without a zone": {"meta": {"lastUpdated": "2026-01-10T09:00:00"}},
    "an issued that is a date": {"issued": "2026-01-10"},
    "an id with underscores": {"id": "lab_1"},
    "a version with underscores": {"meta": {"versionId": "v_1"}},
    "a member that nobody knows": {"laboratory": {"bench": 4}},
    "a member of R5": {"triggeredBy": [{"type": "reflex"}]},
    "a relation of DSTU2": {"related": [{"type": "has-member", "target": {"reference": "x"}}]},
    "the interpretation of DSTU2, one concept": {"interpretation": {"coding": [{"code": "L"}]}},
    "two values": {"valueString": "0.05 g/L"},
    "an empty text beside the value": {"valueString": ""},
    "a wrong member where nobody looks": {"bodySite": "arm"},
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_that_fhir_resources_refuses_is_read(shape: str) -> None:
    body = json.dumps({**C4, **SHAPES[shape]}).encode()
    with pytest.raises(ValidationError):
        theirs(body)
    (update,) = reader().read(body, None, Source(), "t/0", 0)
    assert isinstance(update, Update)
    (result,) = update.readings
    assert isinstance(result, Result)
    # 08:00 at the site, in Paris in winter, is 07:00 UTC whichever way it is written.
    assert (result.value, result.unit, result.status) == (0.05, "g/L", "final")
    assert result.when is not None
    assert result.when.instant == datetime(2026, 1, 10, 7, tzinfo=UTC)
