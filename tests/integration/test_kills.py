"""`kill -9` at the two points where the outside world and the database disagree."""

from __future__ import annotations

import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support.broker import make_topics, send
from tests.support.ehr import Ehr
from tests.support.faults import (
    BRIEF,
    Cards,
    arrived,
    assert_settled,
    count,
    eventually,
    kafka_offset,
    stored_offset,
    unmarked,
)
from tests.support.fhir import cryoglobulin, observation
from tests.support.service import WAIT_S, Service, serve, settings

pytestmark = pytest.mark.broker

NOW = datetime.now(UTC)
CREATININE = "14682-9"  # umol/L
NEGATIVE = {"coding": [{"system": "http://snomed.info/sct", "code": "260385009"}]}


def _day(ago: int) -> str:
    """`serve` as shipped reads the wall clock, and its rules look back from there."""
    return (NOW - timedelta(days=ago)).date().isoformat()


def _creatinine(patient: str, kind: str, ago: int, value: int) -> bytes:
    quantity: dict[str, Any] = {
        "value": value,
        "unit": "umol/L",
        "system": "http://unitsofmeasure.org",
        "code": "umol/L",
    }
    return observation(patient, f"{kind}-{patient}", CREATININE, _day(ago), valueQuantity=quantity)


def _corrected(patient: str) -> bytes:
    meta = {"versionId": "2"}
    return cryoglobulin(patient, _day(10), status="entered-in-error", meta=meta)


BEFORE = [cryoglobulin("1", _day(20))]
MEANWHILE = [
    cryoglobulin("2", _day(10)),
    cryoglobulin("3", _day(10)),
    _creatinine("2", "first", 40, 80),
    observation("4", "cryo-4", "5117-7", _day(9), valueCodeableConcept=NEGATIVE),
]
AFTERWARDS = [
    _corrected("3"),
    _creatinine("2", "second", 2, 120),
    cryoglobulin("5", _day(1)),
]
END = len(BEFORE) + len(MEANWHILE) + len(AFTERWARDS)
# hcv-search: "If HCV infection is not already diagnosed, searching for HCV is mandatory"
# (Desbois 2017, 2.3), for each positive cryoglobulin that stands: not patient 3's, entered in
# error, nor patient 4's, negative. renal-involvement: 120 / 80 = 1.5, at least 1.5 times the
# baseline (KDIGO), beside patient 2's cryoglobulin.
EXPECTED: Cards = {
    ("Patient/1", "hcv-search"),
    ("Patient/2", "hcv-search"),
    ("Patient/2", "renal-involvement"),
    ("Patient/5", "hcv-search"),
}


async def _one_card_is_over_and_done_with(
    service: Service, address: str, topic: str, url: str
) -> None:
    """The first event's card is delivered and marked, and Kafka knows its offset."""
    await service.ready()
    await send(address, topic, BEFORE)

    async def done() -> bool:
        marked = await count(url, "outbox", "status = 'delivered'") == 1
        return marked and await kafka_offset(address, topic) == 1

    await eventually(service, done)


async def _everything_is_handled(service: Service, url: str) -> None:
    async def done() -> bool:
        return await stored_offset(url) == END and not await count(
            url, "outbox", "status = 'pending'"
        )

    await eventually(service, done)


async def test_killed_between_the_commit_and_kafka_the_service_goes_on_where_the_database_is(
    address: str, url: str, receiver: Ehr, tmp_path: Path
) -> None:
    topic = f"uncommitted-{tmp_path.name}"
    await make_topics(address, {topic: 1})
    given = settings(address, topic, url, receiver) | BRIEF
    # A slice of one record tells Kafka once, so that the second time is the second record's. Its
    # card is owed by then and not sent: nobody has had a turn since the commit.
    with serve(given, tmp_path / "killed", fault=["Consumer.commit:before:2"]) as service:
        await _one_card_is_over_and_done_with(service, address, topic, url)
        await send(address, topic, MEANWHILE[:1])
        assert service.process.wait(WAIT_S) == -signal.SIGKILL
    assert await kafka_offset(address, topic) == 1
    assert await stored_offset(url) == 2
    assert await count(url, "outbox", "status = 'pending' AND attempts = 0") == 1
    await send(address, topic, [*MEANWHILE[1:], *AFTERWARDS])
    with serve(given, tmp_path / "again") as service:
        await _everything_is_handled(service, url)
        consumed = await service.metric(f'cryovigil_events_consumed_total{{topic="{topic}"}}')
        assert consumed == END - 2
        assert service.terminate() == 0
    await assert_settled(url, receiver, EXPECTED, END)


async def test_killed_between_the_answer_and_its_mark_the_service_sends_the_same_again(
    address: str, url: str, receiver: Ehr, tmp_path: Path
) -> None:
    topic = f"unmarked-{tmp_path.name}"
    await make_topics(address, {topic: 1})
    given = settings(address, topic, url, receiver) | BRIEF
    with serve(given, tmp_path / "killed", fault=["Sink.send:after:2"]) as service:
        await _one_card_is_over_and_done_with(service, address, topic, url)
        (marked,) = arrived(receiver)
        await send(address, topic, MEANWHILE)
        assert service.process.wait(WAIT_S) == -signal.SIGKILL
    answered = arrived(receiver).keys() & await unmarked(url)
    assert answered
    assert marked not in answered
    await send(address, topic, AFTERWARDS)
    # The dead courier's lease lasts a minute and some seconds; until then nobody else may send.
    clock = tmp_path / "clock"
    clock.write_text((datetime.now(UTC) + timedelta(minutes=2)).isoformat())
    with serve(given, tmp_path / "again", clock) as service:
        await _everything_is_handled(service, url)
        assert service.terminate() == 0
    repeats = {name: len(requests) for name, requests in arrived(receiver).items()}
    assert all(repeats[name] == 2 for name in answered)
    assert repeats[marked] == 1
    await assert_settled(url, receiver, EXPECTED, END)
