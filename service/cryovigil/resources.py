"""The FHIR resources that are read, as strict structs: R4 members, those that decide something.

A member that no struct names is not judged: real systems send R5 members, their own and wrong ones.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta as Limits, Struct

# A number and lists beyond these are no structure of FHIR that anyone sends, and reading them would
# hold everybody else up.
_Integer: TypeAlias = Annotated[int, Limits(ge=-(2**63), le=2**63 - 1)]
_FEW, _SOME, _MANY = Limits(max_length=50), Limits(max_length=200), Limits(max_length=500)


class Fhir(Struct, rename="camel", kw_only=True):
    """Members are camelCase in JSON."""


class Coding(Fhir):
    system: str | None = None
    code: str | None = None
    display: str | None = None


class CodeableConcept(Fhir):
    coding: Annotated[list[Coding], _SOME] = []
    text: str | None = None


class Reference(Fhir):
    reference: str | None = None


class Tag(Fhir):
    system: str | None = None
    code: str | None = None


class Meta(Fhir):
    version_id: str | None = None
    last_updated: str | None = None
    security: list[Tag] = []
    tag: list[Tag] = []


class Period(Fhir):
    start: str | None = None
    end: str | None = None


class Quantity(Fhir):
    value: float | None = None
    comparator: str | None = None
    unit: str | None = None
    system: str | None = None
    code: str | None = None


class Range(Fhir):
    low: Quantity | None = None
    high: Quantity | None = None
    text: str | None = None
    type: CodeableConcept | None = None


class Extension(Fhir):
    url: str = ""
    value_reference: Reference | None = None


class Related(Fhir):
    """Observation.related of DSTU2 and STU3: how some laboratories still say "replaces"."""

    type: str | None = None
    target: Reference | None = None


class Collection(Fhir):
    collected_date_time: str | None = None
    collected_period: Period | None = None


class Contained(Fhir):
    resource_type: str = ""
    id: str | None = None
    collection: Collection | None = None


class Base(Fhir):
    resource_type: str = ""
    id: str | None = None
    meta: Meta | None = None


class _Valued(Base):
    """What an Observation and each of its components have in common.

    A component is no resource; it only borrows the members, as a struct has a single base.
    """

    code: CodeableConcept = msgspec.field(default_factory=CodeableConcept)
    value_quantity: Quantity | None = None
    value_codeable_concept: CodeableConcept | None = None
    value_string: str | None = None
    value_integer: _Integer | None = None
    value_boolean: bool | None = None
    data_absent_reason: CodeableConcept | None = None
    interpretation: Annotated[list[CodeableConcept], _FEW] | CodeableConcept = []
    reference_range: Annotated[list[Range], _FEW] = []


class Component(_Valued):
    """R4 Observation.component."""


class Observation(_Valued):
    """R4 Observation, as far as it is read."""

    status: str = "unknown"
    subject: Reference | None = None
    effective_date_time: str | None = None
    effective_instant: str | None = None
    effective_period: Period | None = None
    issued: str | None = None
    component: Annotated[list[Component], _MANY] = []
    contained: Annotated[list[Contained], _SOME] = []
    extension: Annotated[list[Extension], _MANY] = []
    related: Annotated[list[Related], _MANY] = []
    note: list[Any] = []


class Condition(Base):
    """R4 Condition, as far as it is read."""

    code: CodeableConcept = msgspec.field(default_factory=CodeableConcept)
    subject: Reference | None = None
    clinical_status: CodeableConcept | None = None
    verification_status: CodeableConcept | None = None
    category: list[CodeableConcept] = []
    onset_date_time: str | None = None
    onset_period: Period | None = None
    abatement_date_time: str | None = None
    abatement_period: Period | None = None
    abatement_boolean: bool | None = None
    abatement_string: str | None = None
    abatement_age: Any = None
    abatement_range: Any = None
    recorded_date: str | None = None


class _Repeat(Fhir):
    bounds_period: Period | None = None


class _Timing(Fhir):
    repeat: _Repeat | None = None


class _Dosage(Fhir):
    timing: _Timing | None = None


class DispenseRequest(Fhir):
    validity_period: Period | None = None


class ContainedDrug(Fhir):
    """What a medication resource contains; a code of another shape is that of another type."""

    resource_type: str = ""
    id: str | None = None
    code: CodeableConcept | list[Any] | str | None = None


class Medication(Base):
    """R4 Medication, as far as it is read: the drug behind a reference."""

    code: CodeableConcept | None = None


class _Medicated(Base):
    """What orders and statements have in common."""

    status: str | None = None
    subject: Reference | None = None
    medication_codeable_concept: CodeableConcept | None = None
    medication_reference: Reference | None = None
    contained: list[ContainedDrug] = []


class MedicationRequest(_Medicated):
    """R4 MedicationRequest, as far as it is read."""

    intent: str | None = None
    do_not_perform: bool | None = None
    authored_on: str | None = None
    dispense_request: DispenseRequest | None = None
    dosage_instruction: list[_Dosage] = []


class MedicationStatement(_Medicated):
    """R4 MedicationStatement, as far as it is read."""

    effective_date_time: str | None = None
    effective_period: Period | None = None
    date_asserted: str | None = None


class Patient(Base):
    """R4 Patient, as far as it is read."""

    birth_date: str | None = None
    deceased_boolean: bool | None = None
    deceased_date_time: str | None = None


Resource: TypeAlias = Observation | Condition | MedicationRequest | MedicationStatement | Patient
