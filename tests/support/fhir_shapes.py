"""Valid R4 resources of the types that are read, with whatever members they may have."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

Json = st.SearchStrategy[Any]

_IDS = st.from_regex(r"\A[A-Za-z0-9\-.]{1,64}\Z")
_WORDS = st.sampled_from(("Positive", "negativ", "0,62 g/L", "voir note", "Typ II", "<15"))
_NUMBERS = st.decimals(-1000, 10_000_000, places=4).map(float) | st.sampled_from((0, 1e-3, 6.2e5))
_DAYS = st.dates().map(lambda day: day.replace(year=1900 + day.year % 200)).map(str)
_CLOCKS = st.from_regex(r"\A([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?\Z")
_OFFSETS = st.sampled_from(("Z", "+01:00", "-05:00", "+05:30", "+14:00"))
_INSTANTS = st.builds("{}T{}{}".format, _DAYS, _CLOCKS, _OFFSETS)
_TIMES = _INSTANTS | _DAYS | _DAYS.map(lambda day: day[:7]) | _DAYS.map(lambda day: day[:4])


def _some(required: dict[str, Json] | None = None, **optional: Json) -> Json:
    return st.fixed_dictionaries(required or {}, optional=optional)


def _few(inner: Json) -> Json:
    return st.lists(inner, min_size=1, max_size=2)


def _one_of(**members: Json) -> Json:
    """One member of a choice such as value[x], or none."""
    return st.one_of(st.just({}), *(_some({name: values}) for name, values in members.items()))


def _joined(*parts: Json) -> Json:
    """The members of several dictionaries together."""
    return st.tuples(*parts).map(lambda found: {k: v for part in found for k, v in part.items()})


_CODING = _some(
    system=st.sampled_from(("http://loinc.org", "http://snomed.info/sct", "urn:site")),
    code=st.sampled_from(("4498-2", "2166-7", "10828004", "D69.2", "active")),
    display=_WORDS,
).filter(bool)
_CONCEPT = _some(coding=_few(_CODING), text=_WORDS).filter(bool)
_REFERENCE = st.builds(
    lambda base, name: {"reference": f"{base}{name}"},
    st.sampled_from(("Patient/", "https://fhir.example.org/r4/Patient/", "")),
    _IDS,
)
_PERIOD = st.one_of(
    _some({"start": _TIMES}), _some({"end": _TIMES}), st.just({"start": "2020", "end": "2021-02"})
)
_SIMPLE_QUANTITY = _some(
    {"value": _NUMBERS},
    unit=st.sampled_from(("g/L", "mg/dl", "UI/mL")),
    system=st.just("http://unitsofmeasure.org"),
    code=st.sampled_from(("g/L", "mg/dL", "[IU]/mL")),
)
_QUANTITY = _joined(_SIMPLE_QUANTITY, _some(comparator=st.sampled_from(("<", "<=", ">=", ">"))))
_RANGE = _some({"low": _SIMPLE_QUANTITY}, high=_SIMPLE_QUANTITY, text=_WORDS, type=_CONCEPT)
_META = _some(
    versionId=_IDS,
    lastUpdated=_INSTANTS,
    security=_few(_CODING),
    tag=_few(_CODING),
    profile=st.just(["http://hl7.org/fhir/StructureDefinition/vitalsigns"]),
).filter(bool)
_VALUE = _one_of(
    valueQuantity=_QUANTITY,
    valueCodeableConcept=_CONCEPT,
    valueString=_WORDS,
    valueInteger=st.integers(0, 9999),
    valueBoolean=st.booleans(),
)
_VALUED = _joined(
    _VALUE,
    _some(
        interpretation=_few(_CONCEPT),
        dataAbsentReason=_CONCEPT,
        referenceRange=_few(_RANGE),
    ),
)
_COMPONENT = _joined(_some({"code": _CONCEPT}), _VALUED)
_SPECIMEN = _some(
    {"resourceType": st.just("Specimen"), "id": _IDS},
    collection=_one_of(collectedDateTime=_TIMES, collectedPeriod=_PERIOD).filter(bool),
)
_REPLACES = st.builds(
    lambda reference: {
        "url": "http://hl7.org/fhir/StructureDefinition/observation-replaces",
        "valueReference": reference,
    },
    _REFERENCE,
)


def _resource(name: str, *parts: Json) -> Json:
    identity = _some({"resourceType": st.just(name), "id": _IDS}, meta=_META)
    return _joined(identity, *parts)


OBSERVATIONS = _resource(
    "Observation",
    _some(
        {
            "status": st.sampled_from(
                ("registered", "preliminary", "final", "amended", "corrected", "cancelled")
            ),
            "code": _CONCEPT,
        },
        subject=_REFERENCE,
        issued=_INSTANTS,
        component=_few(_COMPONENT),
        contained=_few(_SPECIMEN),
        extension=_few(_REPLACES),
        note=st.just([{"text": "voir note"}]),
    ),
    _one_of(effectiveDateTime=_TIMES, effectivePeriod=_PERIOD, effectiveInstant=_INSTANTS),
    _VALUED,
)
CONDITIONS = _resource(
    "Condition",
    _some(
        {"subject": _REFERENCE},
        code=_CONCEPT,
        clinicalStatus=_CONCEPT,
        verificationStatus=_CONCEPT,
        category=_few(_CONCEPT),
        recordedDate=_TIMES,
    ),
    _one_of(onsetDateTime=_TIMES, onsetPeriod=_PERIOD),
    _one_of(abatementDateTime=_TIMES, abatementPeriod=_PERIOD, abatementString=_WORDS),
)
REQUESTS = _resource(
    "MedicationRequest",
    _some(
        {
            "status": st.sampled_from(("active", "completed", "stopped", "entered-in-error")),
            "intent": st.just("order"),
            "subject": _REFERENCE,
            "medicationCodeableConcept": _CONCEPT,
        },
        authoredOn=_TIMES,
        dispenseRequest=_some({"validityPeriod": _PERIOD}),
        dosageInstruction=st.builds(
            lambda period: [{"timing": {"repeat": {"boundsPeriod": period}}}], _PERIOD
        ),
    ),
)
STATEMENTS = _resource(
    "MedicationStatement",
    _some(
        {
            "status": st.sampled_from(("active", "completed", "not-taken")),
            "subject": _REFERENCE,
            "medicationCodeableConcept": _CONCEPT,
        },
        dateAsserted=_TIMES,
    ),
    _one_of(effectiveDateTime=_TIMES, effectivePeriod=_PERIOD),
)
PATIENTS = _resource(
    "Patient",
    _some(birthDate=_DAYS),
    _one_of(deceasedBoolean=st.booleans(), deceasedDateTime=_TIMES),
)
RESOURCES = OBSERVATIONS | CONDITIONS | REQUESTS | STATEMENTS | PATIENTS
