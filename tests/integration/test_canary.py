"""Nothing of a patient's leaves by a side door: no log line, metric, error or list repeats it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.support.bad_input import records
from tests.support.broker import make_topics, producer
from tests.support.canary import LEVEL, Canaries, leaks
from tests.support.commands import cryovigil
from tests.support.databases import query, sqlite_url
from tests.support.progress import until_consumed
from tests.support.service import Service, serve, settings
from tests.support.unkind_ehr import answer, unkind_ehr

pytestmark = [pytest.mark.broker, pytest.mark.sqlite]

LIMIT = 400_000
TOPIC = "canary"
REASONS = {
    *("not-json", "too-deep", "too-large", "not-a-resource", "bundle-entry", "needs-read"),
    *("no-id", "bad-id", "no-subject", "bad-structure", "unreadable-time", "deletion-of-nothing"),
}
HOOK = "/cds-services/cryovas-patient-view"
HOOK_INSTANCE = "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea"


def events(canaries: Canaries, patient: str) -> list[bytes]:
    """Good, ignored and bad of every type and kind; then a good one, so that cards come last."""
    good = canaries.good(patient)
    bundle = {
        "resourceType": "Bundle",
        "id": canaries.new(),
        "type": "transaction",
        "entry": [
            {"fullUrl": f"urn:uuid:{canaries.new()}", "resource": resource}
            for resource in (*canaries.good(patient), *canaries.bad(patient))
        ]
        + [{"fullUrl": canaries.new(), "request": {"method": "PUT", "url": canaries.new()}}],
    }
    every = (*canaries.ignored(patient), *canaries.bad(patient), bundle, *good)
    spoilt = [bad.value for bad in records(patient, LIMIT)]
    return [*spoilt, *(json.dumps(each).encode() for each in every)]


async def publish(address: str, canaries: Canaries, values: Iterable[bytes]) -> None:
    """Each with a key and a header of its own; a deletion of something at the end."""
    async with producer(address) as sender:
        for value in values:
            headers = [(canaries.new(), canaries.new().encode())]
            key = canaries.new().encode()
            await sender.send(TOPIC, value, key=key, headers=headers)
        await sender.send_and_wait(TOPIC, None, key=f"Observation/{canaries.new()}".encode())


def complaints(canaries: Canaries) -> list[bytes]:
    """Answers to three deliveries that would be repeated by whoever logs what an EHR says."""
    new = canaries.new
    return [
        answer(f"500 {new()}", new(), Retry_After=new(), Location=f"/{new()}", X_Reason=new()),
        f"{new()} is no HTTP at all\r\n\r\n".encode(),
        answer("503 Service Unavailable", new(), Set_Cookie=new(), Content_Encoding="gzip"),
    ]


def wrong_calls(canaries: Canaries, patient: str) -> list[dict[str, Any]]:
    """Requests of every way to be refused, each with the canary where it goes wrong."""
    new = canaries.new
    json_type = {"Content-Type": "application/json"}
    context = {"userId": f"Practitioner/{new()}", "patientId": patient}
    call = {"hook": "patient-view", "hookInstance": HOOK_INSTANCE, "context": context}
    strange = [
        *(f'{{"hook": "{new()}', f'"{new()}"', f'{{"hook": {{"{new()}": 1}}}}'),
        *("[" * 101 + f'"{new()}"' + "]" * 101, f'{{"hook": NaN, "x": "{new()}"}}'),
    ]
    bodies = [
        {**call, "hook": new()},
        {**call, "hookInstance": new()},
        {**call, "context": {**context, "patientId": f"{new()} {new()}"}},
        {**call, "context": {**context, "patientId": [new()]}},
        {**call, "context": new()},
        {**call, "fhirAuthorization": {"access_token": new()}},
        {**call, "prefetch": {new(): new()}},
        call,
    ]
    posted = [*(text.encode() for text in strange), *(json.dumps(each).encode() for each in bodies)]
    return [
        *({"method": "POST", "url": HOOK, "headers": json_type, "content": c} for c in posted),
        {"method": "POST", "url": HOOK, "headers": {"Content-Type": new()}, "content": new()},
        {
            "method": "POST",
            "url": HOOK,
            "headers": {**json_type, "Content-Encoding": new()},
            "content": new(),
        },
        {"method": "POST", "url": f"/cds-services/{new()}", "json": call},
        {"method": "POST", "url": f"/cds-services/{new()}/feedback", "json": {"feedback": new()}},
        {"method": "GET", "url": f"/cards/{new()}"},
        {"method": "GET", "url": f"/cards?since={new()}"},
        {"method": "DELETE", "url": f"/cards/{new()}?{new()}={new()}"},
        {"method": "GET", "url": f"/{new()}", "headers": {"Authorization": f"Bearer {new()}"}},
    ]


async def refused(service: Service, calls: Iterable[dict[str, Any]]) -> str:
    """What all refusals say, headers included."""
    said = []
    base = f"http://127.0.0.1:{service.port}"
    async with httpx2.AsyncClient(base_url=base, trust_env=False) as client:
        for call in calls:
            response = await client.request(**call)
            assert 400 <= response.status_code < 500, call
            said.append(f"{response.headers} {response.text}")
    return "\n".join(said)


async def garbled(service: Service, line: str) -> str:
    """What a request that is no HTTP is answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
    writer.write(f"{line}\r\n\r\n".encode())
    await writer.drain()
    said = await reader.read()
    writer.close()
    return said.decode()


async def test_no_string_of_a_patient_is_in_a_log_a_metric_an_error_or_a_list(
    address: str, tmp_path: Path
) -> None:
    canaries = Canaries()
    patient = canaries.new()
    values = events(canaries, patient)
    await make_topics(address, {TOPIC: 1})
    url = sqlite_url(tmp_path)
    async with unkind_ehr(complaints(canaries)) as ehr:
        given = settings(address, TOPIC, url, None) | {
            "CRYOVIGIL_EHR__SINK": "cloudevents",
            "CRYOVIGIL_EHR__URL": ehr.url,
            "CRYOVIGIL_KAFKA__MAX_RECORD_BYTES": str(LIMIT),
            "CRYOVIGIL_LOG__LEVEL": "debug",
        }
        with serve(given, tmp_path / "service") as service:
            await service.ready()
            await publish(address, canaries, values)
            await until_consumed(service, {TOPIC: len(values) + 1})
            await service.until(lambda: bool(ehr.taken) and not ehr.answers)
            shown = [
                await refused(service, wrong_calls(canaries, patient)),
                await garbled(service, canaries.new()),
                (await service.get("/metrics")).text,
                (await service.get("/readyz")).text,
                *await cryovigil("dlq", "list", settings=given),
                *await cryovigil("dlq", "list", "--format", "json", settings=given),
            ]
            listed = (await service.get("/cards?since=2026-01-01T00:00:00Z")).text
            assert service.terminate() == 0
    shown += [(tmp_path / "service" / name).read_text() for name in ("log", "errors")]
    for text in map(str, shown):
        assert leaks(text) == set()
    # The same look finds them where they belong, or it would find nothing anywhere.
    assert str(LEVEL)[2:] in leaks(listed)
    assert patient in leaks(b"".join(ehr.taken).decode())
    kept = await query(url, "SELECT reason, part, key, headers FROM dead_letter")
    firsts = [whole for _, part, *whole in kept if part == 0]
    assert firsts
    assert all(leaks(repr(member)) for whole in firsts for member in whole)
    assert {reason for reason, *_ in kept} == REASONS
