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
    # 1 mg/dL = 0.01 g/L, so 2.3 mg/dL = 0.023 g/L (pitfalls, 3).
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
