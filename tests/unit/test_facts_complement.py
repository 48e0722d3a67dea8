"""C4, C3, rheumatoid factor and M component: the latest result that counts of each."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from tests.support.cases import facts_of

from cryovigil.facts.complement import Complement


def result(concept: str, value: float | None = None, on: str = "2026-01-10", **more: Any) -> Any:
    return {"concept": concept, "on": on, "value": value, **more}


def complement(*readings: Any, born: date | None = None) -> Complement:
    return facts_of(list(readings), as_of="2026-01-31", born=born).complement


# "below the report's own reference range" (0.15-0.57 g/L): strict.
@pytest.mark.parametrize(("value", "low"), [(0.149, True), (0.15, False)])
def test_c4_is_low_below_its_own_range(value: float, low: bool) -> None:
    assert complement(result("complement c4", value, low=0.15)).c4.state is low


def test_the_own_range_of_c4_wins_over_its_flag() -> None:
    assert complement(result("complement c4", 0.12, low=0.1, flag="L")).c4.state is False


@pytest.mark.parametrize(("flag", "low"), [("L", True), ("LL", True), ("N", False), ("H", False)])
def test_without_a_range_the_flag_of_c4_decides(flag: str, low: bool) -> None:
    assert complement(result("complement c4", 0.12, flag=flag)).c4.state is low


# "else, in adults, < 0.10 g/L": strict.
@pytest.mark.parametrize(("value", "low"), [(0.099, True), (0.10, False)])
def test_without_range_and_flag_c4_is_low_under_the_adult_limit(value: float, low: bool) -> None:
    assert complement(result("complement c4", value)).c4.state is low


def test_a_child_has_no_adult_limit_of_c4() -> None:
    assert complement(result("complement c4", 0.05), born=date(2015, 1, 1)).c4.state is None


def test_a_child_has_its_own_range_of_c4() -> None:
    found = complement(result("complement c4", 0.05, low=0.1), born=date(2015, 1, 1))
    assert found.c4.state is True


def test_where_a_range_is_given_and_unread_no_limit_of_ours_stands_in() -> None:
    # "below the report's own reference range; else interpretation": the flag, else unknown.
    assert complement(result("complement c4", 0.05, range_unread=True)).c4.state is None
    assert complement(result("complement c4", 0.05, range_unread=True, flag="L")).c4.state is True
    assert complement(result("rheumatoid factor", 25, range_unread=True)).rf.state is None
    assert complement(result("rheumatoid factor", 25, range_unread=True, flag="H")).rf.state is True


def test_a_hemolyzed_c4_leaves_the_low_one_before_it() -> None:
    low = result("complement c4", 0.04, on="2026-01-10", low=0.1)
    found = complement(low, result("complement c4", on="2026-01-20", word="invalid"))
    assert found.c4.state is True
    assert found.c4.result is not None
    assert found.c4.result.value == 0.04


def test_a_c4_worded_in_an_unknown_way_leaves_the_low_one_and_makes_the_record_incomplete() -> None:
    low = result("complement c4", 0.04, on="2026-01-10", low=0.1)
    facts = facts_of([low, result("complement c4", on="2026-01-20", problem="word-unknown")])
    assert facts.complement.c4.state is True
    assert facts.incomplete == ("unreadable-result",)


def test_an_unread_platelet_count_makes_the_record_incomplete_where_an_older_one_stands_in() -> (
    None
):
    older = result("platelets", 80, on="2026-01-10")
    unread = result("platelets", on="2026-01-20", problem="word-unknown")
    assert facts_of([older, unread]).incomplete == ("unreadable-result",)
    assert facts_of([unread]).incomplete == ()


def test_a_failed_molar_c4_does_not_hide_a_c4_in_grams() -> None:
    low = result("complement c4", 0.04, on="2026-01-10", low=0.1)
    found = complement(low, result("complement c4 molar", on="2026-01-20", word="invalid"))
    assert found.c4.state is True


def test_below_the_detection_limit_c4_is_low() -> None:
    # "<1.5 mg/dL" is below 0.015 g/L: dropped comparators would hide it.
    assert complement(result("complement c4", 0.015, comparator="<")).c4.state is True


def test_a_limit_above_the_range_says_nothing_of_c4() -> None:
    assert complement(result("complement c4", 0.2, comparator="<", low=0.15)).c4.state is None


def test_the_interpretation_below_the_detection_limit_is_not_low() -> None:
    # Flag "<" and no range: the adult limit decides, and 0.2 g/L is not below it.
    assert complement(result("complement c4", 0.2, flag="<")).c4.state is False


def test_a_molar_c4_is_low_by_its_own_range_only() -> None:
    assert complement(result("complement c4 molar", 0.05)).c4.state is None
    assert complement(result("complement c4 molar", 0.05, low=0.5)).c4.state is True


def test_the_latest_c4_decides() -> None:
    found = complement(result("complement c4", 0.05, on="2025-06-01"), result("complement c4", 0.2))
    assert found.c4.state is False


def test_a_c4_that_is_not_final_decides_nothing() -> None:
    found = complement(
        result("complement c4", 0.05, on="2025-06-01"),
        result("complement c4", 0.2, status="preliminary"),
    )
    assert found.c4.state is True


def test_a_c4_never_measured_is_unknown() -> None:
    assert complement().c4.state is None


# 12 months from 2025-01-31 end with 2026-01-31; a day older is old.
@pytest.mark.parametrize(("on", "old"), [("2025-01-30", True), ("2025-01-31", False)])
def test_an_item_is_old_after_12_months(on: str, old: bool) -> None:
    assert complement(result("complement c4", 0.05, on=on)).c4.old is old


def test_c3_is_low_by_its_own_range_or_flag_only() -> None:
    assert complement(result("complement c3", 0.05)).c3.state is None
    assert complement(result("complement c3", 0.5, low=0.9)).c3.state is True
    assert complement(result("complement c3", 0.5, flag="L")).c3.state is True


# "else > 20 IU/mL": strict.
@pytest.mark.parametrize(("value", "positive"), [(20.1, True), (20, False)])
def test_without_range_and_flag_rf_is_positive_above_20(value: float, positive: bool) -> None:
    assert complement(result("rheumatoid factor", value)).rf.state is positive


def test_the_own_range_of_rf_wins() -> None:
    assert complement(result("rheumatoid factor", 16, high=14)).rf.state is True
    assert complement(result("rheumatoid factor", 25, high=30, flag="H")).rf.state is False


@pytest.mark.parametrize("flag", ["H", "HH", "A", "POS"])
def test_a_flagged_rf_is_positive(flag: str) -> None:
    assert complement(result("rheumatoid factor", 18, flag=flag)).rf.state is True


def test_a_titer_is_positive_by_flag_or_range_only() -> None:
    # 1:160 is no 160 IU/mL.
    assert complement(result("rheumatoid factor titer", 160)).rf.state is None
    assert complement(result("rheumatoid factor titer", 160, flag="POS")).rf.state is True
    assert complement(result("rheumatoid factor titer", 160, high=40)).rf.state is True


def test_rf_presence_is_a_word() -> None:
    assert complement(result("rheumatoid factor presence", word="positive")).rf.state is True
    assert complement(result("rheumatoid factor presence", word="negative")).rf.state is False
    assert complement(result("rheumatoid factor presence", word="invalid")).rf.state is None


def test_of_two_rf_results_at_one_moment_the_readable_one_decides() -> None:
    found = complement(
        result("rheumatoid factor", problem="unit-unknown"),
        result("rheumatoid factor presence", word="positive"),
    )
    assert found.rf.state is True


@pytest.mark.parametrize(("value", "present"), [(0.5, True), (0, False)])
def test_an_amount_of_m_protein_is_an_m_component(value: float, present: bool) -> None:
    assert complement(result("m protein", value)).m_component.state is present


@pytest.mark.parametrize(
    ("word", "present"), [("positive", True), ("negative", False), ("normal", False)]
)
def test_immunofixation_says_so_in_words(word: str, present: bool) -> None:
    assert complement(result("immunofixation", word=word)).m_component.state is present


def test_a_test_that_shows_one_stands_beside_a_later_test_that_does_not() -> None:
    # Electrophoresis is the less sensitive test: its "normal" takes nothing back.
    found = complement(
        result("immunofixation", word="positive", on="2025-12-01"),
        result("serum protein electrophoresis", word="normal"),
    )
    assert found.m_component.state is True


# "Monoclonal band on SPEP or IFE, or type I or II."
@pytest.mark.parametrize(("kind", "present"), [("I", True), ("II", True), ("III", None)])
def test_type_i_or_ii_is_an_m_component(kind: str, present: bool | None) -> None:
    assert complement(result("cryoglobulin type", kind=kind)).m_component.state is present


def test_an_m_component_never_looked_for_is_unknown() -> None:
    assert complement().m_component.state is None


@pytest.mark.parametrize(
    "item", [{"concept": "hcv rna", "value": 20}, {"concept": "creatinine", "value": 80}]
)
def test_a_later_result_that_cannot_be_read_is_admitted_of_every_item_a_card_shows(
    item: dict[str, object],
) -> None:
    older = {**item, "on": "2026-01-10"}
    unread = {"concept": item["concept"], "on": "2026-01-20", "problem": "word-unknown"}
    assert facts_of([older]).incomplete == ()
    assert facts_of([older, unread]).incomplete == ("unreadable-result",)
