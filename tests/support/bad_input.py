"""Records that no reading makes sense of, and the reason each is kept under as a dead letter."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from tests.support.fhir import cryoglobulin

MAX_DEPTH = 100


class Bad(NamedTuple):
    """A record and its reason. whose: its patient can be told, whose data are incomplete now."""

    name: str
    value: bytes
    reason: str
    whose: bool = False


def records(patient: str, limit: int) -> list[Bad]:
    """One of every kind, all of one patient. limit: of a record's size, which one exceeds."""
    return [*_no_resources(patient, limit), *_no_results(patient)]


def _no_resources(patient: str, limit: int) -> list[Bad]:
    """What is no JSON, no resource, or too much of either."""
    return [
        Bad("truncated", cryoglobulin(patient)[:-20], "not-json"),
        Bad("empty", b"", "not-json"),
        Bad("HL7 v2", b"MSH|^~\\&|LAB|" + patient.encode(), "not-json"),
        Bad("not UTF-8", cryoglobulin(patient).decode().encode("utf-16"), "not-json"),
        Bad("NaN", _changed(patient, valueQuantity={"value": float("nan")}), "not-json"),
        Bad("infinity", _changed(patient, valueQuantity={"value": float("-inf")}), "not-json"),
        Bad("101 levels", nested(patient, MAX_DEPTH + 1), "too-deep"),
        Bad("over the limit", sized(patient, limit + 1), "too-large"),
        Bad("no object", json.dumps([patient]).encode(), "not-a-resource"),
        Bad("no type", _changed(patient, resourceType=None), "not-a-resource"),
        Bad("a type that is a number", _changed(patient, resourceType=7), "not-a-resource"),
        Bad(
            "a misspelled type",
            _changed(patient, resourceType="Observatoin"),
            "not-a-resource",
            whose=True,
        ),
        Bad(
            "a type no resource has",
            _changed(patient, resourceType="lab"),
            "not-a-resource",
            whose=True,
        ),
        Bad("entries that are no list", _bundle({"resource": 1}), "not-a-resource"),
    ]


def _no_results(patient: str) -> list[Bad]:
    """Resources, or entries, that lack what they are told by or hold something else there."""
    return [
        Bad("no id", _changed(patient, id=""), "no-id", whose=True),
        Bad("an id with a NUL", _changed(patient, id=f"{patient}\0"), "bad-id", whose=True),
        Bad("a very long id", _changed(patient, id="x" * 6000), "bad-id", whose=True),
        Bad(
            "a subject with a NUL",
            _changed(patient, subject={"reference": f"Patient/{patient}\0"}),
            "no-subject",
        ),
        Bad(
            "a subject with a bar",
            _changed(patient, subject={"reference": f"Patient/a|{patient}"}),
            "no-subject",
        ),
        Bad("no subject", _changed(patient, subject=None), "no-subject"),
        Bad(
            "a subject that is a group",
            _changed(patient, subject={"reference": f"Group/{patient}"}),
            "no-subject",
        ),
        Bad("a code that is text", _changed(patient, code="5117-7"), "bad-structure", whose=True),
        Bad(
            "a Latin-1 value",
            _changed(patient, valueString="Kryoglobulin: nachgewiesen, kräftig", raw="latin-1"),
            "bad-structure",
            whose=True,
        ),
        Bad(
            "a number that is text",
            _changed(patient, valueQuantity={"value": "0.2"}),
            "bad-structure",
            whose=True,
        ),
        Bad(
            "a day no calendar has",
            _changed(patient, effectiveDateTime="2026-13-01"),
            "unreadable-time",
            whose=True,
        ),
        Bad(
            "the first day of the calendar",
            _changed(patient, effectiveDateTime="0001-01-01T00:00:00Z"),
            "unreadable-time",
            whose=True,
        ),
        Bad(
            "an integer of 400 digits",
            _changed(patient, valueInteger=10**400),
            "bad-structure",
            whose=True,
        ),
        Bad("id only", _bundle([_put(f"Observation/{patient}")]), "needs-read"),
        Bad(
            "deletion of nothing",
            _bundle([{"request": {"method": "DELETE", "url": f"?subject={patient}"}}]),
            "deletion-of-nothing",
        ),
    ]


def nested(patient: str, levels: int) -> bytes:
    """A readable cryoglobulin, with a member that nobody reads so many levels deep."""
    inner = levels - 1
    return _with(patient, "extension_of_theirs", b"[" * inner + b"]" * inner)


def sized(patient: str, size: int) -> bytes:
    """A readable cryoglobulin of exactly so many bytes."""
    bare = len(_with(patient, "padding", b'""'))
    return _with(patient, "padding", json.dumps("x" * (size - bare)).encode())


def bundle_with_a_bad_entry(patient: str) -> bytes:
    """Good entries before and after one that is none."""
    good = json.loads(cryoglobulin(patient))
    request = {"resource": {"resourceType": "ServiceRequest", "id": patient}}
    return _bundle([request, {"resource": {**good, "subject": None}}, {"resource": good}])


def _changed(patient: str, raw: str = "utf-8", **members: Any) -> bytes:
    """The cryoglobulin of a patient with members put in place of its own; None leaves one out."""
    resource = json.loads(cryoglobulin(patient)) | members
    kept = {name: value for name, value in resource.items() if value is not None}
    return json.dumps(kept, ensure_ascii=False).encode(raw)


def _with(patient: str, member: str, value: bytes) -> bytes:
    return cryoglobulin(patient)[:-1] + f', "{member}": '.encode() + value + b"}"


def _bundle(entries: Any) -> bytes:
    return json.dumps({"resourceType": "Bundle", "type": "batch", "entry": entries}).encode()


def _put(name: str) -> dict[str, Any]:
    return {"fullUrl": name, "request": {"method": "PUT", "url": name}}
