"""Ids, references, dates, numbers and sizes that no well-behaved producer sends."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.support.desk import journey, reader

from cryovigil.decode import Source
from cryovigil.errors import Unreadable
from cryovigil.facts.as_of import AsOf
from cryovigil.normalize.readings import Finding, Result, Update
from cryovigil.timeline import Timeline

OWN = Source(base="https://fhir.example.org/r4")
NOW = datetime(2026, 6, 1, tzinfo=UTC)
C4, UNWATCHED = "4498-2", "8867-4"
HCV_RNA_LOG = "38180-6"
REPLACES = "http://hl7.org/fhir/StructureDefinition/observation-replaces"


def coded(code: str) -> dict[str, Any]:
    return {"coding": [{"system": "http://loinc.org", "code": code}]}


def observation(code: str = C4, **members: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": "o1",
        "status": "final",
        "code": coded(code),
        "subject": {"reference": "Patient/7"},
        "effectiveDateTime": "2026-01-10T08:00:00+01:00",
        "valueQuantity": {"value": 12, "unit": "mg/dL"},
        **members,
    }


def condition(**members: Any) -> dict[str, Any]:
    return {
        "resourceType": "Condition",
        "id": "c1",
        "subject": {"reference": "Patient/7"},
        "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "D69.2"}]},
        **members,
    }


def read(resource: Any) -> list[Update | Unreadable | None]:
    return list(reader().read(json.dumps(resource).encode(), None, OWN, "t/0", 5))


def update(resource: Any) -> Update:
    (found,) = read(resource)
    assert isinstance(found, Update), found
    return found


def result(**members: Any) -> Result:
    (found,) = update(observation(**members)).readings
    assert isinstance(found, Result)
    return found


def refused(resource: Any) -> tuple[str, str | None]:
    """The reason, and the patient whose data are incomplete now."""
    (found,) = read(resource)
    assert isinstance(found, Unreadable), found
    return found.reason, found.patient


def bundle(*entries: Any) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "transaction", "entry": list(entries)}


def deletion(url: str) -> dict[str, Any]:
    return bundle({"request": {"method": "DELETE", "url": url}})


# An id is stored and indexed, and a bar parts it from its source there.
@pytest.mark.parametrize("bad", ["a\0b", "a|b", "a b", "a/b", "é", "a\n", "x" * 129])
def test_an_id_that_could_not_be_kept_is_unreadable(bad: str) -> None:
    assert refused(observation(id=bad)) == ("bad-id", "Patient/7")
    assert refused(observation(UNWATCHED, id=bad)) == ("bad-id", "Patient/7")


@pytest.mark.parametrize("good", ["x" * 128, "pid.1001", "A_b-c.9~"])
def test_an_id_of_the_characters_that_real_servers_use_is_read(good: str) -> None:
    assert update(observation(id=good)).identity == f"{OWN.key}|Observation/{good}"


@pytest.mark.parametrize(
    "subject",
    [
        "Patient/a\0b",
        "Patient/a|b",
        f"Patient/{'x' * 129}",
        "https://a|b/Patient/7",
        "https://a\0b/Patient/7",
        "https://a b/Patient/7",
        f"https://{'x' * 993}/Patient/7",
    ],
)
def test_a_subject_that_could_not_be_kept_is_none(subject: str) -> None:
    assert refused(observation(subject={"reference": subject})) == ("no-subject", None)


@pytest.mark.parametrize(
    "subject", [f"Patient/{'x' * 128}", f"https://{'x' * 992}/Patient/7", "Patient/a_b"]
)
def test_a_subject_within_the_limits_is_read(subject: str) -> None:
    assert update(observation(subject={"reference": subject})).patient == subject


def test_a_subject_of_a_certain_version_is_that_patient() -> None:
    versioned = {"reference": "Patient/7/_history/2"}
    assert update(observation(subject=versioned)).patient == "Patient/7"


def test_a_replaced_result_that_could_not_be_kept_is_passed_over() -> None:
    named = ("Observation/a|b", "Observation/\0", f"Observation/{'x' * 129}", "Observation/9")
    links = [{"url": REPLACES, "valueReference": {"reference": name}} for name in named]
    assert update(observation(extension=links)).replaces == (f"{OWN.key}|Observation/9",)


def test_a_patient_of_a_bundle_whose_id_could_not_be_kept_is_no_subject() -> None:
    urn = "urn:uuid:2d5afc69-6ef2-420f-a8d1-8500c99eb96c"
    patient = {"fullUrl": urn, "resource": {"resourceType": "Patient", "id": "a|b"}}
    found = read(bundle(patient, {"resource": observation(subject={"reference": urn})}))
    assert [e.reason for e in found if isinstance(e, Unreadable)] == ["bad-id", "no-subject"]


def test_a_reference_takes_no_longer_to_read_than_its_length_says() -> None:
    # 80 kB took 2 s where each part could begin anew; a linear pass takes microseconds.
    endless = "Aa/a/_history/" * 60_000 + "\n|x"
    began = time.process_time()
    assert refused(observation(subject={"reference": endless})) == ("no-subject", None)
    assert read(deletion(endless))
    assert time.process_time() - began < 0.5


# Year 1 is what systems write that know no date, 1753 is the least of another.
@pytest.mark.parametrize(
    "early", ["0001-01-01", "0001", "0001-01-01T00:00:00+14:00", "1753-01-01", "1799-12-31"]
)
def test_a_date_before_1800_is_unreadable(early: str) -> None:
    assert refused(observation(effectiveDateTime=early)) == ("unreadable-time", "Patient/7")
    assert refused(condition(recordedDate=early)) == ("unreadable-time", "Patient/7")


@pytest.mark.parametrize("late", ["9999-12-31T23:59:59-12:00", "9999-12-31T23:59:59Z"])
def test_the_last_day_of_the_calendar_has_no_clock_time(late: str) -> None:
    dated = result(effectiveDateTime=late).when
    assert dated is not None
    assert (str(dated.latest), dated.instant) == ("9999-12-31", None)


@pytest.mark.parametrize(
    "written",
    ["1800-01-01", "1800-01-01T00:00:00+14:00", "1800", "9999", "9999-12-31T23:59:59-12:00"],
)
def test_the_first_and_the_last_dates_that_are_read_go_through_the_journey(written: str) -> None:
    dated = [observation(effectiveDateTime=written), condition(recordedDate=written)]
    readings = [reading for resource in dated for reading in update(resource).readings]
    assert journey().assess(readings, NOW).answers


@pytest.mark.parametrize("at", [-(10**18), 10**18])
def test_a_stored_time_that_no_calendar_holds_does_not_stop_a_timeline(at: int) -> None:
    stored = Result(
        concept="creatinine",
        reference="Observation/1",
        patient="Patient/7",
        source=OWN.key,
        at=at,
        status="final",
    )
    seen = Timeline([stored]).until(AsOf(NOW, UTC), timedelta(minutes=10))
    assert len(seen.results("creatinine")) == (at < 0)


def test_a_birth_date_that_cannot_be_read_does_not_bring_cards_back_to_the_dead() -> None:
    born = {"birthDate": "0001-01-01", "deceasedBoolean": True}
    (person,) = update({"resourceType": "Patient", "id": "7", **born}).readings
    assert (getattr(person, "deceased", None), getattr(person, "born", 0)) == (True, None)


# What is above log_upper, 12 for a viral load (mappings/units), cannot be a logarithm.
@pytest.mark.parametrize("limit", [400, 1e308])
def test_a_range_that_can_be_no_logarithm_is_one_that_could_not_be_used(limit: float) -> None:
    log = {"value": limit, "unit": "log10 IU/mL"}
    value = {"value": 3, "unit": "log10 IU/mL"}
    rna = result(code=HCV_RNA_LOG, valueQuantity=value, referenceRange=[{"high": log}])
    assert rna.value == pytest.approx(1000)
    assert (rna.high, rna.range_unread) == (None, True)


def test_an_integer_beyond_64_bits_is_bad_structure() -> None:
    assert refused(observation(valueQuantity=None, valueInteger=2**63)) == (
        "bad-structure",
        "Patient/7",
    )
    assert refused(observation(valueQuantity=None, valueInteger=10**400))[0] == "bad-structure"


def test_the_largest_integer_of_64_bits_is_read() -> None:
    assert result(valueQuantity=None, valueInteger=2**63 - 1).problem is not None


@pytest.mark.parametrize(
    ("digits", "number"), [("9" * 18, 10**18 - 1), ("9" * 19, 0), ("9" * 1000, 0), ("v2", 0)]
)
def test_a_deletion_has_a_version_of_at_most_18_digits(digits: str, number: int) -> None:
    assert update(deletion(f"Observation/x/_history/{digits}")).version.number == number


def test_a_deletion_of_a_type_that_is_not_read_says_nothing() -> None:
    assert read(deletion("Encounter/e1")) == [None]
    assert list(reader().read(None, b"Encounter/e1", OWN, "t/0", 5)) == [None]
    assert update(deletion("Condition/c1")).deletion


@pytest.mark.parametrize(
    "members",
    [
        {"status": 5},
        {"code": "5117-7"},
        {"component": None},
        {"valueQuantity": {"value": "3"}},
        {"id": ""},
        {"id": 7},
    ],
)
def test_a_result_of_the_wrong_shape_still_tells_whose_it_is(members: dict[str, Any]) -> None:
    assert refused(observation() | members)[1] == "Patient/7"


def test_a_version_that_cannot_be_read_still_tells_whose_it_is() -> None:
    when = {"lastUpdated": "yesterday"}
    assert refused(observation(meta=when)) == ("unreadable-time", "Patient/7")
    assert refused({"resourceType": "Patient", "id": "7", "meta": when}) == (
        "unreadable-time",
        "Patient/7",
    )


def test_whose_a_result_is_follows_the_references_of_its_bundle() -> None:
    urn = "urn:uuid:2d5afc69-6ef2-420f-a8d1-8500c99eb96c"
    patient = {"fullUrl": urn, "resource": {"resourceType": "Patient", "id": "8"}}
    bad = {"resource": observation(status=5, subject={"reference": urn})}
    (found,) = (e for e in read(bundle(patient, bad)) if isinstance(e, Unreadable))
    assert (found.reason, found.patient) == ("bad-structure", "Patient/8")


@pytest.mark.parametrize("subject", [None, 7, {"reference": "Group/7"}, {"reference": 7}])
def test_where_no_patient_can_be_told_nobody_is_marked(subject: Any) -> None:
    assert refused(observation(status=5, subject=subject)) == ("bad-structure", None)


def components(count: int) -> list[dict[str, Any]]:
    part = {"code": coded("2160-0"), "valueQuantity": {"value": 1, "unit": "mg/dL"}}
    return [part] * count


def test_as_many_components_as_any_panel_has_are_read_and_more_are_not() -> None:
    panel = observation("00000-0", valueQuantity=None, component=components(500))
    assert len(update(panel).readings) == 500
    more = observation("00000-0", valueQuantity=None, component=components(501))
    assert refused(more) == ("bad-structure", "Patient/7")


@pytest.mark.parametrize(
    ("member", "one", "most"),
    [
        ("referenceRange", {"text": "0.1-0.4 g/L"}, 50),
        ("interpretation", {"coding": [{"code": "L"}]}, 50),
        ("contained", {"resourceType": "Specimen"}, 200),
        ("extension", {"url": REPLACES}, 500),
        ("related", {"type": "has-member"}, 500),
    ],
)
def test_lists_that_are_gone_through_have_an_end(member: str, one: Any, most: int) -> None:
    assert update(observation() | {member: [one] * most}).readings
    assert refused(observation() | {member: [one] * (most + 1)}) == ("bad-structure", "Patient/7")


def test_a_code_has_at_most_200_codings() -> None:
    codings = coded(C4)["coding"]
    assert update(observation() | {"code": {"coding": codings * 200}}).readings
    more = observation() | {"code": {"coding": codings * 201}}
    assert refused(more) == ("bad-structure", "Patient/7")


def test_more_components_than_that_are_no_matter_where_none_is_watched() -> None:
    parts = [{"code": coded(UNWATCHED)}] * 501
    assert not update(observation("00000-0", component=parts)).readings


def test_a_text_is_searched_for_findings_up_to_2000_letters() -> None:
    def named(length: int) -> set[str]:
        text = "lupus nephritis".ljust(length, ".")
        given = update(condition(code={**condition()["code"], "text": text})).readings
        return {r.concept for r in given if isinstance(r, Finding)}

    # What is coded stands, whatever the length of the text beside it.
    assert named(2_001) < named(2_000)
    assert named(2_001)


def test_a_text_of_megabytes_holds_nobody_up() -> None:
    text = "é a" * 1_000_000
    began = time.process_time()
    update(condition(code={"coding": [{"system": "x", "code": "y"}], "text": text}))
    update(condition(code={**condition()["code"], "text": text}))
    result(valueQuantity={"value": 3, "unit": text})
    assert time.process_time() - began < 0.5


def test_a_bundle_of_more_entries_than_a_record_can_hold_is_unreadable() -> None:
    def record(count: int) -> bytes:
        entries = b",".join([b"{}"] * count)
        return b'{"resourceType":"Bundle","type":"batch","entry":[' + entries + b"]}"

    most = list(reader().read(record(100_000), None, OWN, "t/0", 5))
    assert len(most) == 100_000
    (more,) = reader().read(record(100_001), None, OWN, "t/0", 5)
    assert isinstance(more, Unreadable)
    assert more.reason == "too-many-entries"


def test_the_first_entry_of_a_bundle_does_not_wait_for_the_last() -> None:
    # Reading goes in turns between entries, so what precedes the first must be short.
    entries = [{"resource": observation(UNWATCHED, id=f"o{n}")} for n in range(20_000)]
    record = json.dumps(bundle(*entries)).encode()
    whole = time.process_time()
    assert sum(1 for _ in reader().read(record, None, OWN, "t/0", 5)) == len(entries)
    whole = time.process_time() - whole
    first = time.process_time()
    assert next(reader().read(record, None, OWN, "t/0", 5)) is not None
    assert time.process_time() - first < whole / 3


def test_a_last_update_that_a_server_never_set_is_none() -> None:
    found = update(observation(meta={"versionId": "3", "lastUpdated": "0001-01-01T00:00:00Z"}))
    assert (found.version.number, found.version.updated) == (3, 0)


def test_a_result_that_names_itself_replaces_nothing() -> None:
    url = "http://hl7.org/fhir/StructureDefinition/observation-replaces"
    itself = [{"url": url, "valueReference": {"reference": "Observation/o1"}}]
    other = [{"url": url, "valueReference": {"reference": "Observation/o2"}}]
    assert update(observation(extension=itself)).replaces == ()
    assert update(observation(extension=other)).replaces != ()
