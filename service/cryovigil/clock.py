"""The one place of the service that reads the wall clock. Whoever needs the time is given it."""

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
