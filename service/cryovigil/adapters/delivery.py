"""What a courier needs from a sink: one attempt, and what came of it."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from cryovigil.adapters.ports import Outcome


class SinkAnswer(Struct, frozen=True):
    """What came of one attempt. code: a status or a fixed word; it quotes no answer.

    retry_after_s: how long the receiver asked us to wait, None where it did not say.
    """

    outcome: Outcome
    code: str
    retry_after_s: float | None = None


class Sink(Protocol):
    """A place that takes events. It keeps the outcome classes; the courier keeps the order."""

    async def send(self, body: bytes, delivery_id: str) -> SinkAnswer:
        """One attempt. An outage is an answer, never an exception."""
        ...

    async def close(self) -> None: ...
