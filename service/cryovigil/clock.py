"""The one place that reads the wall clock. Everything else is told what time it is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Says what time it is, with a time zone. Tests bring their own."""

    def now(self) -> datetime: ...


class WallClock:
    """The clock of this machine, in UTC."""

    def now(self) -> datetime:
        return datetime.now(UTC)
