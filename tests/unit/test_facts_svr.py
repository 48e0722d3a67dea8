"""Cure of hepatitis C: the ladder, its boundaries, and when the search is settled."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from tests.support.cases import facts_of

from cryovigil.facts.svr import Svr, settled

VIREMIC = {"concept": "hcv rna", "on": "2024-12-01", "value": 800000}
CONDITION = {"condition": "hcv infection", "onset": "2010"}
# Day 0 is 2025-03-26; day 84 is 2025-06-18, day 112 2025-07-16, day 168 2025-09-10.
COURSE = {
    "treatment": "hcv direct-acting antiviral",
    "form": "statement",
    "start": "2025-01-01",
    "end": "2025-03-26",
}


def not_detected(on: str, **more: Any) -> dict[str, Any]:
    return {"concept": "hcv rna", "on": on, "word": "not-detected", **more}


def rna(on: str, value: float, **more: Any) -> dict[str, Any]:
    return {"concept": "hcv rna", "on": on, "value": value, **more}


def antibody(word: str) -> dict[str, Any]:
    return {"concept": "hcv antibody", "on": "2025-01-01", "word": word}


def svr(*readings: dict[str, Any], as_of: str = "2026-01-31") -> Svr:
    return facts_of(list(readings), as_of=as_of).svr


@pytest.mark.parametrize(
    ("sampled", "state"),
    [
        ("2025-06-17", "unproven"),
        ("2025-06-18", "svr12"),
        ("2025-09-09", "svr12"),
        ("2025-09-10", "svr24"),
    ],
)
def test_a_cure_is_proven_84_and_168_days_after_the_end(sampled: str, state: str) -> None:
    assert svr(VIREMIC, COURSE, not_detected(sampled)).state == state


def test_the_first_sample_that_proves_it_is_the_svr_sample() -> None:
    found = svr(
        VIREMIC,
        COURSE,
        not_detected("2025-05-01"),
        not_detected("2025-06-20"),
        not_detected("2025-10-01"),
    )
    assert found.cure is not None
    assert found.cure.first_sample.day.latest == date(2025, 6, 20)
    assert found.cure.last_sample.day.latest == date(2025, 10, 1)


def test_a_sample_on_treatment_is_no_cure() -> None:
    found = svr(VIREMIC, COURSE, not_detected("2025-02-01"), as_of="2025-02-10")
    assert found.state == "on-treatment"


# not-yet ends with day 112 (2025-07-16) or with an RNA sampled on or after day 84.
@pytest.mark.parametrize(
    ("as_of", "state"), [("2025-07-15", "not-yet"), ("2025-07-16", "unproven")]
)
def test_the_answer_is_awaited_until_day_112(as_of: str, state: str) -> None:
    assert svr(VIREMIC, COURSE, as_of=as_of).state == state


def test_day_112_changes_the_answer_by_itself() -> None:
    facts = facts_of([VIREMIC, COURSE], as_of="2025-06-30")
    assert facts.svr.state == "not-yet"
    assert facts.as_of.changes_at is not None
    assert facts.as_of.changes_at.date() == date(2025, 7, 16)


def test_an_ambiguous_sample_since_day_84_ends_the_waiting() -> None:
    found = svr(VIREMIC, COURSE, rna("2025-06-20", 15, comparator="<"), as_of="2025-06-30")
    assert found.state == "unproven"


def test_below_the_limit_of_quantification_is_neither_cure_nor_relapse() -> None:
    found = svr(VIREMIC, COURSE, rna("2025-07-20", 15, comparator="<", flag="DET"))
    assert found.state == "unproven"


def test_below_the_limit_after_a_proven_sample_leaves_the_cure_unproven() -> None:
    found = svr(
        VIREMIC,
        COURSE,
        not_detected("2025-07-20"),
        rna("2025-09-20", 15, comparator="<", flag="DET"),
    )
    assert found.state == "unproven"


@pytest.mark.parametrize("value", [1, 14])
def test_a_number_used_as_a_signal_is_neither_cure_nor_viremia(value: float) -> None:
    assert svr(VIREMIC, COURSE, rna("2025-07-20", value)).state == "unproven"


def test_zero_is_a_cure() -> None:
    assert svr(VIREMIC, COURSE, rna("2025-07-20", 0)).state == "svr12"


# "an assay limit of at most 15 IU/mL or unstated"; 1.18 log is 15.1 IU/mL and the same assay.
@pytest.mark.parametrize(
    ("lloq", "state"),
    [(15, "svr12"), (15.1, "svr12"), (16, "unproven"), (50, "unproven"), (None, "svr12")],
)
def test_a_weaker_assay_proves_no_cure(lloq: float | None, state: str) -> None:
    assert svr(VIREMIC, COURSE, not_detected("2025-07-20", lloq=lloq)).state == state


def test_a_limit_that_has_no_iu_proves_no_cure() -> None:
    # "copies/mL has no fixed factor": 600 copies/mL compares to no 15 IU/mL.
    copies = {"concept": "hcv rna copies", "on": "2025-07-20", "word": "not-detected"}
    assert svr(VIREMIC, COURSE, copies).state == "svr12"
    worded = not_detected("2025-07-20", comparator="<")
    assert svr(VIREMIC, COURSE, worded).state == "unproven"
    below = {"concept": "hcv rna copies", "on": "2025-07-20", "value": 600, "comparator": "<"}
    assert svr(VIREMIC, COURSE, {**below, "flag": "ND"}).state == "unproven"


def test_a_second_assay_of_the_day_with_a_limit_in_iu_proves_it() -> None:
    below = {"concept": "hcv rna copies", "on": "2025-07-20", "value": 600, "comparator": "<"}
    sensitive = not_detected("2025-07-20", lloq=12)
    assert svr(VIREMIC, COURSE, {**below, "flag": "ND"}, sensitive).state == "svr12"


def test_without_a_documented_infection_a_negative_is_no_cure() -> None:
    assert svr(COURSE, not_detected("2025-07-20")).state == "unproven"


def test_an_hcv_condition_documents_the_infection() -> None:
    assert svr(CONDITION, COURSE, not_detected("2025-07-20")).state == "svr12"


def test_rna_after_the_end_is_viremia() -> None:
    assert svr(VIREMIC, COURSE, rna("2025-07-20", 400000)).state == "viremic"


def test_rna_after_a_proven_cure_is_viremia() -> None:
    found = svr(VIREMIC, COURSE, not_detected("2025-07-20"), rna("2025-12-20", 400000))
    assert found.state == "viremic"


def test_rna_detected_between_the_end_and_the_sample_leaves_the_cure_unproven() -> None:
    # Detected without a course since: the end on record was not the last.
    found = svr(VIREMIC, COURSE, rna("2025-05-20", 400000), not_detected("2025-10-20"))
    assert found.state == "unproven"


def test_rna_never_treated_is_viremia() -> None:
    assert svr(VIREMIC).state == "viremic"


def test_rna_found_while_a_course_was_running_is_no_viremia_after_it() -> None:
    found = svr(COURSE, rna("2025-01-20", 300), as_of="2025-05-01")
    assert found.state == "not-yet"


def test_a_course_that_started_since_ends_the_viremia() -> None:
    running = {**COURSE, "start": "2026-01-15", "end": "2026-04-08"}
    assert svr(VIREMIC, running).state == "on-treatment"


def test_an_old_active_request_does_not_hide_viremia() -> None:
    request = {
        "treatment": "hcv direct-acting antiviral",
        "form": "request",
        "status": "active",
        "authored": "2019-01-01",
    }
    assert svr(request, VIREMIC).state == "viremic"


def test_a_retreatment_starts_the_count_again() -> None:
    again = {**COURSE, "start": "2025-11-01", "end": "2026-01-24"}
    assert svr(VIREMIC, COURSE, not_detected("2025-07-20"), again).state == "not-yet"


# Inferred end: 2019-01-01 + 168 days is 2019-06-18; + 84 days is 2019-09-10, + 168 2019-12-03.
@pytest.mark.parametrize(
    ("sampled", "state"),
    [
        ("2019-09-09", "unproven"),
        ("2019-09-10", "svr12"),
        ("2019-12-02", "svr12"),
        ("2019-12-03", "svr24"),
    ],
)
def test_clearance_elsewhere_is_a_cure_after_an_inferred_course(sampled: str, state: str) -> None:
    found = svr(CONDITION, not_detected("2019-01-01"), not_detected(sampled))
    assert found.state == state
    assert found.end is not None
    assert found.end.basis == "inferred"


def test_one_negative_after_documented_infection_is_unproven() -> None:
    assert svr(CONDITION, not_detected("2025-12-01")).state == "unproven"


def test_a_treatment_without_any_rna_is_unproven() -> None:
    assert svr(COURSE).state == "unproven"


def test_an_asserted_response_alone_proves_nothing() -> None:
    asserted = {"condition": "hcv sustained response asserted", "onset": "2018"}
    assert svr(CONDITION, asserted).state == "unknown"


def test_never_infected() -> None:
    assert svr(not_detected("2025-12-01"), antibody("negative")).state == "no-hcv"


def test_spontaneous_clearance_is_no_cure() -> None:
    assert svr(not_detected("2025-12-01"), antibody("positive")).state == "spontaneous-clearance"


def test_a_negative_rna_alone_says_nothing_of_a_past_infection() -> None:
    assert svr(not_detected("2025-12-01")).state == "unknown"


def test_nothing_known_is_unknown() -> None:
    assert svr().state == "unknown"


def test_an_undetectable_hepatitis_b_is_no_cure() -> None:
    hbv = [
        {"condition": "hbv infection", "onset": "2010"},
        {"treatment": "hbv antiviral", "form": "statement", "start": "2020-01-01"},
        {"concept": "hbv dna", "on": "2025-12-01", "word": "not-detected"},
    ]
    assert svr(*hbv).state == "unknown"


def test_a_sample_of_a_year_alone_proves_only_what_its_first_day_proves() -> None:
    # 2025 may be 2025-01-01, before the end of treatment.
    assert svr(VIREMIC, COURSE, not_detected("2025")).state == "unproven"


# "not detected within the last 12 months": 2025-01-31 is the last such day on 2026-01-31.
@pytest.mark.parametrize(("on", "holds"), [("2025-01-31", True), ("2025-01-30", False)])
def test_a_negative_rna_settles_the_search_for_12_months(on: str, holds: bool) -> None:
    assert settled(facts_of([not_detected(on)], as_of="2026-01-31")) is holds


def test_the_search_opens_again_by_the_calendar() -> None:
    facts = facts_of([not_detected("2025-06-10")], as_of="2026-01-31")
    assert settled(facts)
    assert facts.as_of.changes_at is not None
    assert facts.as_of.changes_at.date() == date(2026, 6, 11)


def test_rna_ever_detected_settles_the_search_for_good() -> None:
    assert settled(facts_of([rna("2005-01-01", 800000)], as_of="2026-01-31"))


def test_a_proven_cure_settles_the_search_for_good() -> None:
    facts = facts_of(
        [CONDITION, not_detected("2017-01-01"), not_detected("2019-01-01")], as_of="2026-01-31"
    )
    assert facts.svr.cured
    assert settled(facts)


@pytest.mark.parametrize("word", ["negative", "positive"])
def test_an_antibody_alone_settles_nothing(word: str) -> None:
    assert not settled(facts_of([antibody(word)], as_of="2026-01-31"))


def test_an_ambiguous_rna_settles_nothing() -> None:
    facts = facts_of([rna("2026-01-01", 15, comparator="<")], as_of="2026-01-31")
    assert not settled(facts)


@pytest.mark.parametrize(
    ("sampled", "state"),
    [("2025-01-01", "unproven"), ("2025-03-26", "unproven"), ("2025-03-27", "viremic")],
)
def test_rna_of_the_first_to_the_last_day_of_a_course_is_no_viremia_after_it(
    sampled: str, state: str
) -> None:
    assert svr(COURSE, rna(sampled, 300)).state == state


def test_rna_detected_on_the_last_day_leaves_the_cure_provable() -> None:
    assert svr(COURSE, rna("2025-03-26", 300), not_detected("2025-07-20")).state == "svr12"


def test_rna_that_may_lie_after_the_end_leaves_the_cure_unproven() -> None:
    # "2025-03" may be 2025-03-31, after the end of 2025-03-26.
    assert svr(COURSE, rna("2025-03", 300), not_detected("2025-07-20")).state == "unproven"


@pytest.mark.parametrize(
    ("more", "state"),
    [
        ([CONDITION], "unproven"),
        ([{"condition": "hcv carrier or history", "onset": "2010"}], "unknown"),
        ([COURSE], "unproven"),
        ([rna("2020-01-01", 15, comparator="<", flag="DET")], "unproven"),
    ],
)
def test_a_sign_of_infection_or_treatment_is_never_no_hcv(
    more: list[dict[str, Any]], state: str
) -> None:
    assert svr(not_detected("2025-12-01"), antibody("negative"), *more).state == state


@pytest.mark.parametrize(
    "more", [[CONDITION], [COURSE], [rna("2020-01-01", 15, comparator="<", flag="DET")]]
)
def test_an_infection_or_treatment_is_never_spontaneous_clearance(
    more: list[dict[str, Any]],
) -> None:
    assert svr(not_detected("2025-12-01"), antibody("positive"), *more).state == "unproven"


def test_an_ambiguous_rna_is_no_clearance() -> None:
    vague = rna("2025-12-01", 15, comparator="<")
    assert svr(vague, antibody("negative")).state == "unknown"


# "2025-09" may be 2025-09-01, before day 168 (2025-09-10): svr12 and no more.
def test_of_a_sample_in_a_month_the_first_day_proves() -> None:
    assert svr(VIREMIC, COURSE, not_detected("2025-09")).state == "svr12"
    assert svr(VIREMIC, COURSE, not_detected("2025-10")).state == "svr24"


# A sample in "2025-06" may lie before day 84 (2025-06-18): the answer is still awaited.
def test_a_sample_that_may_lie_before_day_84_does_not_end_the_waiting() -> None:
    assert svr(VIREMIC, COURSE, not_detected("2025-06"), as_of="2025-06-30").state == "not-yet"


def test_a_sample_of_unknown_value_does_not_end_the_waiting() -> None:
    lost = {"concept": "hcv rna", "on": "2025-06-20", "word": "invalid"}
    assert svr(VIREMIC, COURSE, lost, as_of="2025-06-30").state == "not-yet"


def test_a_sample_on_day_84_ends_the_waiting() -> None:
    found = svr(VIREMIC, COURSE, rna("2025-06-18", 15, comparator="<"), as_of="2025-06-30")
    assert found.state == "unproven"


def test_a_month_of_a_year_ago_may_still_be_within_12_months() -> None:
    # "2025-01" may be 2025-01-31.
    assert settled(facts_of([not_detected("2025-01")], as_of="2026-01-31"))
