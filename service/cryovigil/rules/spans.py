"""Lengths of time as rule files write them: `24 h`, `90 d`, `6 mo`."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from msgspec import Struct

from cryovigil.facts.as_of import shifted

_WRITTEN = re.compile(r"([1-9]\d{0,4}) (h|d|mo)")


class Span(Struct, frozen=True):
    """A length of time. Months are calendar months."""

    hours: int = 0
    days: int = 0
    months: int = 0

    def after(self, instant: datetime) -> datetime:
        """The instant so much later; days and months keep the clock time."""
        day = shifted(instant.date(), days=self.days, months=self.months)
        return datetime.combine(day, instant.timetz()) + timedelta(hours=self.hours)


def span(text: str) -> Span:
    """Raises ValueError for anything but a number and h, d or mo."""
    found = _WRITTEN.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no length of time such as 24 h, 90 d or 6 mo")
    number = int(found[1])
    match found[2]:
        case "h":
            return Span(hours=number)
        case "d":
            return Span(days=number)
        case _:
            return Span(months=number)
