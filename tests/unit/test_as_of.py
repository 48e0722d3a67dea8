"""The as-of instant: calendar days at the site, and the nearest instant that changes an answer."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from cryovigil.facts.as_of import AsOf, shifted

PARIS = ZoneInfo("Europe/Paris")


def at(day: str, clock: str = "12:00") -> AsOf:
    return AsOf(datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=PARIS), PARIS)


@pytest.mark.parametrize(("today", "passed"), [("2026-03-25", False), ("2026-03-26", True)])
def test_84_days_have_elapsed_from_the_84th_day_on(today: str, passed: bool) -> None:
    # 1 January + 84 days: 30 days left in January, 28 in February, 26 in March.
    assert at(today).elapsed(date(2026, 1, 1), days=84) is passed


def test_what_has_not_elapsed_is_remembered_as_the_midnight_of_its_day_at_the_site() -> None:
    as_of = at("2026-03-01")
    as_of.elapsed(date(2026, 1, 1), days=84)
    # Summer time begins on 29 March 2026: the 26th is still at +01:00.
    assert as_of.changes_at == datetime.fromisoformat("2026-03-26T00:00:00+01:00")


@pytest.mark.parametrize(("today", "inside"), [("2026-01-31", True), ("2026-02-01", False)])
def test_a_window_holds_up_to_and_including_its_last_day(today: str, inside: bool) -> None:
    assert at(today, "23:59").within(date(2025, 1, 31), months=12) is inside


def test_the_nearest_of_several_instants_is_kept() -> None:
    as_of = at("2026-01-01")
    as_of.elapsed(date(2026, 1, 1), days=10)
    as_of.elapsed(date(2026, 1, 1), days=5)
    as_of.elapsed(date(2026, 1, 1), days=20)
    assert as_of.changes_at == datetime(2026, 1, 6, tzinfo=PARIS)


def test_what_was_reached_is_not_remembered() -> None:
    as_of = at("2026-01-10")
    assert as_of.elapsed(date(2026, 1, 1), days=5)
    assert as_of.changes_at is None


@pytest.mark.parametrize(
    ("day", "months", "expected"),
    [
        (date(2025, 12, 31), 2, date(2026, 2, 28)),
        (date(2024, 2, 29), 12, date(2025, 2, 28)),
        (date(2026, 3, 31), -1, date(2026, 2, 28)),
        (date(2026, 1, 15), -1, date(2025, 12, 15)),
        (date(9999, 12, 1), 6, date.max),
    ],
)
def test_months_are_calendar_months_cut_at_their_last_day(
    day: date, months: int, expected: date
) -> None:
    assert shifted(day, months=months) == expected


def test_the_end_of_the_calendar_is_no_error() -> None:
    assert shifted(date(9999, 12, 31), days=84) == date.max
