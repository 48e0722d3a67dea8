"""Posts events to the EHR: CloudEvents 1.0 over HTTP, structured mode."""

from __future__ import annotations

import asyncio
from email.utils import parsedate_to_datetime

import httpx2

from cryovigil import __version__
from cryovigil.adapters.delivery import SinkAnswer
from cryovigil.clock import Clock

TOTAL_LAST_S = 45.0
MAX_ANSWER_BYTES = 64 * 1024  # the answer's body is read only so that the connection can be reused
RETRY_STATUSES = frozenset({408, 425, 429})


class CloudEventsSink:
    """One EHR endpoint. Redirects are never followed: they would carry a patient elsewhere."""

    def __init__(
        self, url: str, *, token: str | None, timeout_s: float, concurrency: int, clock: Clock
    ) -> None:
        headers = {
            "Content-Type": "application/cloudevents+json",
            "User-Agent": f"cryovigil/{__version__}",
        }
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self._url = url
        # Each step of an attempt has the timeout; all of them together end before the lease does.
        self._total_s = min(3 * timeout_s, TOTAL_LAST_S)
        self._clock = clock
        self._client = httpx2.AsyncClient(
            headers=headers,
            timeout=timeout_s,
            follow_redirects=False,
            trust_env=False,
            limits=httpx2.Limits(max_connections=concurrency),
        )

    async def send(self, body: bytes, delivery_id: str) -> SinkAnswer:
        """One attempt. 2xx is delivered, what may pass is retried, anything else is parked."""
        headers = {"Idempotency-Key": delivery_id}
        try:
            async with (
                asyncio.timeout(self._total_s),
                self._client.stream("POST", self._url, content=body, headers=headers) as answer,
            ):
                await _drain(answer)
        except (TimeoutError, httpx2.TimeoutException):
            return SinkAnswer("retry", "timeout")
        except httpx2.RequestError:
            return SinkAnswer("retry", "connection")
        return self._judge(answer)

    async def close(self) -> None:
        await self._client.aclose()

    def _judge(self, answer: httpx2.Response) -> SinkAnswer:
        status = answer.status_code
        if answer.is_success:
            return SinkAnswer("delivered", str(status))
        if status in RETRY_STATUSES or status >= 500:
            return SinkAnswer("retry", str(status), self._retry_after(answer))
        return SinkAnswer("parked", str(status))

    def _retry_after(self, answer: httpx2.Response) -> float | None:
        """Seconds of a Retry-After header, in either of its two forms (RFC 9110, 10.2.3)."""
        value = answer.headers.get("Retry-After", "").strip()
        if value.isascii() and value.isdigit():
            return float(value)
        try:
            return (parsedate_to_datetime(value) - self._clock.now()).total_seconds()
        except (ValueError, TypeError, OverflowError):  # no date, none of ours, or without a zone
            return None


async def _drain(answer: httpx2.Response) -> None:
    """Reads a bounded part of a body nobody needs."""
    read = 0
    async for chunk in answer.aiter_raw():
        read += len(chunk)
        if read > MAX_ANSWER_BYTES:
            return
