"""A patient whose every field is a string, number or day of its own that nobody may repeat."""

from __future__ import annotations

import re
from itertools import count
from typing import Any, TypeAlias

from tests.support.fhir import CANARY

Resource: TypeAlias = dict[str, Any]

STEM = "zaunkoenig"
LEVEL = 0.7314159
BORN = "1907-02-19"
_LEAK = re.compile(rf"{STEM}[0-9]*|{CANARY}|7314159|{BORN}", re.IGNORECASE)

_CODING = {"system": "urn:*", "version": "*", "code": "*", "display": "*"}
_CONCEPT = {"coding": [_CODING], "text": "*"}
_IDENTIFIER = {"use": "*", "system": "urn:*", "value": "*", "assigner": {"display": "*"}}
_REFERENCE: Resource = {"reference": "Encounter/*", "display": "*", "identifier": _IDENTIFIER}
_EXTENSIONS = [
    {"url": "urn:*", "valueString": "*"},
    {"url": "urn:*", "valueReference": _REFERENCE},
]
_ALWAYS = {
    "implicitRules": "urn:*",
    "language": "*",
    "meta": {
        "versionId": "1",
        "source": "urn:*",
        "profile": ["urn:*"],
        "security": [_CODING],
        "tag": [_CODING],
    },
    "text": {"status": "*", "div": "<div>*</div>"},
    "contained": [{"resourceType": "Specimen", "id": "*", "note": [{"text": "*"}]}],
    "extension": _EXTENSIONS,
    "modifierExtension": _EXTENSIONS,
    "identifier": [_IDENTIFIER],
    "note": [{"authorString": "*", "text": "*"}],
    "encounter": _REFERENCE,
}
_LOINC, _ATC = "http://loinc.org", "http://www.whocc.no/atc"
_POSITIVE = {"system": "http://snomed.info/sct", "code": "10828004", "display": "*"}


def leaks(text: str) -> set[str]:
    """What of any canary's stands in a text."""
    return set(_LEAK.findall(text))


class Canaries:
    """Hands out strings, each once, and resources that are full of them."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def new(self) -> str:
        return f"{STEM}{next(self._numbers):04d}"

    def filled(self, template: Any) -> Any:
        """The template with another string in place of each asterisk."""
        if isinstance(template, str):
            return re.sub(r"\*", lambda _: self.new(), template)
        if isinstance(template, dict):
            return {name: self.filled(value) for name, value in template.items()}
        if isinstance(template, list):
            return [self.filled(value) for value in template]
        return template

    def good(self, patient: str) -> list[Resource]:
        """One readable resource of each type that is read, and more Observations."""
        return [
            *(self._of("Observation", patient, **members) for members in _observations()),
            self._of("Condition", patient, **_condition()),
            self._of("MedicationRequest", patient, **_prescription()),
            self._of("MedicationStatement", patient, **_prescription(), effectivePeriod={}),
            self._of("Patient", patient, **_person()) | {"id": patient},
        ]

    def ignored(self, patient: str) -> list[Resource]:
        """Resources of types that are not read."""
        kinds = ("ServiceRequest", "DiagnosticReport", "Encounter")
        return [self._of(kind, patient, code=_CONCEPT) for kind in kinds]

    def bad(self, patient: str) -> list[Resource]:
        """Every type again, each with a member of the wrong shape or a time that is none.

        And resources of types that FHIR does not have.
        """
        good = {each["resourceType"]: each for each in self.good(patient)}
        wrong = [
            *(("Observation", name) for name in ("effectiveDateTime", "valueQuantity", "code")),
            *(("Observation", name) for name in ("subject", "meta", "component", "id")),
            *(("Condition", name) for name in ("onsetDateTime", "clinicalStatus", "code")),
            *(("MedicationRequest", name) for name in ("authoredOn", "dosageInstruction")),
            *(("MedicationStatement", name) for name in ("effectivePeriod", "dateAsserted")),
            *(("Patient", name) for name in ("birthDate", "meta", "deceasedBoolean")),
        ]
        spoilt = [
            good[kind] | {"id": self.new(), name: self.new() if name != "id" else [self.new()]}
            for kind, name in wrong
        ]
        unknown = [self._of(STEM.title(), patient, code=_CONCEPT)]
        return [*spoilt, *unknown, good["Observation"] | {"resourceType": self.new()}]

    def _of(self, kind: str, patient: str, **members: Any) -> Resource:
        template = {"resourceType": kind, "id": "*", **_ALWAYS, **members}
        subject: Resource = {**_REFERENCE, "reference": f"Patient/{patient}"}
        filled: Resource = self.filled({**template, "subject": subject})
        return filled


def _observations() -> list[Resource]:
    """Four values: a level, a coded one, words nobody knows, a unit nobody knows."""
    common = {
        "status": "final",
        "category": [_CONCEPT],
        "effectiveDateTime": "2026-02-01T09:00:00Z",
        "performer": [_REFERENCE],
        "method": _CONCEPT,
        "interpretation": [_CONCEPT],
        "referenceRange": [{"text": "*", "type": _CONCEPT}],
    }
    unit = {"system": "http://unitsofmeasure.org", "code": "g/L", "unit": "g/L"}
    values: list[tuple[str, Resource]] = [
        ("2166-7", {"valueQuantity": {"value": LEVEL, **unit}}),
        ("5117-7", {"valueCodeableConcept": {"coding": [_POSITIVE], "text": "*"}}),
        ("11011-4", {"valueString": "*", "dataAbsentReason": _CONCEPT}),
        ("4498-2", {"valueQuantity": {"value": LEVEL, "unit": "*", "system": "urn:*"}}),
    ]
    return [
        {
            **common,
            **value,
            "code": {"coding": [{"system": _LOINC, "code": code, "display": "*"}, _CODING]},
            "component": [{"code": _CONCEPT, "valueString": "*"}],
        }
        for code, value in values
    ]


def _condition() -> Resource:
    purpura = {"system": "http://human-phenotype-ontology.org", "code": "HP:0031363"}
    return {
        "clinicalStatus": {"coding": [{"code": "active", "display": "*"}], "text": "*"},
        "code": {"coding": [{**purpura, "display": "*"}, _CODING], "text": "*"},
        "onsetDateTime": "2026-01-20",
        "recorder": _REFERENCE,
        "evidence": [{"detail": [_REFERENCE]}],
    }


def _prescription() -> Resource:
    coding = {"system": _ATC, "code": "J05AP55", "display": "*"}
    return {
        "status": "active",
        "medicationCodeableConcept": {"coding": [coding, _CODING], "text": "*"},
        "authoredOn": "2026-02-01",
        "dateAsserted": "2026-02-01",
        "dosageInstruction": [{"text": "*", "patientInstruction": "*"}],
        "reasonCode": [_CONCEPT],
    }


def _person() -> Resource:
    return {
        "name": [{"family": "*", "given": ["*"], "text": "*"}],
        "telecom": [{"value": "*"}],
        "address": [{"line": ["*"], "city": "*", "postalCode": "*"}],
        "contact": [{"name": {"family": "*"}}],
        "birthDate": BORN,
    }
