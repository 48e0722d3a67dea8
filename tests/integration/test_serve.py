"""The real process, with a real broker, a real database file and an EHR on the other side."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.broker import broker, free_port, make_topics, send
from tests.support.ehr import Ehr, ehr
from tests.support.service import serve

pytestmark = [pytest.mark.broker, pytest.mark.sqlite]

CANARY = "Canary7"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with broker() as running:
        yield running


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Ehr]:
    with ehr(tmp_path) as running:
        yield running


def settings(address: str, topic: str, folder: Path, receiver: Ehr | None) -> dict[str, str]:
    """One topic, one group and one database for each test."""
    sink = {"CRYOVIGIL_EHR__SINK": "none"}
    if receiver is not None:
        sink = {"CRYOVIGIL_EHR__SINK": "cloudevents", "CRYOVIGIL_EHR__URL": receiver.url}
    return {
        "CRYOVIGIL_KAFKA__BOOTSTRAP_SERVERS": address,
        "CRYOVIGIL_KAFKA__TOPICS": topic,
        "CRYOVIGIL_KAFKA__GROUP_ID": f"group-{topic}",
        "CRYOVIGIL_DATABASE_URL": f"sqlite:///{folder / 'cryovigil.db'}",
        **sink,
    }


def observation(patient: str, identifier: str, loinc: str, day: str, **members: Any) -> bytes:
    resource = {
        "resourceType": "Observation",
        "id": identifier,
        "meta": {"versionId": "1"},
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": loinc}]},
        "subject": {"reference": f"Patient/{patient}", "display": CANARY},
        "effectiveDateTime": f"{day}T09:00:00Z",
        "note": [{"text": CANARY}],
        **members,
    }
    return json.dumps(resource).encode()


def cryoglobulin(patient: str, day: str = "2026-02-01", **members: Any) -> bytes:
    """A positive cryoglobulin of unknown type: "searching for HCV is mandatory" (hcv-search)."""
    positive = {"coding": [{"system": "http://snomed.info/sct", "code": "10828004"}]}
    return observation(
        patient, f"cryo-{patient}", "5117-7", day, valueCodeableConcept=positive, **members
    )


def of_rule(receiver: Ehr, rule: str) -> list[Any]:
    """The events that announce a card of the rule."""
    return [
        event
        for event in receiver.events()
        for card in event["data"]["cards"]
        if card["source"]["topic"]["code"] == rule
    ]


def retracted(receiver: Ehr) -> list[Any]:
    return [event for event in receiver.events() if event["type"].endswith("retracted.v1")]


async def test_a_result_becomes_a_card_and_its_correction_a_retraction(
    address: str, receiver: Ehr, tmp_path: Path
) -> None:
    await make_topics(address, {"story": 2})
    with serve(settings(address, "story", tmp_path, receiver), tmp_path / "service") as service:
        await service.ready()
        await send(address, "story", [b"{garbled " + CANARY.encode(), cryoglobulin("1")])
        await service.until(lambda: bool(of_rule(receiver, "hcv-search")))
        (created,) = of_rule(receiver, "hcv-search")
        assert created["type"] == "org.cryovigil.card.created.v1"
        assert created["subject"] == "Patient/1"
        wrong = cryoglobulin("1", status="entered-in-error", meta={"versionId": "2"})
        await send(address, "story", [wrong])
        await service.until(lambda: bool(retracted(receiver)))
        gone = retracted(receiver)[0]["data"]["extension"]["org.cryovigil.retracted"]
        assert gone["reason"] == "entered-in-error"
        assert gone["uuid"] == created["data"]["cards"][0]["uuid"]
        assert await service.metric('cryovigil_dead_letters_total{reason="not-json"}') == 1
        processed = 'cryovigil_events_processed_total{outcome="dead_letter",topic="story"}'
        assert await service.metric(processed) == 1
        assert await service.metric("cryovigil_outbox_pending") == 0
        assert service.terminate() == 0
        assert "service_stopped" in [line["event"] for line in service.log]
        assert CANARY not in json.dumps(service.log) + service.errors


async def test_a_killed_service_sends_the_same_event_again(
    address: str, receiver: Ehr, tmp_path: Path
) -> None:
    await make_topics(address, {"killed": 1})
    given = settings(address, "killed", tmp_path, receiver)
    receiver.answers.extend([(503, {})] * 3)
    with serve(given, tmp_path / "first") as service:
        await service.ready()
        await send(address, "killed", [cryoglobulin("1")])
        # Killed before it is marked, the event would wait for its lease of a minute.
        await service.until(lambda: "delivery_postponed" in [row["event"] for row in service.log])
        service.process.kill()
    with serve(given, tmp_path / "second") as service:
        await service.until(lambda: not receiver.answers)
        await service.until(lambda: len(receiver.requests()) >= 4)
        assert service.terminate() == 0
    sent = [request for request in receiver.requests() if b"hcv-search" in request.body]
    assert len({request.headers["idempotency-key"] for request in sent}) == 1
    assert len({request.body for request in sent}) == 1


async def test_time_alone_opens_a_card(address: str, receiver: Ehr, tmp_path: Path) -> None:
    await make_topics(address, {"calendar": 1})
    clock = tmp_path / "clock"
    clock.write_text("2026-03-01T12:00:00+00:00")
    undetected = {
        "coding": [{"system": "http://snomed.info/sct", "code": "260415000"}],
        "text": "not detected",
    }
    rna = observation("1", "rna-1", "11011-4", "2026-02-01", valueCodeableConcept=undetected)
    given = settings(address, "calendar", tmp_path, receiver)
    with serve(given, tmp_path / "service", clock) as service:
        await service.ready()
        await send(address, "calendar", [rna, cryoglobulin("1")])
        done = 'cryovigil_events_processed_total{outcome="ok",topic="calendar"}'
        while await service.metric(done) < 2:
            assert service.process.poll() is None
        assert of_rule(receiver, "hcv-search") == []
        # "not detected within the last 12 months": no longer so a year and a month later.
        clock.write_text("2027-03-01T12:00:00+00:00")
        await service.until(lambda: bool(of_rule(receiver, "hcv-search")))
        assert service.terminate() == 0


async def test_without_a_sink_nothing_is_owed(address: str, tmp_path: Path) -> None:
    await make_topics(address, {"pull": 1})
    with serve(settings(address, "pull", tmp_path, None), tmp_path / "service") as service:
        await service.ready()
        await send(address, "pull", [cryoglobulin("1")])
        done = 'cryovigil_events_processed_total{outcome="ok",topic="pull"}'
        while await service.metric(done) < 1:
            assert service.process.poll() is None
        assert await service.metric("cryovigil_outbox_pending") == 0
        listed = await service.get("/cards?since=2026-01-01T00:00:00Z")
        assert len(listed.json()["cards"]) >= 1
        assert service.terminate() == 0


async def test_a_second_service_on_the_file_is_refused(address: str, tmp_path: Path) -> None:
    await make_topics(address, {"twice": 1})
    given = settings(address, "twice", tmp_path, None)
    with serve(given, tmp_path / "first") as first:
        await first.ready()
        with serve(given, tmp_path / "second") as second:
            assert second.process.wait(30) == 1
            assert len(second.errors.splitlines()) == 1
        assert first.terminate() == 0


async def test_a_service_that_still_looks_for_its_broker_stops_when_asked(tmp_path: Path) -> None:
    given = settings(f"127.0.0.1:{free_port()}", "nowhere", tmp_path, None)
    with serve(given, tmp_path / "service") as service:
        await service.until(lambda: "broker_unavailable" in [line["event"] for line in service.log])
        assert (await service.get("/livez")).status_code == 200
        assert (await service.get("/readyz")).status_code == 503
        assert service.terminate() == 0


async def test_an_unknown_setting_ends_the_start_with_its_name(tmp_path: Path) -> None:
    given = {"CRYOVIGIL_KAFKA__TOPIC": CANARY}
    with serve(given, tmp_path / "service") as service:
        assert service.process.wait(30) == 2
        (line,) = service.errors.splitlines()
    assert "CRYOVIGIL_KAFKA__TOPIC" in line
    assert CANARY not in line


async def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    given = settings("127.0.0.1:1", "nowhere", tmp_path, None)
    with serve(given, tmp_path / "first") as first:
        await first.until(lambda: "service_started" in [line["event"] for line in first.log])
        taken = {"CRYOVIGIL_ADMIN__PORT": str(first.port)}
        with serve(given | taken, tmp_path / "second") as second:
            assert second.process.wait(30) == 2
            assert "CRYOVIGIL_ADMIN__PORT" in second.errors
