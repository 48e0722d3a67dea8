"""The real process, with a real broker, a real database and an EHR on the other side."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.support.broker import free_port, make_topics, send
from tests.support.databases import sqlite_url
from tests.support.ehr import Ehr, of_rule, retracted
from tests.support.faults import BRIEF
from tests.support.fhir import CANARY, cryoglobulin
from tests.support.service import serve, settings

pytestmark = pytest.mark.broker


async def test_a_result_becomes_a_card_and_its_correction_a_retraction(
    address: str, url: str, receiver: Ehr, tmp_path: Path
) -> None:
    topic = tmp_path.name
    await make_topics(address, {topic: 2})
    given = settings(address, topic, url, receiver)
    with serve(given, tmp_path / "service") as service:
        await service.ready()
        await send(address, topic, [b"{garbled " + CANARY.encode(), cryoglobulin("1")])
        await service.until(lambda: bool(of_rule(receiver, "hcv-search")))
        (created,) = of_rule(receiver, "hcv-search")
        assert created["type"] == "org.cryovigil.card.created.v1"
        assert created["subject"] == "Patient/1"
        wrong = cryoglobulin("1", status="entered-in-error", meta={"versionId": "2"})
        await send(address, topic, [wrong])
        await service.until(lambda: bool(retracted(receiver)))
        gone = retracted(receiver)[0]["data"]["extension"]["org.cryovigil.retracted"]
        assert gone["reason"] == "entered-in-error"
        assert gone["uuid"] == created["data"]["cards"][0]["uuid"]
        assert await service.metric('cryovigil_dead_letters_total{reason="not-json"}') == 1
        processed = f'cryovigil_events_processed_total{{outcome="dead_letter",topic="{topic}"}}'
        assert await service.metric(processed) == 1
        assert await service.metric("cryovigil_outbox_pending") == 0
        assert service.terminate() == 0
        assert "service_stopped" in [line["event"] for line in service.log]
        assert CANARY not in json.dumps(service.log) + service.errors


async def test_a_killed_service_sends_the_same_event_again(
    address: str, url: str, receiver: Ehr, tmp_path: Path
) -> None:
    topic = tmp_path.name
    await make_topics(address, {topic: 1})
    given = settings(address, topic, url, receiver) | BRIEF
    receiver.answers.extend([(503, {})] * 3)
    with serve(given, tmp_path / "first") as service:
        await service.ready()
        await send(address, topic, [cryoglobulin("1")])
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


@pytest.mark.sqlite
async def test_without_a_sink_nothing_is_owed(address: str, tmp_path: Path) -> None:
    await make_topics(address, {"pull": 1})
    given = settings(address, "pull", sqlite_url(tmp_path), None)
    with serve(given, tmp_path / "service") as service:
        await service.ready()
        await send(address, "pull", [cryoglobulin("1")])
        done = 'cryovigil_events_processed_total{outcome="ok",topic="pull"}'
        while await service.metric(done) < 1:
            assert service.process.poll() is None
        assert await service.metric("cryovigil_outbox_pending") == 0
        listed = await service.get("/cards?since=2026-01-01T00:00:00Z")
        assert len(listed.json()["cards"]) >= 1
        assert service.terminate() == 0


@pytest.mark.sqlite
async def test_a_second_service_on_the_file_is_refused(address: str, tmp_path: Path) -> None:
    await make_topics(address, {"twice": 1})
    given = settings(address, "twice", sqlite_url(tmp_path), None)
    with serve(given, tmp_path / "first") as first:
        await first.ready()
        with serve(given, tmp_path / "second") as second:
            assert second.process.wait(30) == 1
            assert len(second.errors.splitlines()) == 1
        assert first.terminate() == 0


@pytest.mark.sqlite
async def test_a_service_that_still_looks_for_its_broker_stops_when_asked(tmp_path: Path) -> None:
    given = settings(f"127.0.0.1:{free_port()}", "nowhere", sqlite_url(tmp_path), None)
    with serve(given, tmp_path / "service") as service:
        await service.until(lambda: "broker_unavailable" in [line["event"] for line in service.log])
        assert (await service.get("/livez")).status_code == 200
        assert (await service.get("/readyz")).status_code == 503
        assert service.terminate() == 0
