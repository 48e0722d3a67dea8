"""Time alone: cards that open and change on a day of the calendar, with no event in between."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.broker import make_topics, send
from tests.support.databases import sqlite_url
from tests.support.ehr import Ehr, of_rule
from tests.support.fhir import observation
from tests.support.progress import until_consumed
from tests.support.service import Service, serve, settings

pytestmark = [pytest.mark.broker, pytest.mark.sqlite]

BASIS = "org.cryovigil.basis"
SNOMED = "http://snomed.info/sct"


def coded(code: str) -> dict[str, Any]:
    return {"valueCodeableConcept": {"coding": [{"system": SNOMED, "code": code}]}}


def searched(patient: str, day: str) -> list[bytes]:
    """An untyped cryoglobulin, and an RNA not detected on the day."""
    return [
        observation(patient, f"rna-{patient}", "11259-9", day, **coded("260415000")),
        observation(patient, f"cryo-{patient}", "5117-7", "2026-02-01", **coded("10828004")),
    ]


def suspected(patient: str, day: str) -> list[bytes]:
    """Palpable purpura, low C4, RF, and the first positive cryoglobulin on the day; RNA detected,
    so that no search for HCV speaks.
    """
    purpura = {
        "resourceType": "Condition",
        "id": f"purpura-{patient}",
        "clinicalStatus": {"coding": [{"code": "active"}]},
        "code": {
            "coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "D69.2"}],
            "text": "Palpable purpura",
        },
        "subject": {"reference": f"Patient/{patient}"},
        "onsetDateTime": "2025-12-20",
    }
    low = {"valueQuantity": {"value": 0.04, "unit": "g/L"}}
    high = {"valueQuantity": {"value": 98, "unit": "IU/mL"}}
    return [
        json.dumps(purpura).encode(),
        observation(patient, f"c4-{patient}", "4498-2", "2026-02-01", **low),
        observation(patient, f"rf-{patient}", "11572-5", "2026-02-01", **high),
        observation(patient, f"rna-{patient}", "11259-9", "2026-02-01", **coded("260373001")),
        observation(patient, f"cryo-{patient}", "5117-7", day, **coded("10828004")),
    ]


def announced(receiver: Ehr, rule: str, patient: str) -> list[Any]:
    return [e for e in of_rule(receiver, rule) if e["subject"] == f"Patient/{patient}"]


def missing(event: Any) -> set[str]:
    return set(event["data"]["cards"][0]["extension"][BASIS]["missing"])


async def stands(service: Service, rule: str, patient: str) -> list[Any]:
    """The cards of a rule that rest on the patient's cryoglobulin, as the service has them."""
    listed = (await service.get("/cards?since=2026-01-01T00:00:00Z")).json()["cards"]
    return [
        row["card"]
        for row in listed
        if row["card"]["source"]["topic"]["code"] == rule
        and f"Observation/cryo-{patient}" in json.dumps(row["card"])
    ]


async def test_cards_open_and_ask_for_more_on_their_day(
    address: str, receiver: Ehr, tmp_path: Path
) -> None:
    await make_topics(address, {"calendar": 1})
    clock = tmp_path / "clock"
    clock.write_text("2026-03-01T12:00:00+00:00")
    # HCV is settled by an RNA "not detected within the last 12 months": on 2026-04-27 that of
    # 2025-04-27 is 12 months old to the day and still settles it, that of the day before no more.
    # The second determination is asked for "from 12 weeks after the first positive": 84 days
    # after 2026-02-02 is 2026-04-27.
    events = [
        *searched("past", "2025-04-26"),
        *searched("to-the-day", "2025-04-27"),
        *suspected("twelve-weeks", "2026-02-02"),
        *suspected("a-day-less", "2026-02-03"),
    ]
    given = settings(address, "calendar", sqlite_url(tmp_path), receiver)
    with serve(given, tmp_path / "service", clock) as service:
        await service.ready()
        await send(address, "calendar", events)
        await until_consumed(service, {"calendar": len(events)})
        await service.until(lambda: len(of_rule(receiver, "cryovas-likely")) == 2)
        assert of_rule(receiver, "hcv-search") == []
        first = {"twelve-weeks": "2026-04-27", "a-day-less": "2026-04-28"}
        for patient, day in first.items():
            (opened,) = announced(receiver, "cryovas-likely", patient)
            assert missing(opened) == {"cryoglobulin type"}
            assert f"second cryoglobulin from {day}" in opened["data"]["cards"][0]["detail"]

        clock.write_text("2026-04-27T23:59:00+00:00")
        await came_of_age(service, receiver, "past", "twelve-weeks")
        # One minute before their day the others stand as they stood.
        assert await stands(service, "hcv-search", "to-the-day") == []
        (waiting,) = await stands(service, "cryovas-likely", "a-day-less")
        assert waiting["extension"][BASIS]["missing"] == ["cryoglobulin type"]

        clock.write_text("2026-04-28T00:00:00+00:00")
        await came_of_age(service, receiver, "to-the-day", "a-day-less")
        assert service.terminate() == 0


async def came_of_age(service: Service, receiver: Ehr, searched: str, suspected: str) -> None:
    """One patient's search opens; of another's suspicion only what is missing is new."""
    await service.until(lambda: len(announced(receiver, "hcv-search", searched)) == 1)
    await service.until(lambda: len(announced(receiver, "cryovas-likely", suspected)) == 2)
    (opened,) = announced(receiver, "hcv-search", searched)
    assert opened["type"] == "org.cryovigil.card.created.v1"
    first, updated = announced(receiver, "cryovas-likely", suspected)
    assert updated["type"] == "org.cryovigil.card.updated.v1"
    assert missing(updated) == {"cryoglobulin type", "cryoglobulin presence"}
    before, after = first["data"]["cards"][0], updated["data"]["cards"][0]
    assert (after["uuid"], after["summary"]) == (before["uuid"], before["summary"])
    assert after["indicator"] == before["indicator"] == "warning"
    assert after["extension"][BASIS]["criteria"] == before["extension"][BASIS]["criteria"]
