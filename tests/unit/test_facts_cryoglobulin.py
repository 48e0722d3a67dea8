"""Cryoglobulin: what a result says, what a determination is, and how long a positive counts."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.cases import facts_of

from cryovigil.facts.cryoglobulin import Cryoglobulin


def quantity(on: str, value: float | None, **more: Any) -> dict[str, Any]:
    return {"concept": "cryoglobulin quantity", "on": on, "value": value, **more}


def presence(on: str, word: str | None = None, **more: Any) -> dict[str, Any]:
    return {"concept": "cryoglobulin presence", "on": on, "word": word, **more}


def cryocrit(on: str, value: float, **more: Any) -> dict[str, Any]:
    return {"concept": "cryocrit", "on": on, "value": value, **more}


def typed(on: str, kind: str | None, **more: Any) -> dict[str, Any]:
    return {"concept": "cryoglobulin type", "on": on, "kind": kind, **more}


def cryoglobulin(*readings: dict[str, Any]) -> Cryoglobulin:
    return facts_of(list(readings), as_of="2026-01-31").cryoglobulin


def state(*readings: dict[str, Any]) -> str:
    (only,) = cryoglobulin(*readings).determinations
    return only.state


# "significant cryoglobulin level when > 0.05 g/L": strict, so 0.05 itself is a trace.
@pytest.mark.parametrize(
    ("value", "said"), [(0.051, "positive"), (0.05, "trace"), (0.001, "trace")]
)
def test_a_quantity_is_positive_only_above_the_limit(value: float, said: str) -> None:
    assert state(quantity("2026-01-10", value)) == said


def test_a_quantity_of_zero_is_negative() -> None:
    assert state(quantity("2026-01-10", 0)) == "negative"


def test_a_flag_makes_no_positive_of_a_trace() -> None:
    assert state(quantity("2026-01-10", 0.05, flag="POS")) == "trace"


def test_a_laboratory_limit_above_ours_makes_no_negative_of_a_positive() -> None:
    # 80 mg/L is this laboratory's limit: 0.07 g/L is normal there and above 0.05 g/L here.
    assert state(quantity("2026-01-10", 0.07, high=0.08, flag="N")) == "positive"


# "<" a limit of at most 0.05 g/L is negative; a higher limit hides a positive.
@pytest.mark.parametrize(("limit", "said"), [(0.05, "negative"), (0.051, "unknown")])
def test_below_a_limit_is_negative_only_where_the_limit_is_low_enough(
    limit: float, said: str
) -> None:
    assert state(quantity("2026-01-10", limit, comparator="<")) == said


@pytest.mark.parametrize(
    ("flag", "said"), [("ND", "negative"), ("N", "unknown"), ("NEG", "unknown")]
)
def test_below_a_high_limit_only_an_explicit_not_detected_is_negative(flag: str, said: str) -> None:
    assert state(quantity("2026-01-10", 0.08, comparator="<", flag=flag)) == said


@pytest.mark.parametrize(("limit", "said"), [(0.05, "positive"), (0.04, "unknown")])
def test_above_a_limit_is_positive_only_where_the_limit_is_high_enough(
    limit: float, said: str
) -> None:
    assert state(quantity("2026-01-10", limit, comparator=">")) == said


# "cryocrit > 0": 0.05 % is no 0.05 g/L, and there is no factor between them.
@pytest.mark.parametrize(("value", "said"), [(0.05, "positive"), (0, "negative")])
def test_any_cryocrit_above_zero_is_positive(value: float, said: str) -> None:
    assert state(cryocrit("2026-01-10", value)) == said


def test_a_cryocrit_is_never_a_quantity() -> None:
    found = cryoglobulin(cryocrit("2025-01-10", 4), cryocrit("2025-06-10", 4))
    assert [d.quantity for d in found.counting] == [None, None]
    assert found.significant is None


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("positive", "positive"),
        ("detected", "positive"),
        ("trace", "trace"),
        ("negative", "negative"),
        ("not-detected", "negative"),
        ("normal", "unknown"),
        ("invalid", "unknown"),
        ("not-performed", "unknown"),
    ],
)
def test_a_word_says_presence(word: str, said: str) -> None:
    assert state(presence("2026-01-10", word)) == said


def test_a_number_without_a_known_unit_is_presence_where_it_is_flagged() -> None:
    assert state(quantity("2026-01-10", None, problem="unit-unknown", flag="POS")) == "positive"


@pytest.mark.parametrize("flag", [None, "N", "NEG"])
def test_a_number_without_a_known_unit_is_else_unknown(flag: str | None) -> None:
    assert state(quantity("2026-01-10", None, problem="unit-unknown", flag=flag)) == "unknown"


def test_an_unknown_text_is_no_negative() -> None:
    assert state(presence("2026-01-10", problem="word-unknown", flag="NEG")) == "unknown"


def test_a_type_counts_as_presence() -> None:
    found = cryoglobulin(typed("2026-01-10", "II"))
    assert found.positive
    assert found.kind == "II"


def test_a_type_that_contradicts_itself_is_unknown() -> None:
    # "IgM kappa & polyclonal IgG" cut at an unescaped sub-component: no kind could be read.
    assert state(typed("2026-01-10", None, problem="word-unknown")) == "unknown"


def test_presence_makes_no_positive_of_a_measured_trace() -> None:
    assert state(quantity("2026-01-10", 0.03), typed("2026-01-10", "II")) == "trace"


def test_cryofibrinogen_is_no_cryoglobulin() -> None:
    found = cryoglobulin({"concept": "cryofibrinogen", "on": "2026-01-10", "word": "positive"})
    assert found.determinations == ()
    assert not found.tested


# "Results collected within 24 hours of the first of them are one."
@pytest.mark.parametrize(
    ("second", "determinations"),
    [("2026-01-11T08:00:00+01:00", 1), ("2026-01-11T08:01:00+01:00", 2)],
)
def test_a_determination_is_what_was_drawn_within_24_hours(
    second: str, determinations: int
) -> None:
    found = cryoglobulin(quantity("2026-01-10T08:00:00+01:00", 0.1), quantity(second, 0.1))
    assert len(found.determinations) == determinations


def test_the_24_hours_run_from_the_first_result_and_do_not_chain() -> None:
    found = cryoglobulin(
        quantity("2026-01-10T08:00:00+01:00", 0.1),
        quantity("2026-01-11T07:00:00+01:00", 0.1),
        quantity("2026-01-12T06:00:00+01:00", 0.1),
    )
    assert [len(d.results) for d in found.determinations] == [2, 1]


@pytest.mark.parametrize(("second", "determinations"), [("2026-01-10", 1), ("2026-01-11", 2)])
def test_without_a_clock_the_same_day_is_one_determination(
    second: str, determinations: int
) -> None:
    found = cryoglobulin(quantity("2026-01-10T08:00:00+01:00", 0.1), quantity(second, 0.1))
    assert len(found.determinations) == determinations


def test_a_year_alone_may_be_any_of_its_determinations_and_makes_no_second_one() -> None:
    found = cryoglobulin(quantity("2025", 0.1), quantity("2025-03-01", 0.1))
    assert len(found.determinations) == 1


def test_one_draw_reported_twice_is_one_determination_and_not_significant() -> None:
    found = cryoglobulin(quantity("2026-01-10", 0.2), quantity("2026-01-10", 0.2))
    assert found.significant is None


def test_two_determinations_above_the_limit_are_significant() -> None:
    found = cryoglobulin(quantity("2025-12-01", 0.051), quantity("2026-01-10", 0.06))
    assert found.significant is True


def test_one_above_and_one_at_the_limit_are_not_significant() -> None:
    found = cryoglobulin(quantity("2025-12-01", 0.051), quantity("2026-01-10", 0.05))
    assert found.significant is False


def test_whether_two_without_a_number_are_significant_cannot_be_told() -> None:
    found = cryoglobulin(presence("2025-12-01", "positive"), quantity("2026-01-10", 0.2))
    assert found.significant is None


# "maintained at 4°C during at least 7 days": issued on day 6 is too early, on day 7 is not.
@pytest.mark.parametrize(("issued", "weak"), [("2026-01-16", True), ("2026-01-17", False)])
def test_a_negative_issued_under_7_days_is_weak(issued: str, weak: bool) -> None:
    (only,) = cryoglobulin(presence("2026-01-10", "negative", issued=issued)).determinations
    assert only.weak is weak


def test_a_negative_without_an_issue_time_is_not_weak_and_that_is_known() -> None:
    (only,) = cryoglobulin(presence("2026-01-10", "negative")).determinations
    assert not only.weak
    assert not only.weak_known


# Two negatives 12 weeks apart end a positive: 2025-06-01 to 2025-08-24 is 84 days.
@pytest.mark.parametrize(("second", "counts"), [("2025-08-23", True), ("2025-08-24", False)])
def test_a_positive_counts_until_two_negatives_12_weeks_apart(second: str, counts: bool) -> None:
    found = cryoglobulin(
        quantity("2025-01-10", 0.2),
        presence("2025-06-01", "negative"),
        presence(second, "negative"),
    )
    assert found.positive is counts


def test_weak_negatives_end_no_positive() -> None:
    found = cryoglobulin(
        quantity("2025-01-10", 0.2),
        presence("2025-06-01", "negative", issued="2025-06-04"),
        presence("2025-09-01", "negative"),
    )
    assert found.positive


def test_negatives_before_a_positive_do_not_end_it() -> None:
    found = cryoglobulin(
        presence("2024-01-01", "negative"),
        presence("2024-06-01", "negative"),
        quantity("2025-01-10", 0.2),
    )
    assert found.positive


# 2025-10-01 to 2025-12-24 is 84 days.
@pytest.mark.parametrize(("second", "apart"), [("2025-12-23", False), ("2025-12-24", True)])
def test_two_positives_12_weeks_apart(second: str, apart: bool) -> None:
    found = cryoglobulin(quantity("2025-10-01", 0.2), quantity(second, 0.2))
    assert (found.two(84) is not None) is apart
    assert found.two() is not None


def test_summer_time_moves_no_boundary() -> None:
    # Written in summer and in winter time; the calendar days are 84 apart.
    found = cryoglobulin(
        quantity("2025-10-01T23:30:00+02:00", 0.2), quantity("2025-12-24T00:30:00+01:00", 0.2)
    )
    assert found.two(84) is not None


def test_a_month_alone_is_as_late_as_it_may_be_where_time_must_have_passed() -> None:
    # "2025-09" may be 2025-09-30, 83 days before 2025-12-22.
    found = cryoglobulin(quantity("2025-09", 0.2), quantity("2025-12-22", 0.2))
    assert found.two(84) is None


def test_the_latest_known_type_of_a_positive_that_counts_is_its_type() -> None:
    found = cryoglobulin(
        quantity("2025-01-10", 0.2),
        typed("2025-01-10", "mixed"),
        quantity("2025-06-10", 0.2),
        typed("2025-06-10", "II"),
        quantity("2025-09-10", 0.2),
    )
    assert found.kind == "II"
    assert found.mixed_or_untyped


def test_mixed_beside_ii_is_ii_and_i_beside_ii_is_contradictory() -> None:
    assert cryoglobulin(typed("2025-01-10", "mixed"), typed("2025-01-10", "II")).kind == "II"
    assert cryoglobulin(typed("2025-01-10", "I"), typed("2025-01-10", "II")).kind is None


def test_type_i_alone_is_not_mixed_and_an_untyped_one_beside_it_stays_so() -> None:
    found = cryoglobulin(typed("2025-01-10", "I"), quantity("2025-06-10", 0.2))
    assert found.type_i_only
    assert not found.mixed_or_untyped


def test_an_untyped_positive_is_mixed_or_untyped() -> None:
    assert cryoglobulin(quantity("2025-01-10", 0.2)).mixed_or_untyped


@pytest.mark.parametrize("status", ["registered", "cancelled", "entered-in-error", "unknown"])
def test_what_is_no_result_is_no_determination(status: str) -> None:
    assert cryoglobulin(quantity("2026-01-10", 0.2, status=status)).determinations == ()


def test_a_preliminary_result_decides_nothing_and_is_under_way() -> None:
    found = cryoglobulin(quantity("2026-01-10", 0.2, status="preliminary"))
    assert not found.positive
    assert not found.tested
    assert len(found.pending) == 1


# A preliminary result of 2025-12-31 is 31 days old on 2026-01-31, one of 2026-01-01 is 30.
@pytest.mark.parametrize(("on", "pending"), [("2025-12-31", 0), ("2026-01-01", 1)])
def test_a_preliminary_result_is_expected_for_30_days(on: str, pending: int) -> None:
    assert len(cryoglobulin(quantity(on, 0.2, status="preliminary")).pending) == pending


def test_a_value_declared_absent_is_no_negative() -> None:
    found = cryoglobulin(presence("2026-01-10", problem="absent"))
    assert not found.tested


def test_a_quantity_is_shown_before_a_cryocrit_and_a_type() -> None:
    found = cryoglobulin(
        typed("2026-01-10", "II"), cryocrit("2026-01-10", 3), quantity("2026-01-10", 0.2)
    )
    assert found.determinations[0].leading.concept == "cryoglobulin quantity"


def test_what_was_found_since_the_last_positive_is_known() -> None:
    found = cryoglobulin(quantity("2025-06-01", 0.3), presence("2025-12-01", "negative"))
    assert found.since_positive is found.determinations[-1]


def test_a_positive_since_a_negative_leaves_nothing_to_say_of_it() -> None:
    negative = presence("2025-06-01", "negative")
    assert cryoglobulin(negative, quantity("2025-12-01", 0.3)).since_positive is None
    assert cryoglobulin(negative).since_positive is None


def test_a_negative_that_may_be_older_than_the_positive_is_not_since() -> None:
    # "2025-06" may be 2025-06-01.
    found = cryoglobulin(quantity("2025-06-10", 0.3), presence("2025-06", "negative"))
    assert found.since_positive is None
