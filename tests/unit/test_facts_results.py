"""Reading any result: comparators are never dropped, own ranges win, unreadable is no negative."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.cases import facts_of

from cryovigil.facts.results import (
    abnormal_high,
    abnormal_low,
    above,
    below,
    latest,
    positive,
    unread,
)
from cryovigil.facts.truth import all_of, any_of, negation
from cryovigil.normalize.readings import Result


def result(value: float | None = None, **more: Any) -> Result:
    form = {"concept": "rheumatoid factor", "on": "2026-01-10", "value": value, **more}
    (only,) = facts_of([form]).timeline.results("rheumatoid factor")
    return only


# Held against 10: what each written value says of the measured one.
@pytest.mark.parametrize(
    ("comparator", "value", "said"),
    [
        (None, 10, False),
        (None, 10.1, True),
        (">", 9.9, None),
        (">", 10, True),
        (">=", 10, None),
        (">=", 10.1, True),
        ("<", 10, False),
        ("<", 10.1, None),
        ("<=", 10, False),
        ("<=", 10.1, None),
    ],
)
def test_above_10(comparator: str | None, value: float, said: bool | None) -> None:
    assert above(result(value, comparator=comparator), 10) is said


@pytest.mark.parametrize(
    ("comparator", "value", "said"),
    [
        (None, 10, False),
        (None, 9.9, True),
        ("<", 10, True),
        ("<", 10.1, None),
        ("<=", 9.9, True),
        ("<=", 10, None),
        (">", 10, False),
        (">", 9.9, None),
        (">=", 10, False),
        (">=", 9.9, None),
    ],
)
def test_below_10(comparator: str | None, value: float, said: bool | None) -> None:
    assert below(result(value, comparator=comparator), 10) is said


def test_what_has_no_number_is_neither_above_nor_below() -> None:
    assert above(result(word="positive"), 10) is None
    assert below(result(word="positive"), 10) is None


# A bare "abnormal" has no direction: low is said by L and LL alone.
@pytest.mark.parametrize(
    ("flag", "low", "high"),
    [
        ("L", True, False),
        ("LL", True, False),
        ("H", False, True),
        ("HH", False, True),
        ("N", False, False),
        ("A", None, True),
        ("AA", None, True),
        ("<", None, None),
        (">", None, None),
        (None, None, None),
    ],
)
def test_a_flag_speaks_where_no_range_does(
    flag: str | None, low: bool | None, high: bool | None
) -> None:
    assert abnormal_low(result(5, flag=flag)) is low
    assert abnormal_high(result(5, flag=flag)) is high


def test_the_own_range_wins_over_the_flag() -> None:
    assert abnormal_low(result(5, low=4, flag="L")) is False
    assert abnormal_high(result(5, high=4, flag="N")) is True


def test_a_range_that_cannot_decide_leaves_it_to_the_flag() -> None:
    assert abnormal_low(result(5, comparator="<", low=4, flag="L")) is True


@pytest.mark.parametrize("problem", ["unit-unknown", "word-unknown", "implausible"])
def test_a_value_that_cannot_be_read_is_positive_where_flagged_and_never_negative(
    problem: str,
) -> None:
    assert positive(result(problem=problem, flag="POS")) is True
    assert positive(result(problem=problem, flag="NEG")) is None


def test_an_invalid_result_says_nothing_whatever_its_flag() -> None:
    assert positive(result(word="invalid", flag="POS")) is None


def test_the_latest_result_that_counts_is_the_latest() -> None:
    forms: list[dict[str, Any]] = [
        {"concept": "rheumatoid factor", "on": "2026-01-10", "value": 30},
        {"concept": "rheumatoid factor", "on": "2026-01-12", "value": 40, "status": "preliminary"},
        {"concept": "rheumatoid factor", "on": None, "value": 60},
        {"concept": "rheumatoid factor", "on": "2026-01-08", "value": 50},
    ]
    found = latest(facts_of(forms).timeline.results("rheumatoid factor"))
    assert found is not None
    assert found.value == 30


def rf_of(*later: dict[str, Any]) -> Any:
    forms = [
        {"concept": "rheumatoid factor", "on": "2026-01-10", "value": 30},
        *({"concept": "rheumatoid factor", "on": "2026-01-20", **form} for form in later),
    ]
    return facts_of(forms).timeline.results("rheumatoid factor")


# "Haemolysed or cold-transported specimen: rejected = unknown": no newer value.
@pytest.mark.parametrize("word", ["invalid", "not-performed", "pending"])
def test_a_failed_specimen_does_not_hide_the_value_before_it(word: str) -> None:
    found = latest(rf_of({"word": word}))
    assert found is not None
    assert found.value == 30
    assert not unread(rf_of({"word": word}))


@pytest.mark.parametrize("problem", ["word-unknown", "note-only", "unit-unknown"])
def test_a_result_that_cannot_be_read_hides_nothing_and_is_known_to_be_there(problem: str) -> None:
    found = latest(rf_of({"problem": problem}))
    assert found is not None
    assert found.value == 30
    assert unread(rf_of({"problem": problem}))


def test_a_result_that_cannot_be_read_and_is_flagged_is_the_latest() -> None:
    # Its flag says something of the patient, though its value does not.
    found = latest(rf_of({"problem": "unit-unknown", "flag": "H"}))
    assert found is not None
    assert found.flag == "H"
    assert not unread(rf_of({"problem": "unit-unknown", "flag": "H"}))


@pytest.mark.parametrize("flag", ["<", ">", "IND"])
def test_a_flag_that_says_nothing_makes_no_value_readable(flag: str) -> None:
    assert unread(rf_of({"problem": "unit-unknown", "flag": flag}))


def test_what_was_read_again_later_is_not_unread() -> None:
    assert not unread(rf_of({"problem": "word-unknown"}, {"on": "2026-01-25", "value": 10}))


def test_where_nothing_can_be_read_the_latest_is_still_shown() -> None:
    forms = [{"concept": "rheumatoid factor", "on": "2026-01-10", "word": "invalid"}]
    assert latest(facts_of(forms).timeline.results("rheumatoid factor")) is not None


def test_a_first_result_that_cannot_be_read_is_shown_itself_and_hides_nothing() -> None:
    forms = [{"concept": "rheumatoid factor", "on": "2026-01-10", "problem": "word-unknown"}]
    found = facts_of(forms).timeline.results("rheumatoid factor")
    assert latest(found) == found[0]
    assert not unread(found)


# Red cells above 3 a field are hematuria; 5 to 10 is more, 0 to 2 is not, 2 to 5 may be either.
@pytest.mark.parametrize(
    ("low", "top", "said"), [(5, 10, True), (0, 2, False), (0, 3, False), (2, 5, None)]
)
def test_a_span_is_above_a_limit_where_all_of_it_is(
    low: float, top: float, said: bool | None
) -> None:
    assert above(result(low, comparator=">=", top=top), 3) is said


@pytest.mark.parametrize(("low", "top", "said"), [(5, 10, False), (0, 2, True), (0, 3, None)])
def test_a_span_is_below_a_limit_where_all_of_it_is(
    low: float, top: float, said: bool | None
) -> None:
    assert below(result(low, comparator=">=", top=top), 3) is said


def test_one_no_settles_all_and_one_yes_settles_any() -> None:
    assert all_of(True, None, False) is False
    assert all_of(True, None) is None
    assert all_of(True, True) is True
    assert any_of(False, None, True) is True
    assert any_of(False, None) is None
    assert any_of(False, False) is False


def test_the_unknown_negated_stays_unknown() -> None:
    assert negation(None) is None
    assert negation(True) is False
