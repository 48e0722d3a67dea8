"""FHIR resources as a laboratory sends them, each carrying a canary: text nobody may repeat."""

from __future__ import annotations

import json
from typing import Any

CANARY = "Canary7"


def observation(patient: str, identifier: str, loinc: str, day: str, **members: Any) -> bytes:
    resource = {
        "resourceType": "Observation",
        "id": identifier,
        "meta": {"versionId": "1"},
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": loinc}]},
        "subject": {"reference": f"Patient/{patient}", "display": CANARY},
        "effectiveDateTime": f"{day}T09:00:00Z",
        "note": [{"text": CANARY}],
        **members,
    }
    return json.dumps(resource).encode()


def cryoglobulin(patient: str, day: str = "2026-02-01", **members: Any) -> bytes:
    """A positive cryoglobulin of unknown type: "searching for HCV is mandatory" (hcv-search)."""
    positive = {"coding": [{"system": "http://snomed.info/sct", "code": "10828004"}]}
    return observation(
        patient, f"cryo-{patient}", "5117-7", day, valueCodeableConcept=positive, **members
    )


def purpura(patient: str, day: str = "2026-02-01") -> bytes:
    """A purpura on the problem list: a sign of vasculitis (cryovas-likely)."""
    resource = {
        "resourceType": "Condition",
        "id": f"purpura-{patient}",
        "meta": {"versionId": "1"},
        "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "D69.2"}]},
        "subject": {"reference": f"Patient/{patient}", "display": CANARY},
        "onsetDateTime": day,
    }
    return json.dumps(resource).encode()
