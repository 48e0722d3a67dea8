"""FHIR dates and times as written: what days they may mean, and the instant where one is given.

A time without a zone is read in the site's time zone: FHIR R4 (Datatypes, dateTime) wants a
zone with every time, and not every producer heeds it.
"""

from __future__ import annotations

import calendar
import re
from datetime import MAXYEAR, UTC, date, datetime, time, timedelta, timezone, tzinfo

from cryovigil.errors import Unreadable
from cryovigil.normalize.readings import When

_WRITTEN = re.compile(
    r"(?P<year>\d{4})(?:-(?P<month>\d\d)(?:-(?P<day>\d\d)"
    r"(?:[T ](?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d+))?)?"
    r"\s?(?P<zone>Z|z|[+-]\d\d:?\d\d)?)?)?)?"
)
_LONGEST = 64
_NOT_AT_ALL = "0001-01-01"
_SECONDS = len("2026-01-31T08:00:00Z")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# Systems write years before for "no date", the least their calendar holds, and the last year of
# all for "never": its clock times are left out, since not every zone can hold them.
_FIRST_YEAR, _NEVER = 1800, MAXYEAR
_FIRST_TEXT, _NEVER_TEXT = str(_FIRST_YEAR), str(_NEVER)


def when(text: str | None, zone: tzinfo) -> When | None:
    """The days and the instant that a date, dateTime or instant means; None where none is given.

    Raises Unreadable("unreadable-time") for a text that is no FHIR time, or lies before 1800.
    """
    if text is None or not (text := text.strip()):
        return None
    if known := _instant(text):
        return known
    match = _WRITTEN.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None:
        raise Unreadable("unreadable-time")
    try:
        return _when(match, zone)
    except ValueError:
        raise Unreadable("unreadable-time") from None


def bookkept(text: str | None, zone: tzinfo) -> When | None:
    """A time that a server notes for itself (meta.lastUpdated), None where it was not set.

    Some runtimes write the first day of the calendar then.
    """
    return None if text and text.startswith(_NOT_AT_ALL) else when(text, zone)


def _instant(text: str) -> When | None:
    """The usual spelling, `2026-01-31T08:00:00Z` or with an offset, read many times faster."""
    if len(text) < _SECONDS or text[4] != "-" or text[7] != "-" or text[10] != "T":
        return None
    if not _FIRST_TEXT <= text < _NEVER_TEXT:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    if instant.tzinfo is None:
        return None
    day = instant.date()
    return When(day, day, instant)


def _when(match: re.Match[str], zone: tzinfo) -> When:
    year = int(match["year"])
    if year < _FIRST_YEAR:
        raise Unreadable("unreadable-time")
    if match["month"] is None:
        return When(date(year, 1, 1), date(year, 12, 31))
    month = int(match["month"])
    if match["day"] is None:
        last = calendar.monthrange(year, month)[1] if 1 <= month <= 12 else 0
        return When(date(year, month, 1), date(year, month, last))
    day = date(year, month, int(match["day"]))
    if match["hour"] is None or year == _NEVER:
        return When(day, day)
    return When(day, day, datetime.combine(day, _clock(match), tzinfo=_zone(match["zone"], zone)))


def _clock(match: re.Match[str]) -> time:
    # A leap second is the last one of its minute here: the calendar of Python has none.
    second = min(int(match["second"] or 0), 59)
    fraction = int((match["fraction"] or "0")[:6].ljust(6, "0"))
    return time(int(match["hour"]), int(match["minute"]), second, fraction)


def _zone(written: str | None, site: tzinfo) -> tzinfo:
    if written is None:
        return site
    if written in "Zz":
        return UTC
    digits = written[1:].replace(":", "")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-offset if written[0] == "-" else offset)


def place(known: When | None, zone: tzinfo) -> int:
    """Where a time stands in a timeline: microseconds since the epoch, 0 for no time.

    A date stands at the beginning of its earliest day at the site.
    """
    if known is None:
        return 0
    instant = known.instant or datetime.combine(known.earliest, time.min, tzinfo=zone)
    return microseconds(instant)


def microseconds(instant: datetime) -> int:
    """Microseconds since the epoch, negative before it."""
    return (instant - _EPOCH) // _MICROSECOND
