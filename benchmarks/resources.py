"""FHIR R4 as hospital systems write it: 1 to 1.5 kB a resource, most of which nobody reads.

Every resource carries a local coding beside the standard one, a source, an identifier, an
encounter and a performer, for that is what has to be skipped.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import msgspec
from msgspec import Struct

from benchmarks.catalogue import Assay, Listed

TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
HOSPITAL = "https://fhir.hospital.example"
LOINC = "http://loinc.org"
ICD_10 = "http://hl7.org/fhir/sid/icd-10"
ATC = "http://www.whocc.no/atc"
SNOMED = "http://snomed.info/sct"
UCUM = "http://unitsofmeasure.org"

POSITIVE = ("10828004", "Positive")
NEGATIVE = ("260385009", "Negative")
NOT_DETECTED = ("260415000", "Not detected")

_encode = msgspec.json.Encoder().encode


class Writer(Struct, frozen=True):
    """Writes the resources of one patient. today: what "days ago" counts from."""

    patient: str
    today: date

    def measured(
        self, identifier: str, assay: Assay, value: float, days_ago: int, flag: str = "N"
    ) -> bytes:
        """An Observation with a number. flag: N, H or L, as the value lies to the range."""
        low, high = _quantity(assay.low, assay.unit), _quantity(assay.high, assay.unit)
        members = {
            "valueQuantity": _quantity(value, assay.unit),
            "interpretation": [_coded(f"{TERMINOLOGY}/v3-ObservationInterpretation", flag)],
            "referenceRange": [{"low": low, "high": high}],
        }
        return self._observation(
            identifier, assay.loinc, assay.display, days_ago, assay.category, members
        )

    def worded(
        self, identifier: str, loinc: str, display: str, word: tuple[str, str], days_ago: int
    ) -> bytes:
        """An Observation with a coded value, such as POSITIVE."""
        members = {"valueCodeableConcept": _coded(SNOMED, *word) | {"text": word[1]}}
        return self._observation(identifier, loinc, display, days_ago, "laboratory", members)

    def _observation(
        self,
        identifier: str,
        loinc: str,
        display: str,
        days_ago: int,
        category: str,
        members: Mapping[str, Any],
    ) -> bytes:
        day = self._day(days_ago)
        return _encode(
            {
                **self._head("Observation", identifier, day),
                "basedOn": [{"reference": f"ServiceRequest/{identifier}"}],
                "status": "final",
                "category": [_coded(f"{TERMINOLOGY}/observation-category", category)],
                "code": _code(LOINC, loinc, display),
                **self._context(identifier),
                "effectiveDateTime": f"{day}T07:42:00+01:00",
                "issued": f"{day}T11:05:31.000+01:00",
                "performer": [_named("Organization/laboratory", "Laboratory")],
                **members,
                "specimen": {"reference": f"Specimen/{identifier}"},
            }
        )

    def condition(self, identifier: str, listed: Listed, days_ago: int) -> bytes:
        """An active, confirmed Condition of the problem list."""
        day = self._day(days_ago)
        return _encode(
            {
                **self._head("Condition", identifier, day),
                "clinicalStatus": _coded(f"{TERMINOLOGY}/condition-clinical", "active", "Active"),
                "verificationStatus": _coded(
                    f"{TERMINOLOGY}/condition-ver-status", "confirmed", "Confirmed"
                ),
                "category": [
                    _coded(f"{TERMINOLOGY}/condition-category", "problem-list-item", "Problem list")
                ],
                "code": _code(ICD_10, listed.code, listed.display) | {"text": listed.display},
                **self._context(identifier),
                "onsetDateTime": day,
                "recordedDate": f"{day}T15:12:09+01:00",
                "recorder": _named("Practitioner/4711", "Attending physician"),
                "asserter": _named("Practitioner/4711", "Attending physician"),
            }
        )

    def prescription(
        self,
        identifier: str,
        drug: Listed,
        days_ago: int,
        *,
        days: int = 84,
        status: str = "active",
    ) -> bytes:
        """A MedicationRequest that is valid for so many days from when it was written."""
        day = self._day(days_ago)
        validity = {"start": day, "end": self._day(days_ago - days)}
        return _encode(
            {
                **self._head("MedicationRequest", identifier, day),
                "status": status,
                "intent": "order",
                "category": [_coded(f"{TERMINOLOGY}/medicationrequest-category", "outpatient")],
                "medicationCodeableConcept": _code(ATC, drug.code, drug.display),
                **self._context(identifier),
                "authoredOn": day,
                "requester": _named("Practitioner/4711", "Attending physician"),
                "dosageInstruction": [
                    {
                        "text": "one tablet once a day",
                        "timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}},
                        "doseAndRate": [{"doseQuantity": _quantity(1, "{tbl}")}],
                    }
                ],
                "dispenseRequest": {
                    "validityPeriod": validity,
                    "quantity": _quantity(days, "{tbl}"),
                },
            }
        )

    def _head(self, resource_type: str, identifier: str, day: str) -> dict[str, Any]:
        return {
            "resourceType": resource_type,
            "id": identifier,
            "meta": {
                "versionId": "1",
                "lastUpdated": f"{day}T16:05:32.114+01:00",
                "source": "urn:hospital:integration:17",
                "profile": [f"{HOSPITAL}/StructureDefinition/{resource_type}"],
            },
            "identifier": [
                {
                    "system": f"{HOSPITAL}/identifiers/filler",
                    "value": f"F-{identifier}",
                }
            ],
        }

    def _context(self, identifier: str) -> dict[str, Any]:
        return {
            "subject": {"reference": f"Patient/{self.patient}"},
            "encounter": {"reference": f"Encounter/{identifier}"},
        }

    def _day(self, days_ago: int) -> str:
        return (self.today - timedelta(days=days_ago)).isoformat()


def _code(system: str, code: str, display: str) -> dict[str, Any]:
    """A standard code beside the hospital's own, as most systems send them."""
    local = {"system": f"{HOSPITAL}/codes", "code": f"H{code}"}
    return {"coding": [{"system": system, "code": code, "display": display}, local]}


def _coded(system: str, code: str, display: str | None = None) -> dict[str, Any]:
    coding = {"system": system, "code": code}
    return {"coding": [coding | {"display": display} if display else coding]}


def _named(reference: str, display: str) -> dict[str, str]:
    return {"reference": reference, "display": display}


def _quantity(value: float, unit: str) -> dict[str, Any]:
    return {"value": value, "unit": unit, "system": UCUM, "code": unit}
