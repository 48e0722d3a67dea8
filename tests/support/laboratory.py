"""What a laboratory really sends: whole orders as Bundles, in codes and units of its own.

One transaction Bundle an order, its key the order's number: the ServiceRequest, the
DiagnosticReport, then the Observations. Nothing has a version; display units are the laboratory's
own spelling, and the UCUM code beside them another.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

Resource: TypeAlias = dict[str, Any]

CODES = "https://laboratory.example.org/fhir/CodeSystem/test-code"
UNITS = "https://laboratory.example.org/fhir/CodeSystem/unit"
UCUM = "http://unitsofmeasure.org"
PATIENT = "Patient/599999"

# The site's own file (MAPPINGS__SITE): its codes, and the unit where results come without one.
SITE_CODES = f"""
- {{system: "{CODES}", code: KRYOQ, concept: cryoglobulin quantity}}
- {{system: "{CODES}", code: KRYOT, concept: cryoglobulin type}}
- {{system: "{CODES}", code: C4, concept: complement c4}}
- {{system: "{CODES}", code: RF, concept: rheumatoid factor}}
- {{system: "{CODES}", code: KREA, concept: creatinine, unit: "umol/L"}}
"""


def site_file(folder: Path) -> dict[str, str]:
    """The setting that names the site's codes, written below `folder`."""
    file = folder / "site-codes.yaml"
    file.write_text(SITE_CODES)
    return {"CRYOVIGIL_MAPPINGS__SITE": str(file)}


def quantity(value: float, unit: str, code: str | None = None) -> Resource:
    """A value in the laboratory's spelling; code: UCUM, else the unit is of a local system."""
    system, code = (UCUM, code) if code is not None else (UNITS, unit)
    return {"value": value, "unit": unit, "system": system, "code": code}


def result(identifier: str, code: str, taken: str, **members: Any) -> Resource:
    """An Observation of PATIENT under a local code. taken: with the laboratory's own offset."""
    return {
        "resourceType": "Observation",
        "id": identifier,
        "status": "final",
        "code": {"coding": [{"system": CODES, "code": code, "display": code.title()}]},
        "subject": {"reference": PATIENT},
        "effectiveDateTime": taken,
        **members,
    }


def order(number: str, *results: Resource, status: str = "final") -> bytes:
    """The Bundle of one order. status: of the report."""
    report: Resource = {
        "resourceType": "DiagnosticReport",
        "id": number,
        "status": status,
        "result": [{"reference": _name(each)} for each in results],
    }
    request: Resource = {"resourceType": "ServiceRequest", "id": number, "status": "completed"}
    entries = [_put(each) for each in (request, report, *results)]
    bundle = {"resourceType": "Bundle", "id": number, "type": "transaction", "entry": entries}
    return json.dumps(bundle, ensure_ascii=False).encode()


def _put(resource: Mapping[str, Any]) -> Resource:
    name = _name(resource)
    return {"fullUrl": name, "resource": resource, "request": {"method": "PUT", "url": name}}


def _name(resource: Mapping[str, Any]) -> str:
    return f"{resource['resourceType']}/{resource['id']}"
