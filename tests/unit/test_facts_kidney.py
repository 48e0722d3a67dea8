"""The kidney: KDIGO, dialysis, urine."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from tests.support.cases import Form, facts_from, facts_of, readings_of

from cryovigil.facts.kidney import Kidney
from cryovigil.normalize.readings import Result
from cryovigil.timeline import Timeline


def kidney(*forms: Form, **known: Any) -> Kidney:
    return facts_of(forms, **known).kidney


def creatinine(on: str, value: float, **more: object) -> Form:
    return {"concept": "creatinine", "on": on, "value": value, **more}


@pytest.mark.parametrize(
    ("value", "stage"),
    [
        # KDIGO against a baseline of 80: 1.5 times is 120, 2.0 is 160, 3.0 is 240.
        (119.9, 0),
        (120, 1),
        (159.9, 1),
        (160, 2),
        (239.9, 2),
        (240, 3),
    ],
)
def test_the_stage_follows_the_ratio_to_the_baseline(value: float, stage: int) -> None:
    found = kidney(creatinine("2026-01-10", 80), creatinine("2026-01-29", value))
    assert found.stage == stage


def test_aki_that_reaches_353_6_is_stage_3() -> None:
    # 353.6 / 200 = 1.77 times: stage 1 but for the level.
    before = creatinine("2026-01-25", 200)
    assert kidney(before, creatinine("2026-01-29", 353.6)).stage == 3
    assert kidney(before, creatinine("2026-01-29", 353.5)).stage == 1


def test_a_high_level_without_aki_is_no_stage() -> None:
    found = kidney(creatinine("2026-01-25", 400), creatinine("2026-01-29", 405))
    assert (found.stage, found.aki) == (0, False)


def test_the_baseline_is_the_lowest_of_the_seven_days_before() -> None:
    found = kidney(
        creatinine("2026-01-10", 60),
        creatinine("2026-01-22", 90),
        creatinine("2026-01-25", 100),
        creatinine("2026-01-29", 120),
    ).creatinine
    assert found.baseline is not None
    assert (found.baseline.value, found.presumed) == (90, False)


def test_without_one_in_seven_days_the_latest_before_is_presumed() -> None:
    # 2026-01-21 is day 8 before 2026-01-29.
    found = kidney(
        creatinine("2026-01-10", 60), creatinine("2026-01-21", 90), creatinine("2026-01-29", 120)
    ).creatinine
    assert found.baseline is not None
    assert (found.baseline.value, found.presumed) == (90, True)


def test_a_creatinine_of_366_days_before_is_no_baseline() -> None:
    # 2025-01-29 is 365 days before 2026-01-29.
    assert kidney(creatinine("2025-01-29", 60), creatinine("2026-01-29", 120)).stage == 2
    assert kidney(creatinine("2025-01-28", 60), creatinine("2026-01-29", 120)).stage is None


def test_a_single_creatinine_cannot_tell_aki_but_can_be_high() -> None:
    found = kidney(creatinine("2026-01-29", 141))
    assert (found.aki, found.creatinine.newly_high) == (None, True)


def test_what_was_high_before_is_not_newly_high() -> None:
    found = kidney(creatinine("2025-12-01", 141), creatinine("2026-01-29", 150))
    assert found.creatinine.newly_high is False


def test_a_value_is_newly_high_for_30_days_of_its_run() -> None:
    # 2026-01-01 + 30 = 2026-01-31; the value before the run is 120, whatever confirmed the rise.
    def high_since(day: str) -> Kidney:
        before, again = creatinine("2025-06-01", 120), creatinine("2026-01-29", 150)
        return kidney(before, creatinine(day, 141), again)

    assert high_since("2026-01-01").creatinine.newly_high is True
    assert high_since("2025-12-31").creatinine.newly_high is False


def test_a_run_of_high_values_ends_with_one_that_is_not() -> None:
    # 140 is not above 140.
    found = kidney(
        creatinine("2025-10-01", 160),
        creatinine("2025-12-01", 140),
        creatinine("2026-01-20", 150),
        creatinine("2026-01-29", 160),
    ).creatinine
    assert found.newly_high is True
    assert found.previous is not None
    assert found.previous.value == 140
    assert [r.value for r in found.run] == [150, 160]


def test_the_value_before_is_the_last_of_any_age() -> None:
    # "newly: the previous value did not meet it, or there is none".
    latest = creatinine("2026-01-29", 150)
    assert kidney(creatinine("2020-01-01", 150), latest).creatinine.newly_high is False
    assert kidney(creatinine("2020-01-01", 100), latest).creatinine.newly_high is True


def test_what_is_not_high_has_no_run_and_the_value_just_before_it() -> None:
    found = kidney(creatinine("2026-01-20", 150), creatinine("2026-01-29", 130)).creatinine
    assert (found.newly_high, found.run) == (False, ())
    assert found.previous is not None
    assert found.previous.value == 150


def test_a_creatinine_that_came_back_no_longer_shows_failure() -> None:
    rise = (creatinine("2026-01-10", 80), creatinine("2026-01-20", 200))
    assert kidney(*rise).progressive is True
    assert kidney(*rise, creatinine("2026-01-29", 85)).progressive is False


def test_doubling_within_90_days_is_progressive_though_the_week_says_less() -> None:
    # The week's baseline is 150 (1.2 times); 90 days hold 90 (2.0 times).
    found = kidney(
        creatinine("2025-11-15", 90), creatinine("2026-01-25", 150), creatinine("2026-01-29", 180)
    )
    assert (found.stage, found.progressive) == (0, True)


def test_chronic_dialysis_switches_every_creatinine_criterion_off() -> None:
    found = kidney(
        {"condition": "chronic dialysis", "recorded": "2025-06-01"},
        {"condition": "acute renal failure", "onset": "2026-01-25"},
        creatinine("2026-01-10", 80),
        creatinine("2026-01-29", 500),
    )
    assert (found.aki, found.progressive, found.creatinine.newly_high) == (False, False, False)


def test_a_second_report_of_the_same_draw_is_no_earlier_value() -> None:
    # The value before 141 is 135, not the 141 reported twice.
    twice = (creatinine("2026-01-29", 141), creatinine("2026-01-29", 141))
    found = kidney(creatinine("2025-12-01", 135), *twice).creatinine
    assert found.newly_high is True
    assert found.previous is not None
    assert found.previous.value == 135


def test_one_condition_coded_as_dialysis_and_end_stage_disease_is_chronic() -> None:
    # "or with end-stage renal disease on the list at any age of the record".
    coded = {"recorded": "2026-01-30", "reference": "Condition/1"}
    dialysis = {"condition": "chronic dialysis", **coded}
    end_stage = {"condition": "end stage renal disease", **coded}
    assert kidney(dialysis).acute_dialysis
    assert not kidney(dialysis, end_stage).acute_dialysis


def test_end_stage_disease_without_a_dialysis_code_is_no_dialysis() -> None:
    # "stage 5 without dialysis is not dialysis": creatinine still speaks.
    rise = (creatinine("2026-01-10", 400), creatinine("2026-01-29", 600))
    found = kidney({"condition": "end stage renal disease", "recorded": "2020-01-01"}, *rise)
    assert (found.chronic_dialysis, found.acute_dialysis, found.aki) == ((), (), True)


def test_an_undated_dialysis_code_is_acute_dialysis() -> None:
    found = kidney({"condition": "chronic dialysis"})
    assert (found.stage, found.progressive) == (3, True)


def test_an_acute_renal_failure_of_91_days_is_no_longer_acute() -> None:
    # 2025-11-02 + 90 days = 2026-01-31.
    assert kidney({"condition": "acute renal failure", "onset": "2025-11-02"}).acute_failure
    assert not kidney({"condition": "acute renal failure", "onset": "2025-11-01"}).acute_failure


def cells(value: float, unit: str) -> bool | None:
    """Hematuria by erythrocytes in a unit of their own."""
    form = {"concept": "urine erythrocytes", "on": "2026-01-20", "value": value}
    (result, patient) = readings_of([form])
    assert isinstance(result, Result)
    known = facts_from(Timeline([replace(result, unit=unit), patient]))
    return known.kidney.urine.hematuria.state


@pytest.mark.parametrize(("unit", "limit"), [("/[HPF]", 3), ("/uL", 10)])
def test_the_limit_of_red_cells_goes_by_their_unit(unit: str, limit: float) -> None:
    # "> 3/HPF or > 10/uL": strict.
    assert cells(limit + 1, unit) is True
    assert cells(limit, unit) is False


def test_cells_beside_a_range_that_cannot_be_read_are_unknown() -> None:
    # "erythrocytes above own range or flag, else > 3/HPF": there is an own range.
    cells = {"concept": "urine erythrocytes", "on": "2026-01-20", "value": 4}
    assert kidney(cells).urine.hematuria.state is True
    assert kidney({**cells, "range_unread": True}).urine.hematuria.state is None
    assert kidney({**cells, "range_unread": True, "flag": "H"}).urine.hematuria.state is True


def test_a_strip_trace_is_no_hematuria_whatever_its_flag() -> None:
    # "a strip of 1+ or more".
    form = {"concept": "urine blood strip", "on": "2026-01-20"}
    assert kidney({**form, "word": "trace", "flag": "A"}).urine.hematuria.state is False
    assert kidney({**form, "word": "positive"}).urine.hematuria.state is True


def test_proteinuria_is_above_half_a_gram_a_day() -> None:
    form = {"concept": "urine protein 24 h", "on": "2026-01-20"}
    assert kidney({**form, "value": 0.51}).urine.proteinuria.state is True
    assert kidney({**form, "value": 0.5}).urine.proteinuria.state is False


def test_a_protein_concentration_never_shows_proteinuria() -> None:
    # A concentration has no fixed relation to a day's amount.
    form = {"concept": "urine protein concentration", "on": "2026-01-20", "value": 3}
    assert kidney(form).urine.proteinuria.state is None


def test_protein_and_red_cells_older_than_12_months_are_none_of_today() -> None:
    # 2025-01-31 + 12 months = 2026-01-31.
    def pair(on: str) -> Kidney:
        return kidney(
            {"concept": "urine protein creatinine ratio", "on": on, "value": 900},
            {"concept": "urine erythrocytes", "on": on, "value": 20},
        )

    assert pair("2025-01-31").nephritic
    assert not pair("2025-01-30").nephritic


def test_conditions_stand_in_for_urine_results() -> None:
    found = kidney(
        {"condition": "proteinuria", "onset": "2026-01-10"},
        {"condition": "hematuria", "onset": "2026-01-12"},
    )
    assert (bool(found.nephritic), found.new_nephritic) == (True, True)


def urine_of(*days: tuple[str, float]) -> Kidney:
    """Protein/creatinine ratios, and red cells with each of them."""
    ratios = [
        {"concept": "urine protein creatinine ratio", "on": on, "value": value}
        for on, value in days
    ]
    cells = [{"concept": "urine erythrocytes", "on": on, "value": 20} for on, _ in days]
    return kidney(*ratios, *cells)


def test_a_control_leaves_a_proteinuria_as_new_as_its_run() -> None:
    # 2026-01-01 + 30 = 2026-01-31.
    assert urine_of(("2026-01-01", 800), ("2026-01-29", 1900)).new_nephritic is True
    assert urine_of(("2025-12-31", 800), ("2026-01-29", 1900)).new_nephritic is False


def test_a_proteinuria_is_judged_by_what_came_before_its_run() -> None:
    # 500 is not above 500 and ends the run of 2025-06-01, which lies within 365 days.
    run = (("2026-01-10", 800), ("2026-01-12", 900))
    assert urine_of(("2024-06-01", 800), ("2025-12-01", 500), *run).new_nephritic is True
    assert urine_of(("2025-06-01", 800), ("2025-12-01", 500), *run).new_nephritic is False


def test_a_proteinuria_that_is_listed_later_is_as_old_as_its_first_value() -> None:
    # The Condition of 2026-01-20 names what the ratio of 2025-12-20 had shown, 42 days ago.
    listed = {"condition": "proteinuria", "onset": "2026-01-20"}
    cells = {"concept": "urine erythrocytes", "on": "2026-01-20", "value": 20}
    ratio = {"concept": "urine protein creatinine ratio", "on": "2025-12-20", "value": 900}
    assert kidney(listed, cells).new_nephritic is True
    assert kidney(listed, cells, ratio).new_nephritic is False


def test_a_value_below_a_limit_ends_a_run_of_high_creatinine() -> None:
    # "newly: the previous value did not meet it": less than 88 is not more than 140.
    highs = (creatinine("2025-10-20", 150), creatinine("2026-01-29", 150))
    below = {**creatinine("2025-12-01", 88), "comparator": "<"}
    assert kidney(*highs).creatinine.newly_high is False
    assert kidney(*highs, below).creatinine.newly_high is True
    # "< 150" may be more than 140 or less: it says nothing of a run.
    assert kidney(*highs, {**below, "value": 150}).creatinine.newly_high is False


def test_a_proteinuria_that_the_list_has_had_for_years_is_not_new() -> None:
    # "a Condition of proteinuria or hematuria stands in for its result".
    found = [
        {"concept": "urine protein creatinine ratio", "on": "2026-01-20", "value": 1900},
        {"concept": "urine erythrocytes", "on": "2026-01-20", "value": 20},
    ]
    listed = {"condition": "proteinuria", "onset": "2019-01-01"}
    assert kidney(*found).new_nephritic is True
    assert kidney(*found, listed).new_nephritic is False
    assert kidney(*found, {**listed, "onset": "2026-01-15"}).new_nephritic is True
