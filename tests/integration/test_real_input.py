"""Input as hospitals send it, through Kafka and the real service, to a card at the EHR."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.broker import make_topics, producer, send
from tests.support.databases import query, sqlite_url
from tests.support.ehr import Ehr, of_rule, retracted
from tests.support.laboratory import order, quantity, result, site_file
from tests.support.progress import until_consumed
from tests.support.service import serve, settings

pytestmark = [pytest.mark.broker, pytest.mark.sqlite]

BASIS = "org.cryovigil.basis"
BASE = "https://ehr.example.org/fhir"
ELSEWHERE = "https://elsewhere.example.org/fhir"
TAKEN = "2026-02-10T09:19:00+01:00"


def card_of(event: Any) -> Any:
    (card,) = event["data"]["cards"]
    return card


def criteria_of(card: Any) -> list[str]:
    found: list[str] = card["extension"][BASIS]["criteria"]
    return found


def evidence_of(card: Any) -> dict[str, tuple[Any, ...]]:
    """By reference: value and canonical unit."""
    found = card["extension"][BASIS]["evidence"]
    return {e["reference"]: (e.get("value"), e.get("unit")) for e in found}


def a_clock(folder: Path, instant: str) -> Path:
    file = folder / "clock"
    file.write_text(instant)
    return file


def purpura() -> bytes:
    """On the problem list, in the country's own edition of ICD-10."""
    condition = {
        "resourceType": "Condition",
        "id": "c1",
        "clinicalStatus": {"coding": [{"code": "active"}]},
        "code": {
            "coding": [{"system": "http://fhir.de/CodeSystem/bfarm/icd-10-gm", "code": "D69.2"}],
            "text": "palpable Purpura",
        },
        "subject": {"reference": "Patient/599999"},
        "recordedDate": "2026-02-01",
    }
    return json.dumps(condition).encode()


def first_order() -> bytes:
    """Cryoglobulin with its type, C4 with its range, RF, creatinine, and one nobody has mapped."""
    bounds = {bound: {"value": at, "unit": "mg/dl"} for bound, at in (("low", 10), ("high", 40))}
    results = [
        result("cryo", "KRYOQ", TAKEN, valueQuantity=quantity(180, "mg/l", "mg/L")),
        result("type", "KRYOT", TAKEN, valueString="Typ II"),
        result(
            "c4", "C4", TAKEN, valueQuantity=quantity(4, "mg/dl", "mg/dL"), referenceRange=[bounds]
        ),
        result("rf", "RF", TAKEN, valueQuantity=quantity(98, "IE/ml", "[iU]/mL")),
        result("krea", "KREA", TAKEN, valueQuantity=quantity(84, "µmol/l")),
        result("myo", "MYO", TAKEN, valueQuantity=quantity(24, "µg/l", "ng/mL")),
    ]
    return order("24318114", *results, status="partial")


def corrected_order() -> bytes:
    """The same order again: without versions the later record is the newer one."""
    none_found = {"status": "corrected", "valueString": "nicht nachweisbar"}
    return order(
        "24318114",
        result("cryo", "KRYOQ", TAKEN, **none_found),
        result("type", "KRYOT", TAKEN, status="cancelled"),
    )


async def test_an_order_of_a_laboratory_becomes_a_card_with_its_values(
    address: str, receiver: Ehr, tmp_path: Path
) -> None:
    topics = {"lab.orders": 2, "ehr.conditions": 1}
    await make_topics(address, topics)
    given = settings(address, ",".join(topics), sqlite_url(tmp_path), receiver)
    given |= site_file(tmp_path) | {"CRYOVIGIL_SITE__TIME_ZONE": "Europe/Berlin"}
    with serve(given, tmp_path / "service", a_clock(tmp_path, "2026-02-12T08:00:00+00:00")) as run:
        await run.ready()
        await send(address, "ehr.conditions", [purpura()])
        await until_consumed(run, {"ehr.conditions": 1})
        await send(address, "lab.orders", [first_order()], key=b"24318114")
        await run.until(lambda: bool(of_rule(receiver, "cryovas-likely")))
        (event,) = of_rule(receiver, "cryovas-likely")
        assert event["subject"] == "Patient/599999"
        check_suspicion(card_of(event))
        await send(address, "lab.orders", [corrected_order()], key=b"24318114")
        await run.until(lambda: len(of_rule(receiver, "hcv-search")) == 2)
        await run.until(lambda: bool(retracted(receiver)))
        assert run.terminate() == 0
    (gone,) = [each["data"]["extension"]["org.cryovigil.retracted"] for each in retracted(receiver)]
    assert gone == {"uuid": card_of(event)["uuid"], "reason": "corrected"}
    # hcv-search held for the cryoglobulin; now for "strongly suggestive" alone: low C4 within 6
    # months and a palpable purpura that is active, recorded within 30 days.
    opened, updated = of_rule(receiver, "hcv-search")
    assert "cryoglobulin-mixed-or-untyped" in criteria_of(card_of(opened))
    assert updated["type"] == "org.cryovigil.card.updated.v1"
    assert criteria_of(card_of(updated)) == ["strongly-suggestive", "hcv-not-settled"]
    assert await query(sqlite_url(tmp_path), "SELECT count(*) FROM dead_letter") == [(0,)]


def check_suspicion(card: Any) -> None:
    # A present sign, low C4 (below the report's own range) and one positive
    # determination (> 0.05 g/L) are likely-provisional, a warning. Values as reported.
    assert card["summary"] == (
        "Cryoglobulinemic vasculitis provisionally likely: palpable purpura, "
        "C4 4 mg/dl, cryoglobulin 180 mg/l"
    )
    assert card["indicator"] == "warning"
    assert "RF 98 IE/ml" in card["detail"]
    assert "type II" in card["detail"]
    assert criteria_of(card) == ["likely-provisional", "sign", "low-c4", "cryoglobulin-positive"]
    # C4, RF and type are there; the second determination is due after 12 weeks only.
    assert "missing" not in card["extension"][BASIS]
    # 180 mg/L and 4 mg/dL in g/L; IE is IU. The creatinine and what is unmapped prove nothing.
    assert evidence_of(card) == {
        "Condition/c1": (None, None),
        "Observation/cryo": (0.18, "g/L"),
        "Observation/type": ("positive", None),
        "Observation/c4": (0.04, "g/L"),
        "Observation/rf": (98, "[IU]/mL"),
    }


def bare(kind: str, identifier: str, patient: str, **members: Any) -> dict[str, Any]:
    """A resource as a FHIR server's own serializer writes it."""
    meta = {"versionId": "3", "lastUpdated": "2025-12-01T00:00:00Z"}
    subject = {"reference": patient}
    return {"resourceType": kind, "id": identifier, "meta": meta, "subject": subject, **members}


def loinc(identifier: str, code: str, patient: str, day: str, **members: Any) -> dict[str, Any]:
    return bare(
        "Observation",
        identifier,
        patient,
        status="final",
        code={"coding": [{"system": "http://loinc.org", "code": code}]},
        effectiveDateTime=f"{day}T08:00:00Z",
        **members,
    )


def course(patient: str) -> dict[str, Any]:
    """Sofosbuvir and velpatasvir for twelve weeks, with the period of the dosage."""
    coding = {"system": "http://www.whocc.no/atc", "code": "J05AP55"}
    period = {"start": "2025-01-01", "end": "2025-03-26"}
    return bare(
        "MedicationRequest",
        "course",
        patient,
        status="completed",
        medicationCodeableConcept={"coding": [coding]},
        authoredOn="2024-12-20",
        dosageInstruction=[{"timing": {"repeat": {"boundsPeriod": period}}}],
    )


def hepatitis(patient: str) -> dict[str, Any]:
    return bare(
        "Condition",
        "hcv",
        patient,
        clinicalStatus={"coding": [{"code": "active"}]},
        verificationStatus={"coding": [{"code": "confirmed"}]},
        code={"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "B18.2"}]},
        onsetDateTime="2010",
    )


def years_of_one_patient() -> dict[str, list[dict[str, Any]]]:
    """Infection, course, cure and a cryoglobulin that stays, by topic; references of every form."""
    absolute, relative, short = f"{BASE}/Patient/p1", "Patient/p1", "p1"
    not_detected = {"coding": [{"system": "http://snomed.info/sct", "code": "260415000"}]}
    load = {"value": 5.9, "unit": "log IU/mL", "system": "http://unitsofmeasure.org"}
    before, level = quantity(0.5, "g/L", "g/L"), quantity(0.2, "g/L", "g/L")
    viremia = quantity(900000, "IU/mL", "[iU]/mL")
    observations = [
        loinc("rna-1", "38180-6", absolute, "2024-12-01", valueQuantity=load),
        loinc("cryo-1", "2166-7", relative, "2024-12-01", valueQuantity=before),
        loinc("cryo-2", "2166-7", short, "2025-06-18", valueQuantity=level),
        loinc("cryo-3", "2166-7", absolute, "2025-09-10", valueQuantity=level),
        loinc("rna-2", "11259-9", relative, "2025-09-15", valueCodeableConcept=not_detected),
        # Somebody else's patient of the same id: their viremia is none of this one's.
        loinc("other", "11011-4", f"{ELSEWHERE}/Patient/p1", "2025-12-01", valueQuantity=viremia),
    ]
    return {
        "bare.observation": observations,
        "bare.condition": [hepatitis(short)],
        "bare.treatment": [course(absolute)],
    }


async def test_years_of_bare_resources_over_many_partitions_become_one_card(
    address: str, receiver: Ehr, tmp_path: Path
) -> None:
    stream = years_of_one_patient()
    await make_topics(address, {"bare.observation": 3, "bare.condition": 2, "bare.treatment": 1})
    given = settings(address, ",".join(stream), sqlite_url(tmp_path), receiver)
    sources = tmp_path / "sources.yaml"
    sources.write_text("".join(f'{topic}: {{base: "{BASE}"}}\n' for topic in stream))
    given["CRYOVIGIL_KAFKA__SOURCES"] = str(sources)
    with serve(given, tmp_path / "service", a_clock(tmp_path, "2026-01-31T12:00:00+00:00")) as run:
        await run.ready()
        async with producer(address) as sender:
            sent = [
                await sender.send(topic, json.dumps(each).encode(), key=each["id"].encode())
                for topic, resources in stream.items()
                for each in reversed(resources)
            ]
            await asyncio.gather(*sent)
        await until_consumed(run, {topic: len(each) for topic, each in stream.items()})
        await run.until(lambda: said_last(receiver) is not None)
        card = said_last(receiver)
        assert run.terminate() == 0
    check_search(card)


def check_search(card: Any) -> None:
    # The search fires on two positives "at least 12 weeks apart, the later at
    # least 24 weeks after the end". From 2025-03-26 on, 2025-06-18 is day 84 and 2025-09-10
    # day 168, 84 days apart; five full months lie between the end and 2025-09-10. The RNA of
    # day 173 proves SVR24.
    assert card["summary"] == (
        "HCV cured; cryoglobulin still positive 5 months after treatment: "
        "search for B-cell lymphoma"
    )
    assert card["indicator"] == "warning"
    assert "treatment ended by 2025-03-26 (end of the treatment period)" in card["detail"]
    assert "RNA not detected on day 173" in card["detail"]
    assert "before the end of treatment 0.5 g/L 2024-12-01" in card["detail"]
    assert criteria_of(card) == [
        "svr24",
        "two-positives-12-weeks-apart",
        "positive-since-svr",
    ]
    assert evidence_of(card).keys() == {
        *("Observation/rna-2", "MedicationRequest/course"),
        *("Observation/cryo-2", "Observation/cryo-3"),
    }


def said_last(receiver: Ehr) -> Any:
    """The last card of the search that still stands, once it fires; None before."""
    events = of_rule(receiver, "post-svr-lymphoma-search")
    card = card_of(events[-1]) if events else None
    return card if card and card["indicator"] == "warning" else None
