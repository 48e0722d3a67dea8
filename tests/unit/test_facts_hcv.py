"""Hepatitis C: what a sample says, the antibody, documented infection."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.cases import facts_of

from cryovigil.facts.hcv import Hcv


def rna(value: float | None = None, on: str = "2026-01-10", **more: Any) -> dict[str, Any]:
    return {"concept": "hcv rna", "on": on, "value": value, **more}


def presence(word: str | None = None, on: str = "2026-01-10", **more: Any) -> dict[str, Any]:
    return {"concept": "hcv rna presence", "on": on, "word": word, **more}


def antibody(word: str | None = None, on: str = "2026-01-10", **more: Any) -> dict[str, Any]:
    return {"concept": "hcv antibody", "on": on, "word": word, **more}


def hcv(*readings: dict[str, Any]) -> Hcv:
    return facts_of(list(readings), as_of="2026-01-31").hcv


def state(*readings: dict[str, Any]) -> str:
    (only,) = hcv(*readings).samples
    return only.state


def test_a_number_is_detected() -> None:
    assert state(rna(3_250_000)) == "detected"


def test_below_a_limit_alone_is_ambiguous() -> None:
    assert state(rna(15, comparator="<")) == "ambiguous"


@pytest.mark.parametrize(("flag", "said"), [("ND", "not-detected"), ("DET", "detected-below-lloq")])
def test_below_a_limit_the_explicit_flag_decides(flag: str, said: str) -> None:
    assert state(rna(15, comparator="<", flag=flag)) == said


def test_the_interpretation_below_the_detection_limit_stays_ambiguous() -> None:
    assert state(rna(15, comparator="<", flag="<")) == "ambiguous"


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("not-detected", "not-detected"),
        ("negative", "not-detected"),
        ("detected", "detected"),
        ("positive", "detected"),
        ("detected-below-lloq", "detected-below-lloq"),
        ("invalid", "unknown"),
        ("not-performed", "unknown"),
    ],
)
def test_a_word_says_whether_rna_is_there(word: str, said: str) -> None:
    assert state(presence(word)) == said


@pytest.mark.parametrize(("flag", "said"), [("ND", "not-detected"), ("NEG", "not-detected")])
def test_a_flag_without_a_value_says_so_too(flag: str, said: str) -> None:
    assert state(presence(flag=flag)) == said


def test_zero_is_not_detected() -> None:
    assert state(rna(0)) == "not-detected"


# Laboratories send 1 for undetectable and 14 for "below 15, detected": neither viremia nor cure.
@pytest.mark.parametrize(("value", "said"), [(1, "ambiguous"), (14, "ambiguous"), (15, "detected")])
def test_a_number_below_the_assay_limit_may_be_a_signal(value: float, said: str) -> None:
    assert state(rna(value)) == said


def test_a_small_number_above_the_stated_limit_of_its_assay_is_detected() -> None:
    assert state(rna(13, lloq=12)) == "detected"


def test_a_log_result_is_a_load_and_never_undetectable_for_being_small() -> None:
    # 1.30 log is 20 IU/mL, as the concept's canonical unit has it.
    assert state({"concept": "hcv rna log", "on": "2026-01-10", "value": 19.95}) == "detected"


def test_copies_are_detected_or_not_and_have_no_number() -> None:
    (only,) = hcv({"concept": "hcv rna copies", "on": "2026-01-10", "value": 90000}).samples
    assert only.state == "detected"
    assert only.iu is None


def test_a_number_that_contradicts_its_flag_is_ambiguous() -> None:
    assert state(rna(5000, flag="ND")) == "ambiguous"


def test_a_number_without_a_readable_unit_is_no_negative() -> None:
    assert state(rna(None, problem="unit-unknown", flag="ND")) == "unknown"


def test_a_number_and_its_word_are_one_sample() -> None:
    assert state(rna(15, comparator="<"), presence("not-detected")) == "not-detected"
    assert state(rna(15, comparator="<"), presence("detected")) == "detected-below-lloq"
    assert state(rna(400), presence("detected")) == "detected"


def test_the_limit_of_the_assay_is_the_number_it_lies_below() -> None:
    (only,) = hcv(rna(15, comparator="<", flag="ND")).samples
    assert only.lloq == 15


@pytest.mark.parametrize("status", ["preliminary", "cancelled", "registered"])
def test_what_is_not_final_is_no_sample(status: str) -> None:
    assert hcv(rna(5000, status=status)).samples == ()


def test_a_value_declared_absent_is_no_sample() -> None:
    assert hcv(rna(None, problem="absent")).samples == ()


@pytest.mark.parametrize(
    ("reading", "ever"),
    [
        (rna(15, comparator="<", flag="DET"), True),
        (rna(15, comparator="<"), False),
        (rna(0), False),
    ],
)
def test_ever_detected_includes_below_the_limit_and_nothing_ambiguous(
    reading: dict[str, Any], ever: bool
) -> None:
    assert hcv(reading).ever_detected is ever


def test_an_antibody_once_positive_stays_positive() -> None:
    found = hcv(antibody("positive", on="2020-01-01"), antibody("negative"))
    assert found.antibody is True
    assert found.antibody_result is not None
    assert found.antibody_result.word == "positive"


@pytest.mark.parametrize(
    ("reading", "said"),
    [
        (antibody("negative"), False),
        (antibody(flag="NR"), False),
        (antibody(flag="RR"), True),
        (antibody(value=4.2, high=1.0), True),
        (antibody("invalid"), None),
        (antibody(value=4.2), None),
    ],
)
def test_an_antibody_is_read_by_word_flag_or_own_range(
    reading: dict[str, Any], said: bool | None
) -> None:
    assert hcv(reading).antibody is said


def test_a_positive_antibody_documents_no_infection() -> None:
    assert not hcv(antibody("positive")).documented


@pytest.mark.parametrize(
    ("verification", "documented"),
    [("confirmed", True), (None, True), ("refuted", False), ("differential", False)],
)
def test_an_hcv_condition_documents_one_where_it_may_be_believed(
    verification: str | None, documented: bool
) -> None:
    found = hcv({"condition": "hcv infection", "onset": "2010", "verification": verification})
    assert found.documented is documented


def test_a_resolved_hcv_condition_documents_one_still() -> None:
    assert hcv({"condition": "hcv infection", "onset": "2010", "clinical": "resolved"}).documented


def test_a_history_alone_documents_none() -> None:
    assert not hcv({"condition": "hcv carrier or history", "onset": "2010"}).documented


def test_hbv_dna_is_no_hcv_sample() -> None:
    assert hcv({"concept": "hbv dna", "on": "2026-01-10", "value": 0}).samples == ()


def test_of_two_numbers_of_one_day_the_higher_is_shown_and_the_lower_limit_is_the_assays() -> None:
    (high,) = hcv(rna(400), rna(5000)).samples
    assert high.iu == 5000
    (absent,) = hcv(rna(50, comparator="<", flag="ND"), rna(15, comparator="<", flag="ND")).samples
    assert absent.lloq == 15


def test_a_limit_in_copies_is_no_limit_in_units() -> None:
    copies = {
        "concept": "hcv rna copies",
        "on": "2026-01-10",
        "value": 100,
        "comparator": "<",
        "flag": "ND",
    }
    (only,) = hcv(copies).samples
    assert only.state == "not-detected"
    assert only.lloq is None


def test_a_negative_number_is_no_result() -> None:
    assert state(rna(-1)) == "unknown"


def test_samples_of_known_days_and_of_a_month_stand_in_the_order_they_may_have() -> None:
    found = hcv(rna(0, on="2026-01-05"), rna(5000, on="2025-12"), rna(0, on="2025-12-20"))
    assert [s.day.latest.isoformat() for s in found.samples] == [
        "2025-12-20",
        "2025-12-31",
        "2026-01-05",
    ]
