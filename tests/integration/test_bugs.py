"""A bug in the middle of a slice: nothing of it is kept, and the service stops."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.support.broker import make_topics, send
from tests.support.databases import sqlite_url
from tests.support.ehr import Ehr, of_rule
from tests.support.faults import BRIEF, count, eventually, stored_offset
from tests.support.fhir import CANARY, cryoglobulin, purpura
from tests.support.service import WAIT_S, serve, settings

pytestmark = pytest.mark.broker

TABLES = ("reading", "patient", "card", "outbox", "dead_letter")


def _one_readable_and_one_not() -> bytes:
    """A record of two parts, so that both are sure to be of one slice."""
    nobody = json.loads(cryoglobulin("2"))
    del nobody["subject"]
    resources = [nobody, json.loads(cryoglobulin("1"))]
    entries = [{"resource": resource} for resource in resources]
    return json.dumps({"resourceType": "Bundle", "type": "batch", "entry": entries}).encode()


async def test_a_bug_rolls_its_slice_back_and_stops_the_service(
    address: str, url: str, receiver: Ehr, tmp_path: Path
) -> None:
    topic = tmp_path.name
    await make_topics(address, {topic: 1})
    await send(address, topic, [_one_readable_and_one_not()])
    given = settings(address, topic, url, receiver) | BRIEF
    # The error quotes what it choked on, as errors do.
    fault = ["Transaction.put_card:after:1", "RuntimeError", CANARY]
    with serve(given, tmp_path / "failing", fault=fault) as service:
        assert service.process.wait(WAIT_S) == 1
        (line,) = [line for line in service.log if line["level"] not in {"debug", "info"}]
        said = {name: line[name] for name in ("event", "worker", "error")}
        assert said == {"event": "worker_died", "worker": "intake", "error": "RuntimeError"}
        assert service.errors == ""
        assert CANARY not in json.dumps(service.log)
    assert await stored_offset(url) is None
    assert {table: await count(url, table) for table in TABLES} == dict.fromkeys(TABLES, 0)
    assert receiver.requests() == []
    with serve(given, tmp_path / "mended") as service:

        async def delivered() -> bool:
            return await count(url, "outbox", "status = 'delivered'") == 1

        await eventually(service, delivered)
        assert service.terminate() == 0
    (created,) = of_rule(receiver, "hcv-search")
    assert created["subject"] == "Patient/1"
    assert await stored_offset(url) == 1
    assert await count(url, "dead_letter") == 1


@pytest.mark.sqlite
async def test_a_bug_in_one_rule_is_counted_and_alerted_and_the_others_still_answer(
    address: str, receiver: Ehr, tmp_path: Path
) -> None:
    topic = tmp_path.name
    await make_topics(address, {topic: 1})
    given = settings(address, topic, sqlite_url(tmp_path), receiver)
    with serve(given, tmp_path / "service", rule_bug=["hcv_search", CANARY]) as service:
        await service.ready()
        await send(address, topic, [cryoglobulin("1"), purpura("1")])
        await service.until(lambda: bool(of_rule(receiver, "cryovas-likely")))
        assert of_rule(receiver, "hcv-search") == []
        assert await service.metric('cryovigil_rule_failures_total{rule="hcv-search"}') >= 1
        said = [line for line in service.log if line["event"] == "rule_failed"]
        assert {(line["rule"], line["error"], line["level"]) for line in said} == {
            ("hcv-search", "KeyError", "error")
        }
        assert CANARY not in json.dumps(service.log)
        assert service.terminate() == 0
