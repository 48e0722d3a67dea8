"""Short ways to write the FHIR that a hospital would send. Dates are days before today."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, TypeAlias

from msgspec import Struct

Resource: TypeAlias = dict[str, Any]

LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
ICD_10 = "http://hl7.org/fhir/sid/icd-10"
ATC = "http://www.whocc.no/atc"
UCUM = "http://unitsofmeasure.org"

# name: LOINC code, display, UCUM unit (None for a coded or worded value)
TESTS: Mapping[str, tuple[str, str, str | None]] = {
    "cryoglobulin": ("2166-7", "Cryoglobulin", "g/L"),
    "cryoglobulin presence": ("5117-7", "Cryoglobulin [Presence] in Serum", None),
    "cryoglobulin type": ("48638-1", "Cryoglobulin type in Serum by Immunofixation", None),
    "C4": ("4498-2", "Complement C4 [Mass/volume] in Serum or Plasma", "g/L"),
    "HCV RNA": ("11011-4", "Hepatitis C virus RNA [Units/volume] in Serum or Plasma", "[IU]/mL"),
    "HCV RNA presence": ("11259-9", "Hepatitis C virus RNA [Presence] in Serum or Plasma", None),
    "HCV antibody": ("13955-0", "Hepatitis C virus Ab [Presence] in Serum or Plasma", None),
    "creatinine": ("14682-9", "Creatinine [Moles/volume] in Serum or Plasma", "umol/L"),
}
WORDS = {
    "positive": ("10828004", "Positive"),
    "negative": ("260385009", "Negative"),
    "not detected": ("260415000", "Not detected"),
}
# FHIR's own references for a low value; the report's range decides before the flag.
C4_RANGE = {"low": 0.10, "high": 0.40}


class Chart(Struct, frozen=True):
    """Writes the resources of one patient. patient: the id; today: what "days ago" counts from."""

    patient: str
    today: date

    def person(self, family: str, born: int) -> Resource:
        """A Patient, marked as synthetic by name."""
        return {
            "resourceType": "Patient",
            "id": self.patient,
            "meta": {"versionId": "1"},
            "name": [{"family": family, "given": ["Synthetic"]}],
            "birthDate": f"{born}-05-02",
        }

    def result(self, name: str, value: float | str, days_ago: int, **changes: Any) -> Resource:
        """An Observation. changes: `version` and `status`; a text is a coded word or the value."""
        code, display, unit = TESTS[name]
        status, version = changes.get("status", "final"), changes.get("version", 1)
        observation = {
            "resourceType": "Observation",
            "id": f"{self.patient}-{code}-{days_ago}",
            "meta": {"versionId": str(version)},
            "status": status,
            "category": [{"coding": [{"code": "laboratory"}]}],
            "code": {"coding": [{"system": LOINC, "code": code, "display": display}]},
            "subject": self._subject,
            "effectiveDateTime": self._at(days_ago, 8),
            "issued": self._at(max(days_ago - 8, 0), 9),
            **_value(value, unit),
        }
        if name == "C4":
            bounds = {bound: _quantity(limit, "g/L") for bound, limit in C4_RANGE.items()}
            observation["referenceRange"] = [bounds]
        return observation

    def condition(self, code: str, text: str, days_ago: int) -> Resource:
        """An active, confirmed Condition on the problem list, coded in ICD-10."""
        return {
            "resourceType": "Condition",
            "id": f"{self.patient}-{code}-{days_ago}".replace(".", ""),
            "meta": {"versionId": "1"},
            "clinicalStatus": {"coding": [{"code": "active"}]},
            "verificationStatus": {"coding": [{"code": "confirmed"}]},
            "category": [{"coding": [{"code": "problem-list-item"}]}],
            "code": {"coding": [{"system": ICD_10, "code": code}], "text": text},
            "subject": self._subject,
            "onsetDateTime": self._day(days_ago),
            "recordedDate": self._day(days_ago),
        }

    def antiviral(self, start: int, end: int) -> Resource:
        """A completed course of sofosbuvir and velpatasvir, with its period."""
        coding = {"system": ATC, "code": "J05AP55", "display": "sofosbuvir and velpatasvir"}
        return {
            "resourceType": "MedicationStatement",
            "id": f"{self.patient}-antiviral-{start}",
            "meta": {"versionId": "1"},
            "status": "completed",
            "medicationCodeableConcept": {"coding": [coding]},
            "subject": self._subject,
            "effectivePeriod": {"start": self._day(start), "end": self._day(end)},
            "dateAsserted": self._day(end),
        }

    @property
    def _subject(self) -> Resource:
        return {"reference": f"Patient/{self.patient}"}

    def _day(self, days_ago: int) -> str:
        return (self.today - timedelta(days=days_ago)).isoformat()

    def _at(self, days_ago: int, hour: int) -> str:
        """The instant of that day; never ahead of midnight of today, which has passed."""
        day = self.today - timedelta(days=max(days_ago, 1))
        return datetime.combine(day, time(hour), UTC).isoformat()


def report(*resources: Resource) -> Resource:
    """Results of one laboratory order: a transaction Bundle, as laboratories send them."""
    entries = [
        {
            "fullUrl": f"{resource['resourceType']}/{resource['id']}",
            "resource": resource,
            "request": {"method": "PUT", "url": f"{resource['resourceType']}/{resource['id']}"},
        }
        for resource in resources
    ]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def _value(value: float | str, unit: str | None) -> Resource:
    if unit is not None and not isinstance(value, str):
        return {"valueQuantity": _quantity(value, unit)}
    if value in WORDS:
        code, display = WORDS[str(value)]
        coding = {"system": SNOMED, "code": code, "display": display}
        return {"valueCodeableConcept": {"coding": [coding]}}
    return {"valueString": value}


def _quantity(value: float, unit: str) -> Resource:
    return {"value": value, "unit": unit, "system": UCUM, "code": unit}
