"""Which version of a resource stands, in whatever order the versions come."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from cryovigil.facts.as_of import AsOf
from cryovigil.normalize.readings import Result, Update, Version, When, key_of
from cryovigil.timeline import Head, Timeline, fold, head_of, standing, tied

DAY = date(2026, 1, 10)


def result(value: float, status: str = "final", on: date | None = DAY) -> Result:
    at = datetime(on.year, on.month, on.day, tzinfo=UTC) if on else None
    return Result(
        concept="creatinine",
        reference="Observation/1",
        patient="Patient/1",
        source="s",
        at=int(at.timestamp()) * 1_000_000 if at else 0,
        status=status,
        when=When(on, on) if on else None,
        value=value,
    )


def update(
    value: float | None,
    number: int = 0,
    offset: int = 0,
    *,
    identity: str = "s|Observation/1",
    feed: str = "t/0",
    deletion: bool = False,
    replaces: tuple[str, ...] = (),
    status: str = "final",
) -> Update:
    return Update(
        identity=identity,
        key=key_of(identity),
        version=Version(number, 0, offset),
        feed=feed,
        patient="Patient/1",
        readings=() if value is None else (result(value, status),),
        deletion=deletion,
        replaces=replaces,
    )


def head(made: Update) -> Head:
    return head_of(made)


def values(updates: list[Update]) -> list[float]:
    return sorted(r.value for r in standing(updates) if isinstance(r, Result) if r.value)


def test_the_newest_version_stands_in_any_order_of_arrival() -> None:
    versions = [update(80, 1, 10), update(90, 2, 11), update(100, 3, 12)]
    for order in itertools.permutations(versions):
        assert values(list(order)) == [100]


def test_duplicates_change_nothing() -> None:
    assert values([update(80, 1, 10), update(80, 1, 11), update(80, 1, 12)]) == [80]


def test_bodies_without_versions_are_ordered_by_their_offsets() -> None:
    assert values([update(80, offset=1), update(90, offset=2)]) == [90]
    assert fold(head(update(90, offset=2)), update(80, offset=1)) is None


def test_a_deletion_without_a_version_beats_what_came_before_it() -> None:
    kept = fold(head(update(80, 5, 10)), update(None, offset=11, deletion=True))
    assert kept is not None
    assert kept.version == Version(5, 0, 11)


def test_an_older_version_after_the_deletion_does_not_revive_the_resource() -> None:
    assert (
        values([update(80, 5, 10), update(None, offset=11, deletion=True), update(70, 4, 12)]) == []
    )


def test_a_late_duplicate_of_what_was_deleted_does_not_revive_it() -> None:
    # The deletion takes the version of what it deletes and beats it; offsets do not decide here.
    gone = update(None, offset=11, deletion=True)
    assert values([update(80, 5, 10), gone, update(80, 5, 12)]) == []


def test_a_newer_version_after_the_deletion_does() -> None:
    gone = update(None, offset=11, deletion=True)
    assert values([update(80, 5, 10), gone, update(70, 6, 12)]) == [70]


def test_a_deletion_that_says_its_version_ends_that_version_in_either_order() -> None:
    body, gone = update(80, 2, 9), update(None, 2, 3, deletion=True)
    assert fold(head(body), gone) is not None
    assert fold(head(gone), body) is None


def test_a_deletion_of_an_older_version_leaves_the_newer_one() -> None:
    newer, gone = update(80, 3, 4), update(None, 2, 9, deletion=True)
    assert fold(head(newer), gone) is None
    assert fold(head(gone), newer) is not None


def test_a_deletion_of_something_unknown_keeps_earlier_records_of_its_partition_away() -> None:
    tombstone = head(update(None, offset=11, deletion=True))
    assert fold(tombstone, update(80, 5, 10)) is None
    assert fold(tombstone, update(80, 5, 12)) is not None


def test_bodies_without_versions_from_two_partitions_are_tied_if_they_differ() -> None:
    known = head_of(update(80, offset=1), content=1)
    assert tied(known, update(90, offset=9, feed="t/1"), content=2)
    assert not tied(known, update(80, offset=9, feed="t/1"), content=1)
    assert not tied(known, update(90, offset=9), content=2)


def test_a_replaced_result_stops_counting_while_the_final_one_stands() -> None:
    old = update(80, offset=1)
    new = update(90, offset=2, identity="s|Observation/2", replaces=(old.identity,))
    gone = update(None, offset=3, identity="s|Observation/2", deletion=True)
    assert values([old, new]) == values([new, old]) == [90]
    assert values([old, new, gone]) == [80]


def test_a_preliminary_result_replaces_nothing() -> None:
    old = update(80, offset=1)
    new = update(
        90, offset=2, identity="s|Observation/2", replaces=(old.identity,), status="preliminary"
    )
    assert values([old, new]) == [80, 90]


def test_a_final_result_without_any_time_marks_the_record_incomplete() -> None:
    assert Timeline([result(80, on=None)]).incomplete == ("undated-result",)
    assert Timeline([result(80)]).incomplete == ()


@pytest.mark.parametrize(("minutes", "seen"), [(10, 1), (11, 0)])
def test_what_is_dated_more_than_ten_minutes_ahead_waits(minutes: int, seen: int) -> None:
    as_of = AsOf(datetime(2026, 1, 10, tzinfo=UTC) - timedelta(minutes=minutes), ZoneInfo("UTC"))
    timeline = Timeline([result(80)]).until(as_of, timedelta(minutes=10))
    assert len(timeline.results("creatinine")) == seen
    waits = datetime(2026, 1, 9, 23, 50, tzinfo=UTC)
    assert as_of.changes_at == (None if seen else waits)
