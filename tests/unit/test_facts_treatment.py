"""Antiviral courses, whether one is running, and what the end of the last one rests on."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from tests.support.cases import facts_of

from cryovigil.facts.end_of_treatment import EndOfTreatment
from cryovigil.facts.treatment import Treatments

DAA = "hcv direct-acting antiviral"
VIREMIC = {"concept": "hcv rna", "on": "2014-01-10", "value": 800000}


def course(drug: str = DAA, form: str = "statement", **more: Any) -> dict[str, Any]:
    return {"treatment": drug, "form": form, **more}


def not_detected(on: str) -> dict[str, Any]:
    return {"concept": "hcv rna", "on": on, "word": "not-detected"}


def treatment(*readings: dict[str, Any], as_of: str = "2026-01-31") -> Treatments:
    return facts_of(list(readings), as_of=as_of).treatment


def test_the_end_of_the_period_comes_first() -> None:
    found = treatment(
        course(start="2025-01-01", end="2025-03-26", valid_until="2025-06-30", status="completed")
    )
    assert found.end == EndOfTreatment(date(2025, 3, 26), "period")


def test_of_a_month_alone_the_last_day_is_the_end() -> None:
    found = treatment(course(start="2017-09-10", end="2017-12"))
    assert found.end == EndOfTreatment(date(2017, 12, 31), "period")


def test_without_a_period_the_validity_of_the_request_is_the_end() -> None:
    found = treatment(
        course(form="request", authored="2025-01-01", valid_until="2025-06-30", status="active")
    )
    assert found.end == EndOfTreatment(date(2025, 6, 30), "validity")


@pytest.mark.parametrize(
    ("more", "end"),
    [
        ({"asserted": "2025-05-01", "updated": "2025-06-01"}, date(2025, 5, 1)),
        ({"updated": "2025-06-01"}, date(2025, 6, 1)),
        # Nothing else: 48 weeks after 2025-01-01 are 336 days, 2025-12-03.
        ({}, date(2025, 12, 3)),
        # The version of that status is younger than the longest course: the course wins.
        ({"updated": "2026-01-10"}, date(2025, 12, 3)),
    ],
)
def test_a_completed_course_ended_at_the_first_of_its_latest_possible_ends(
    more: dict[str, str], end: date
) -> None:
    found = treatment(course(start="2025-01-01", status="completed", **more))
    assert found.end == EndOfTreatment(end, "completed")


def test_a_completed_course_ended_when_the_next_one_starts() -> None:
    found = treatment(
        course(start="2020-01-01", status="completed"),
        course(start="2020-10-01", status="completed", end="2020-12-24"),
    )
    assert [c.end for c in found.courses] == [
        EndOfTreatment(date(2020, 10, 1), "completed"),
        EndOfTreatment(date(2020, 12, 24), "period"),
    ]


def test_an_end_said_before_the_start_says_nothing() -> None:
    found = treatment(course(start="2025-01-01", status="completed", asserted="2024-12-01"))
    assert found.end == EndOfTreatment(date(2025, 12, 3), "completed")


def test_an_active_request_without_an_end_has_none() -> None:
    found = treatment(course(form="request", authored="2019-01-01", status="active"))
    assert found.ever
    assert found.end is None


# The first sample of the run plus 24 weeks (168 days); before 2015 plus 48 (336 days).
@pytest.mark.parametrize(
    ("sample", "end"),
    [("2015-01-01", date(2015, 6, 18)), ("2014-12-31", date(2015, 12, 2))],
)
def test_an_end_is_inferred_from_the_first_sample_of_the_unbroken_run(
    sample: str, end: date
) -> None:
    found = treatment(VIREMIC, not_detected(sample), not_detected("2018-01-01"))
    assert found.end == EndOfTreatment(end, "inferred")


def test_a_detected_sample_breaks_the_run() -> None:
    again = {"concept": "hcv rna", "on": "2017-01-01", "value": 90000}
    found = treatment(VIREMIC, not_detected("2016-01-01"), again, not_detected("2018-01-01"))
    assert found.end == EndOfTreatment(date(2018, 6, 18), "inferred")


def test_an_ambiguous_sample_neither_starts_nor_breaks_the_run() -> None:
    vague = {"concept": "hcv rna", "on": "2017-01-01", "value": 15, "comparator": "<"}
    found = treatment(VIREMIC, not_detected("2016-01-01"), vague, not_detected("2018-01-01"))
    assert found.end == EndOfTreatment(date(2016, 6, 17), "inferred")


def test_samples_up_to_the_start_of_the_last_course_are_no_part_of_the_run() -> None:
    found = treatment(
        VIREMIC,
        not_detected("2016-01-01"),
        course(form="request", authored="2017-01-01", status="active"),
        not_detected("2017-03-01"),
    )
    # 2017-03-01 + 168 days.
    assert found.end == EndOfTreatment(date(2017, 8, 16), "inferred")


def test_without_a_documented_infection_nothing_is_inferred() -> None:
    assert treatment(not_detected("2018-01-01")).end is None


def test_an_hcv_condition_alone_lets_an_end_be_inferred() -> None:
    found = treatment({"condition": "hcv infection", "onset": "2010"}, not_detected("2018-01-01"))
    assert found.end is not None
    assert found.end.basis == "inferred"


@pytest.mark.parametrize("treated", [True, False])
def test_a_history_documents_an_infection_beside_an_antiviral_only(treated: bool) -> None:
    history = {"condition": "hcv carrier or history", "onset": "2010"}
    antivirals = [course(start="2017-01-01", end="2017-03-26")] if treated else []
    assert treatment(history, *antivirals).documented is treated


# Running on the day of its last dose, not on the day after.
@pytest.mark.parametrize(("as_of", "running"), [("2025-03-26", True), ("2025-03-27", False)])
def test_a_course_runs_to_its_end(as_of: str, running: bool) -> None:
    found = treatment(course(start="2025-01-01", end="2025-03-26"), as_of=as_of)
    assert found.running is running


# Without an end until 24 weeks after the start: 2025-01-01 + 168 days is 2025-06-18.
@pytest.mark.parametrize(("as_of", "running"), [("2025-06-17", True), ("2025-06-18", False)])
def test_a_course_of_unknown_end_runs_for_24_weeks(as_of: str, running: bool) -> None:
    request = course(form="request", authored="2025-01-01", status="active")
    assert treatment(request, as_of=as_of).running is running


# With interferon 48 weeks: 2013-01-01 + 336 days is 2013-12-03.
@pytest.mark.parametrize(("as_of", "running"), [("2013-12-02", True), ("2013-12-03", False)])
def test_an_interferon_course_of_unknown_end_runs_for_48_weeks(as_of: str, running: bool) -> None:
    found = treatment(
        {"concept": "hcv rna", "on": "2012-12-01", "value": 800000},
        course("interferon alfa", form="request", authored="2013-01-01", status="active"),
        as_of=as_of,
    )
    assert found.running is running


def test_a_completed_course_without_an_end_may_still_be_running() -> None:
    # Its latest possible end is only reckoned: until 24 weeks after the start it is not past.
    found = treatment(
        course(start="2025-01-01", status="completed", asserted="2025-04-01"), as_of="2025-05-01"
    )
    assert found.running is True


def test_interferon_counts_only_where_hcv_was_ever_found() -> None:
    interferon = course("interferon alfa", start="2013-01-01", end="2013-12-01")
    antibody = {"concept": "hcv antibody", "on": "2012-01-01", "word": "positive"}
    assert not treatment(interferon).ever
    assert treatment(interferon, antibody).ever


@pytest.mark.parametrize("status", ["draft", "cancelled", "intended", "not-taken"])
def test_what_was_not_taken_is_no_course(status: str) -> None:
    assert not treatment(course(start="2025-01-01", end="2025-03-26", status=status)).ever


def test_a_course_that_starts_tomorrow_has_not_started() -> None:
    assert not treatment(course(start="2026-02-01", end="2026-04-26", status="active")).ever


def test_a_combination_is_one_course() -> None:
    found = treatment(
        course(start="2025-01-01", end="2025-03-26"),
        course("ribavirin", start="2025-01-01", end="2025-03-19"),
    )
    assert len(found.courses) == 1
    assert found.end == EndOfTreatment(date(2025, 3, 26), "period")


# A refill at most 28 days after the last one ended: 2025-01-28 + 28 days is 2025-02-25.
@pytest.mark.parametrize(("start", "courses"), [("2025-02-25", 1), ("2025-02-26", 2)])
def test_a_late_refill_belongs_to_its_course(start: str, courses: int) -> None:
    found = treatment(
        course(start="2025-01-01", end="2025-01-28"), course(start=start, end="2025-03-26")
    )
    assert len(found.courses) == courses


def test_an_end_of_an_earlier_part_is_not_the_end_of_a_course_that_went_on() -> None:
    found = treatment(
        course(start="2025-01-01", end="2025-01-28"),
        course(form="request", authored="2025-01-29", status="active"),
    )
    assert found.end is None


def test_the_last_course_decides_and_an_undated_one_is_never_the_last() -> None:
    found = treatment(
        course(status="active"),
        course(start="2016-01-01", end="2016-03-25"),
        course(start="2018-01-01", end="2018-03-26"),
    )
    assert found.end == EndOfTreatment(date(2018, 3, 26), "period")


def test_whether_an_undated_course_is_running_cannot_be_told() -> None:
    assert treatment(course(status="active")).running is None


def test_without_any_antiviral_none_is_running() -> None:
    assert treatment().running is False


def test_an_antiviral_for_hepatitis_b_is_no_course() -> None:
    assert not treatment(course("hbv antiviral", start="2025-01-01")).ever


def test_of_two_validities_the_later_is_the_end() -> None:
    found = treatment(
        course(form="request", authored="2025-01-01", valid_until="2025-02"),
        course(form="request", authored="2025-01-29", valid_until="2025-03"),
    )
    assert found.end == EndOfTreatment(date(2025, 3, 31), "validity")


def test_a_course_of_which_the_last_part_is_still_open_is_not_completed() -> None:
    found = treatment(
        course(start="2025-01-01", status="completed", asserted="2025-02-01"),
        course(start="2025-02-01", status="active"),
    )
    assert found.end is None


def test_a_completed_course_beside_an_order_left_open_is_completed() -> None:
    # The order was written the day the course began and never closed.
    found = treatment(
        course(form="request", authored="2025-01-01", status="active"),
        course(start="2025-01-01", status="completed", asserted="2025-04"),
    )
    assert found.end == EndOfTreatment(date(2025, 4, 30), "completed")


def test_of_two_completed_parts_the_later_end_counts() -> None:
    found = treatment(
        course(start="2025-01-01", status="completed", asserted="2025-03-01"),
        course("ribavirin", start="2025-01-01", status="completed", asserted="2025-04-01"),
    )
    assert found.end == EndOfTreatment(date(2025, 4, 1), "completed")


def test_a_part_that_starts_on_the_last_day_is_within_the_end() -> None:
    found = treatment(
        course(start="2025-01-01", end="2025-03-26"),
        course("ribavirin", form="request", authored="2025-03-26", status="active"),
    )
    assert found.end == EndOfTreatment(date(2025, 3, 26), "period")


# 2025-01 may be 2025-01-31; + 168 days is 2025-07-18.
@pytest.mark.parametrize(("as_of", "running"), [("2025-07-17", True), ("2025-07-18", False)])
def test_of_a_start_in_a_month_the_last_day_is_taken(as_of: str, running: bool) -> None:
    request = course(form="request", authored="2025-01", status="active")
    assert treatment(request, as_of=as_of).running is running


def test_the_earliest_start_of_its_parts_is_the_start_of_a_course() -> None:
    found = treatment(
        course(start="2025-01-05", end="2025-03-26"),
        course("ribavirin", start="2025-01-01", end="2025-03-26"),
    )
    assert [c.start for c in found.courses] == [date(2025, 1, 1)]


def test_a_refilled_course_of_unknown_end_runs_from_its_last_refill() -> None:
    # 2025-03-01 + 168 days is 2025-08-16.
    parts = [course(form="request", authored=day) for day in ("2025-01-01", "2025-03-01")]
    assert treatment(*parts, as_of="2025-08-15").running is True
    assert treatment(*parts, as_of="2025-08-16").running is False


# "2018-01" may be 2018-01-31 where time must have passed: + 168 days is 2018-07-18.
def test_of_a_sample_in_a_month_the_last_day_is_taken() -> None:
    found = treatment(VIREMIC, not_detected("2018-01"))
    assert found.end == EndOfTreatment(date(2018, 7, 18), "inferred")


def test_a_sample_that_may_be_of_2014_is_of_the_interferon_era() -> None:
    # "2014-12 or 2015-01" is written 2014 here: its latest day + 336 days is 2015-12-02.
    found = treatment({**VIREMIC, "on": "2013-01-10"}, not_detected("2014"))
    assert found.end == EndOfTreatment(date(2015, 12, 2), "inferred")


# A sample must lie after the start of the course: not on its day, not in a month that holds it.
@pytest.mark.parametrize(
    ("sample", "inferred"), [("2017-01-10", False), ("2017-01", False), ("2017-01-11", True)]
)
def test_a_sample_must_lie_after_the_start_of_the_last_course(sample: str, inferred: bool) -> None:
    request = course(form="request", authored="2017-01-10", status="active")
    assert (treatment(VIREMIC, request, not_detected(sample)).end is not None) is inferred
