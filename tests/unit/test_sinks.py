"""What each answer of an EHR means for the event: delivered, postponed or parked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.support.broker import free_port
from tests.support.ehr import Ehr, ehr

from cryovigil.adapters.delivery import SinkAnswer
from cryovigil.adapters.sinks.cloudevents import CloudEventsSink
from cryovigil.adapters.sinks.file import FileSink

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Clock:
    def now(self) -> datetime:
        return NOON


@asynccontextmanager
async def sink_to(url: str, token: str | None = None) -> AsyncIterator[CloudEventsSink]:
    sink = CloudEventsSink(url, token=token, timeout_s=5, concurrency=2, clock=Clock())
    try:
        yield sink
    finally:
        await sink.close()


async def answer_to(running: Ehr, status: int, headers: Mapping[str, str]) -> SinkAnswer:
    running.answers.append((status, headers))
    async with sink_to(running.url) as sink:
        return await sink.send(b"{}", "card.1")


async def test_an_event_arrives_as_it_was_frozen_under_its_own_id(tmp_path: Path) -> None:
    with ehr(tmp_path) as running:
        async with sink_to(running.url, "a token") as sink:
            answer = await sink.send(b'{"id":"card.1"}', "card.1")
        (request,) = running.requests()
    assert answer == SinkAnswer("delivered", "200")
    assert request.body == b'{"id":"card.1"}'
    # CloudEvents 1.0, HTTP protocol binding 3.2: structured mode has this media type.
    assert request.headers["content-type"] == "application/cloudevents+json"
    assert request.headers["idempotency-key"] == "card.1"
    assert request.headers["authorization"] == "Bearer a token"


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        *((status, "delivered") for status in (200, 201, 202, 204)),
        *((status, "retry") for status in (408, 425, 429, 500, 502, 503, 504, 599)),
        *((status, "parked") for status in (301, 302, 307, 308, 304)),
        *((status, "parked") for status in (400, 401, 403, 404, 409, 410, 422)),
    ],
)
async def test_each_status_has_its_class(tmp_path: Path, status: int, outcome: str) -> None:
    with ehr(tmp_path) as running:
        answer = await answer_to(running, status, {})
    assert (answer.outcome, answer.code) == (outcome, str(status))


async def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    with ehr(tmp_path) as running:
        await answer_to(running, 307, {"Location": running.url})
        assert len(running.requests()) == 1


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        ("Sun, 01 Mar 2026 12:01:30 GMT", 90.0),
        ("Mon, 01 Jan 9999999999999999999 00:00:00 GMT", None),
        ("Mon, 01 Jan 99999 00:00:00 GMT", None),
        ("soon", None),
        ("", None),
        ("-1", None),
    ],
)
async def test_a_wait_the_receiver_asks_for_is_read(
    tmp_path: Path, value: str, seconds: float | None
) -> None:
    with ehr(tmp_path) as running:
        answer = await answer_to(running, 503, {"Retry-After": value})
    assert answer.retry_after_s == seconds


async def test_nobody_listening_is_an_outage() -> None:
    async with sink_to(f"http://127.0.0.1:{free_port()}/") as sink:
        assert await sink.send(b"{}", "card.1") == SinkAnswer("retry", "connection")


async def test_a_file_gets_one_line_an_event(tmp_path: Path) -> None:
    file = tmp_path / "cards.ndjson"
    sink = FileSink(file)
    for body in (b'{"id":"1"}', b'{"id":"2"}'):
        assert await sink.send(body, "x") == SinkAnswer("delivered", "file")
    assert file.read_bytes() == b'{"id":"1"}\n{"id":"2"}\n'
    assert file.stat().st_mode & 0o777 == 0o600


async def test_a_file_that_cannot_be_written_is_an_outage(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "missing" / "cards.ndjson")
    assert await sink.send(b"{}", "x") == SinkAnswer("retry", "file")
