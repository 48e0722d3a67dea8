"""The instant an answer is given for. The only way in which facts and rules see time.

Every comparison with time goes through an `AsOf`, which remembers the nearest instant at which one
of them will come out differently. So each answer knows when it changes without any event, and
nobody has to compute it.
"""

from __future__ import annotations

import calendar
from datetime import date, datetime, time, timedelta, tzinfo


class AsOf:
    """An instant (aware) and the site's time zone.

    changes_at: the nearest instant still ahead that a comparison asked for, None where none did.
    """

    def __init__(self, instant: datetime, zone: tzinfo) -> None:
        self.instant = instant
        self.zone = zone
        self.today = instant.astimezone(zone).date()
        self.changes_at: datetime | None = None

    def reached(self, instant: datetime) -> bool:
        """Whether the instant has come; if not, it is remembered."""
        if instant <= self.instant:
            return True
        if self.changes_at is None or instant < self.changes_at:
            self.changes_at = instant
        return False

    def elapsed(self, day: date, *, days: int = 0, months: int = 0) -> bool:
        """Whether at least so much time has passed since a day: true from that day on."""
        return self.reached(self._midnight(shifted(day, days=days, months=months)))

    def within(self, day: date, *, days: int = 0, months: int = 0) -> bool:
        """Whether a day lies at most so long ago: true up to and including the last day."""
        return not self.elapsed(shifted(day, days=days, months=months), days=1)

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, time.min, tzinfo=self.zone)


def shifted(day: date, *, days: int = 0, months: int = 0) -> date:
    """A day so many calendar months and days later; the 31st of a short month is its last day.

    Clamped to the calendar's own ends, so that a date of the year 9999 cannot overflow.
    """
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    if not date.min.year <= year <= date.max.year:
        return date.max if months > 0 else date.min
    last = calendar.monthrange(year, month + 1)[1]
    try:
        return date(year, month + 1, min(day.day, last)) + timedelta(days=days)
    except OverflowError:
        return date.max if days > 0 else date.min
