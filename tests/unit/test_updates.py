"""From the bytes of a record to updates: identity, version, patient, values; or a fixed reason."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from cryovigil.decode import Source
from cryovigil.errors import Unreadable
from cryovigil.normalize import Site
from cryovigil.normalize.readings import Finding, Person, Result, Treatment, Update
from cryovigil.normalize.tables import load_tables
from cryovigil.timeline import Timeline
from cryovigil.updates import Reader

SITE = Site(zone=ZoneInfo("Europe/Paris"), opt_out=frozenset({("urn:site", "no-cds")}))
OWN = Source(base="https://fhir.example.org/r4")
LOINC, UCUM = "http://loinc.org", "http://unitsofmeasure.org"


@cache
def reader(site_codes: Path | None = None) -> Reader:
    return Reader(load_tables(Path(__file__).parents[2] / "mappings", site_codes), SITE)


def read(resource: dict[str, Any], source: Source = OWN) -> list[Update | Unreadable | None]:
    return list(reader().read(json.dumps(resource).encode(), None, source, "t/0", 5))


def update(resource: dict[str, Any], source: Source = OWN) -> Update:
    (found,) = read(resource, source)
    assert isinstance(found, Update), found
    return found


def observation(code: str = "4498-2", **members: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": "o1",
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": code}]},
        "subject": {"reference": "Patient/7"},
        "effectiveDateTime": "2026-01-10T08:00:00+01:00",
        **members,
    }


def quantity(value: float, code: str, unit: str | None = None, **more: Any) -> dict[str, Any]:
    return {"value": value, "unit": unit or code, "system": UCUM, "code": code, **more}


def result(**members: Any) -> Result:
    code = members.pop("code", "4498-2")
    (reading,) = update(observation(code, **members)).readings
    assert isinstance(reading, Result)
    return reading


def test_c4_in_mg_per_dl_is_read_in_g_per_l() -> None:
    # 1 mg/dL = 0.01 g/L, so 2.3 mg/dL = 0.023 g/L.
    assert result(valueQuantity=quantity(2.3, "mg/dL")).value == 0.023


def test_the_comparator_and_the_range_of_the_report_are_kept() -> None:
    c4 = result(
        valueQuantity=quantity(1.5, "mg/dL", comparator="<"),
        referenceRange=[{"low": quantity(10, "mg/dL"), "high": quantity(40, "mg/dL")}],
    )
    assert (c4.comparator, c4.value, c4.low, c4.high) == ("<", 0.015, 0.1, 0.4)


def test_a_display_unit_that_differs_from_the_code_only_in_writing_is_no_contradiction() -> None:
    # 24 ug/L is 24 ng/mL: the laboratory's display and its code say the same.
    c4 = result(valueQuantity=quantity(120000, "ng/mL", "µg/l"))
    assert c4.value == pytest.approx(0.12)


def test_a_display_unit_that_contradicts_the_code_gives_no_value() -> None:
    c4 = result(valueQuantity=quantity(12, "g/L", "mg/dL"))
    assert (c4.value, c4.problem) == (None, "unit-contradiction")


def test_a_log_result_becomes_a_power_of_ten() -> None:
    rna = result(code="38180-6", valueQuantity=quantity(3, "{Log_IU}/mL"))
    assert rna.value == pytest.approx(1000)


def test_a_cryoglobulin_row_of_unknown_axis_is_a_quantity_by_its_unit() -> None:
    cryo = result(code="2166-7", valueQuantity=quantity(51, "mg/L"))
    assert (cryo.concept, cryo.value) == ("cryoglobulin quantity", 0.051)


def test_the_same_row_in_percent_is_a_cryocrit() -> None:
    cryo = result(code="2166-7", valueQuantity=quantity(2, "%"))
    assert (cryo.concept, cryo.value) == ("cryocrit", 2)


def test_the_same_row_without_a_unit_is_presence_and_has_no_value() -> None:
    cryo = result(code="2166-7", valueQuantity={"value": 2})
    assert (cryo.concept, cryo.value) == ("cryoglobulin presence", None)


def test_a_type_that_is_worded_is_read() -> None:
    cryo = result(code="24038-2", valueString="Type II")
    assert (cryo.concept, cryo.kind) == ("cryoglobulin type", "II")


def test_text_that_is_a_number_with_a_decimal_comma_is_that_quantity() -> None:
    cryo = result(code="2166-7", valueString="0,12 g/L")
    assert (cryo.concept, cryo.value) == ("cryoglobulin quantity", 0.12)


def test_a_word_the_tables_do_not_know_is_a_problem_not_a_value() -> None:
    rna = result(code="11259-9", valueString="see attached letter")
    assert (rna.word, rna.problem) == (None, "word-unknown")


def test_data_absent_is_never_a_negative() -> None:
    absent = {"coding": [{"code": "not-performed"}]}
    rna = result(code="11259-9", dataAbsentReason=absent)
    assert (rna.word, rna.problem, rna.counts) == (None, "absent", False)


def test_codings_of_two_analytes_on_one_result_are_refused() -> None:
    both = [{"system": LOINC, "code": "4498-2"}, {"system": LOINC, "code": "4485-9"}]
    readings = update({**observation(), "code": {"coding": both}}).readings
    assert {r.problem for r in readings if isinstance(r, Result)} == {"contradictory"}


def test_each_component_is_a_part_of_its_own() -> None:
    panel = observation(
        "00000-0",
        component=[
            {
                "code": {"coding": [{"system": LOINC, "code": code}]},
                "valueQuantity": quantity(1, "g/L"),
            }
            for code in ("4498-2", "4485-9")
        ],
    )
    readings = update(panel).readings
    assert [(r.concept, r.part) for r in readings] == [("complement c4", 0), ("complement c3", 1)]


@pytest.mark.parametrize(("code", "lloq"), [("34703-9", 500), ("34704-7", 50), ("11011-4", None)])
def test_a_result_without_a_limit_has_that_of_its_code(code: str, lloq: float | None) -> None:
    assert result(code=code, valueString="not detected").lloq == lloq


def test_a_limit_the_report_states_wins_over_that_of_the_code() -> None:
    assert result(code="34703-9", valueString="not detected (<12 IU/mL)").lloq == 12


# 80 mg/L is 0.08 g/L, 10 mg/dL is 0.1 g/L: a negative below such a limit keeps it.
@pytest.mark.parametrize(
    ("text", "word", "lloq"),
    [
        ("Negative (< 80 mg/L)", "negative", 0.08),
        ("< 80 mg/L negative", "negative", 0.08),
        ("negativ, < 0,08 g/L", "negative", 0.08),
        ("not detected (<10 mg/dL)", "not-detected", 0.1),
        ("Negative (< 1 %)", "negative", None),
    ],
)
def test_a_cryoglobulin_worded_beside_a_limit_keeps_the_limit_in_g_per_l(
    text: str, word: str, lloq: float | None
) -> None:
    cryo = result(code="2166-7", valueString=text)
    assert (cryo.word, cryo.comparator, cryo.lloq) == (word, "<", lloq)


@pytest.mark.parametrize(
    ("code", "text", "lloq"),
    [
        ("11259-9", "not detected (<15 IU/mL)", 15),
        ("11259-9", "not detected (<15)", 15),
        ("11011-4", "not detected (<15)", 15),
        # copies per mL have no factor to IU/mL
        ("11011-4", "not detected (<600 copies/mL)", None),
    ],
)
def test_an_rna_worded_beside_a_limit_keeps_the_limit_in_iu(
    code: str, text: str, lloq: float | None
) -> None:
    rna = result(code=code, valueString=text)
    assert (rna.word, rna.comparator, rna.lloq) == ("not-detected", "<", lloq)


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("0.16-0.48 g/L", 0.16, 0.48),
        ("0,16 - 0,48", 0.16, 0.48),
        ("16 to 48 mg/dL", 0.16, 0.48),
        ("0,16 g/L bis 0,48 g/L", 0.16, 0.48),
        ("[0.16 \u2013 0.48]", 0.16, 0.48),
        ("> 0.16", 0.16, None),
        ("<0.48 g/L", None, 0.48),
    ],
)
def test_a_range_in_words_is_the_range(text: str, low: float | None, high: float | None) -> None:
    c4 = result(valueQuantity=quantity(0.12, "g/L"), referenceRange=[{"text": text}])
    assert (c4.low, c4.high, c4.range_unread, c4.shown_range) == (low, high, False, text)


@pytest.mark.parametrize("text", ["adults 0.16-0.48", "0.48-0.16", "16-48 /HPF", "0.16"])
def test_a_range_that_cannot_be_read_is_said_to_be_there(text: str) -> None:
    c4 = result(valueQuantity=quantity(0.12, "g/L"), referenceRange=[{"text": text}])
    assert (c4.low, c4.high, c4.range_unread, c4.shown_range) == (None, None, True, text)


def test_a_range_that_is_an_essay_is_neither_read_nor_shown() -> None:
    essay = [{"text": "0.16" + " " * 200_000 + "0.48"}]
    c4 = result(valueQuantity=quantity(0.12, "g/L"), referenceRange=essay)
    assert (c4.low, c4.range_unread, c4.shown_range) == (None, True, "")


def limits(low: float, high: float, **more: Any) -> dict[str, Any]:
    return {"low": quantity(low, "g/L"), "high": quantity(high, "g/L"), **more}


def test_ranges_of_several_ages_that_differ_are_none() -> None:
    # Which of them is this patient's is not known here: the child's, which stands first, is not it.
    years = {"value": 18, "unit": "a"}
    both = [limits(0.08, 0.3, age={"high": years}), limits(0.16, 0.48, age={"low": years})]
    c4 = result(valueQuantity=quantity(0.12, "g/L"), referenceRange=both)
    assert (c4.low, c4.high, c4.range_unread) == (None, None, True)


def test_ranges_that_agree_are_one_and_a_therapeutic_one_is_none_of_them() -> None:
    other = limits(0.3, 0.6, type={"coding": [{"code": "treatment"}]})
    given = [limits(0.16, 0.48), other, {"text": "16-48 mg/dL"}]
    c4 = result(valueQuantity=quantity(0.12, "g/L"), referenceRange=given)
    assert (c4.low, c4.high, c4.range_unread) == (0.16, 0.48, False)


@pytest.mark.parametrize("code", ["17857-4", "11572-5"])
def test_a_titer_is_shown_as_the_dilution_it_is(code: str) -> None:
    # The titre 1:160 is not 160 IU/mL.
    assert result(code=code, valueString="1:160").shown == "1:160"
    assert result(code=code, valueQuantity=quantity(160, "{titer}")).shown == "1:160"


def test_erythrocytes_counted_as_a_span_keep_both_ends() -> None:
    cells = result(code="13945-1", valueString="5-10 /HPF")
    assert (cells.value, cells.comparator, cells.top, cells.shown) == (5, ">=", 10, "5-10 /HPF")


def test_a_span_as_the_value_of_another_result_is_no_number() -> None:
    # It may be a range that was sent in the place of the value.
    assert result(valueString="10-40 mg/dL").problem == "word-unknown"


def test_without_effective_the_collection_of_the_specimen_counts_then_issued() -> None:
    specimen = {
        "resourceType": "Specimen",
        "id": "s",
        "collection": {"collectedDateTime": "2026-01-09"},
    }
    timed = result(effectiveDateTime=None, contained=[specimen], issued="2026-01-12T09:00:00Z")
    issued = result(effectiveDateTime=None, issued="2026-01-12T09:00:00Z")
    assert timed.when is not None
    assert issued.when is not None
    assert str(timed.when.latest) == "2026-01-09"
    assert str(issued.when.latest) == "2026-01-12"


def test_a_year_alone_may_be_any_day_of_it() -> None:
    dated = result(effectiveDateTime="2017")
    assert dated.when is not None
    assert (str(dated.when.earliest), str(dated.when.latest)) == ("2017-01-01", "2017-12-31")


def test_a_zoneless_time_is_read_in_the_zone_of_the_site() -> None:
    dated = result(effectiveDateTime="2026-07-01T00:30:00")
    assert dated.when is not None
    assert dated.when.instant is not None
    # Paris is two hours ahead of UTC in July.
    assert dated.when.instant.utcoffset() == ZoneInfo("Europe/Paris").utcoffset(
        dated.when.instant.replace(tzinfo=None)
    )


@pytest.mark.parametrize(
    ("reference", "patient"),
    [
        ("7", "Patient/7"),
        ("Patient/7", "Patient/7"),
        ("https://fhir.example.org/r4/Patient/7", "Patient/7"),
        ("https://elsewhere.example.org/Patient/7", "https://elsewhere.example.org/Patient/7"),
    ],
)
def test_bare_relative_and_own_absolute_references_meet_and_foreign_ones_do_not(
    reference: str, patient: str
) -> None:
    assert update(observation(subject={"reference": reference})).patient == patient


@pytest.mark.parametrize("subject", [None, {}, {"reference": "Group/1"}, {"display": "X"}])
def test_a_watched_result_without_a_patient_is_unreadable(subject: Any) -> None:
    (found,) = read(observation(subject=subject))
    assert isinstance(found, Unreadable)
    assert found.reason == "no-subject"


def test_an_irrelevant_result_is_an_update_without_readings_and_needs_no_patient() -> None:
    found = update(observation("8867-4", subject=None))
    assert (found.readings, found.patient) == ((), None)


def test_an_absurd_number_in_a_member_nobody_reads_is_not_judged() -> None:
    body = json.dumps(observation("8867-4"))[:-1] + ', "x": 1e999}'
    (found,) = reader().read(body.encode(), None, OWN, "t/0", 5)
    assert isinstance(found, Update)


def test_entered_in_error_leaves_no_readings() -> None:
    found = update(observation(status="entered-in-error"))
    assert (found.readings, found.cause, found.in_error) == ((), "entered-in-error", True)


def test_an_error_is_kept_only_where_its_code_is_watched() -> None:
    # Its original may still come; of what nobody watches nothing has to be remembered.
    assert update(observation(status="entered-in-error")).watched
    assert not update(observation("00000-0", status="entered-in-error")).watched


def test_a_condition_entered_in_error_leaves_no_readings() -> None:
    status = {"coding": [{"code": "entered-in-error"}]}
    found = update(condition("D69.0", verificationStatus=status))
    assert (found.readings, found.cause, found.watched) == ((), "entered-in-error", True)


def test_the_version_is_number_then_update_then_offset() -> None:
    meta = {"versionId": "3", "lastUpdated": "1970-01-01T00:00:01Z"}
    version = update(observation(meta=meta)).version
    assert (version.number, version.updated, version.offset) == (3, 1_000_000, 5)


def test_a_correction_under_a_new_id_names_what_it_replaces() -> None:
    extension = {
        "url": "http://hl7.org/fhir/StructureDefinition/observation-replaces",
        "valueReference": {"reference": "Observation/old"},
    }
    found = update(observation(extension=[extension]))
    assert found.replaces == (f"{OWN.key}|Observation/old",)


def condition(code: str, **members: Any) -> dict[str, Any]:
    return {
        "resourceType": "Condition",
        "id": "c1",
        "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": code}]},
        "subject": {"reference": "Patient/7"},
        **members,
    }


def test_the_longest_icd_prefix_decides_what_a_condition_is() -> None:
    # M32.14 is lupus nephritis, M32.1 with other organs is lupus (concepts, "How to read").
    resource = condition("M32.14")
    resource["code"]["coding"][0]["system"] = "http://hl7.org/fhir/sid/icd-10-cm"
    assert [r.concept for r in update(resource).readings] == ["lupus nephritis"]


def test_a_condition_abated_by_date_is_abated() -> None:
    (reading,) = update(condition("B18.2", abatementDateTime="2024-02")).readings
    assert isinstance(reading, Finding)
    assert reading.abated


def test_a_medication_statement_gives_its_period() -> None:
    statement = {
        "resourceType": "MedicationStatement",
        "id": "m1",
        "status": "completed",
        "subject": {"reference": "Patient/7"},
        "medicationCodeableConcept": {
            "coding": [{"system": "http://www.whocc.no/atc", "code": "J05AP55"}]
        },
        "effectivePeriod": {"start": "2025-01-01", "end": "2025-03-26"},
    }
    (reading,) = update(statement).readings
    assert isinstance(reading, Treatment)
    assert (reading.concept, reading.form) == ("hcv direct-acting antiviral", "statement")
    assert reading.end is not None
    assert str(reading.end.latest) == "2025-03-26"


DRUG = {"coding": [{"system": "http://www.whocc.no/atc", "code": "J05AP55"}]}


def statement(named: str, **members: Any) -> dict[str, Any]:
    return {
        "resourceType": "MedicationStatement",
        "id": "m1",
        "status": "completed",
        "subject": {"reference": "Patient/7"},
        "medicationReference": {"reference": named},
        **members,
    }


def drugs(*resources: dict[str, Any], full_url: str | None = None) -> list[str]:
    """The concepts of the first of the resources of a Bundle; full_url: of the second."""
    entries: list[dict[str, Any]] = [{"resource": resource} for resource in resources]
    if full_url is not None:
        entries[1]["fullUrl"] = full_url
    first = read({"resourceType": "Bundle", "type": "collection", "entry": entries})[0]
    assert isinstance(first, Update)
    return [reading.concept for reading in first.readings]


MEDICATION = {"resourceType": "Medication", "id": "drug", "code": DRUG}
DAA = ["hcv direct-acting antiviral"]


def test_a_drug_contained_in_the_statement_is_its_drug() -> None:
    practitioner = {"resourceType": "PractitionerRole", "id": "p", "code": [{"text": "x"}]}
    assert drugs(statement("#drug", contained=[practitioner, MEDICATION])) == DAA


@pytest.mark.parametrize(
    ("named", "full_url"),
    [
        ("Medication/drug", None),
        ("urn:uuid:0b", "urn:uuid:0b"),
        (
            "https://fhir.example.org/r4/Medication/drug",
            "https://fhir.example.org/r4/Medication/drug",
        ),
    ],
)
def test_a_drug_in_the_same_bundle_is_its_drug(named: str, full_url: str | None) -> None:
    assert drugs(statement(named), MEDICATION, full_url=full_url) == DAA


def test_a_drug_that_is_not_watched_says_nothing() -> None:
    aspirin = {"coding": [{"system": "http://www.whocc.no/atc", "code": "N02BA01"}]}
    assert drugs(statement("Medication/drug"), {**MEDICATION, "code": aspirin}) == []


@pytest.mark.parametrize(
    ("named", "contained"),
    [
        ("Medication/elsewhere", []),
        ("#other", [MEDICATION]),
        ("#drug", [{"resourceType": "Medication", "id": "drug"}]),
        ("#drug", [{"resourceType": "Substance", "id": "drug", "code": DRUG}]),
    ],
)
def test_a_drug_out_of_reach_makes_the_record_incomplete(named: str, contained: Any) -> None:
    # "without resolving it courses and order rules miss it": so it is said.
    (found,) = read(statement(named, contained=contained))
    assert isinstance(found, Update)
    assert Timeline(found.readings).incomplete == ("unresolved-medication",)
    assert not found.anchor


def order(**members: Any) -> dict[str, Any]:
    return {
        "resourceType": "MedicationRequest",
        "id": "r1",
        "status": "active",
        "intent": "order",
        "subject": {"reference": "Patient/7"},
        "medicationCodeableConcept": DRUG,
        "authoredOn": "2026-01-10",
        **members,
    }


@pytest.mark.parametrize("intent", ["order", "original-order", "instance-order"])
def test_an_order_is_a_treatment(intent: str) -> None:
    assert [r.concept for r in update(order(intent=intent)).readings] == DAA


# FHIR: a proposal, plan or option is "without an intention they have authorization to act".
@pytest.mark.parametrize(
    "members", [{"doNotPerform": True}, *({"intent": i} for i in ("proposal", "plan", "option"))]
)
def test_what_is_no_order_is_no_treatment(members: dict[str, Any]) -> None:
    assert update(order(**members)).readings == ()
    assert (
        update(statement("Medication/x", resourceType="MedicationRequest", **members)).readings
        == ()
    )


@pytest.mark.parametrize(
    ("meta", "withheld"),
    [
        ({"security": [{"code": "HTEST"}]}, "test-patient"),
        ({"tag": [{"system": "urn:site", "code": "no-cds"}]}, "opted-out"),
        ({"tag": [{"system": "urn:other", "code": "no-cds"}]}, None),
    ],
)
def test_tags_that_keep_a_patient_out_of_cards(meta: Any, withheld: str | None) -> None:
    (reading,) = update({"resourceType": "Patient", "id": "7", "meta": meta}).readings
    assert isinstance(reading, Person)
    assert reading.withheld == withheld


def test_a_resource_of_another_type_is_none_of_ours() -> None:
    assert read({"resourceType": "AuditEvent", "id": "a", "code": "not a concept"}) == [None]


@pytest.mark.parametrize("time", ["yesterday", "2026-13-01", "2026-02-30", "2026-01-10T25:00:00Z"])
def test_a_time_that_is_none_is_unreadable_and_names_the_patient_only_to_the_store(
    time: str,
) -> None:
    (found,) = read(observation(effectiveDateTime=time))
    assert isinstance(found, Unreadable)
    assert (str(found), found.patient) == ("unreadable-time", "Patient/7")


def test_a_listed_code_that_is_not_watched_names_its_patient() -> None:
    listing = replace(reader(), listing=True)
    body = json.dumps(observation("00000-0")).encode()
    (found,) = listing.read(body, None, OWN, "t/0", 5)
    assert isinstance(found, Update)
    assert (found.patient, found.readings, found.unmapped) == (
        "Patient/7",
        (),
        ((LOINC, "00000-0"),),
    )
    unlisted = update(observation("00000-0"))
    assert (unlisted.patient, unlisted.unmapped) == (None, ())


@pytest.mark.parametrize("text", ["see report", "n/a"])
def test_a_text_without_any_number_is_no_range(text: str) -> None:
    c4 = result(valueQuantity=quantity(0.12, "g/L"), referenceRange=[{"text": text}])
    assert (c4.range_unread, c4.shown_range) == (False, "")


def test_the_numbers_of_a_range_are_shown_and_its_label_behind_them() -> None:
    limits = {"low": quantity(0.1, "g/L"), "high": quantity(0.4, "g/L")}
    c4 = result(valueQuantity=quantity(0.05, "g/L"), referenceRange=[{**limits, "text": "Adult"}])
    assert c4.shown_range == "0.1 g/L to 0.4 g/L, Adult"


CHILD_AND_ADULT = [
    {"low": quantity(0.07, "g/L"), "high": quantity(0.3, "g/L")},
    {"low": quantity(0.1, "g/L"), "high": quantity(0.4, "g/L")},
]


@pytest.mark.parametrize(
    ("value", "low", "unread"),
    [(0.05, 0.07, False), (0.08, None, True), (0.2, 0.1, False)],
)
def test_of_several_ranges_that_differ_what_all_of_them_say_counts(
    value: float, low: float | None, unread: bool
) -> None:
    # Below every low limit is "below the report's own range"; between two of them nobody can tell.
    c4 = result(valueQuantity=quantity(value, "g/L"), referenceRange=CHILD_AND_ADULT)
    assert (c4.low, c4.range_unread) == (low, unread)
