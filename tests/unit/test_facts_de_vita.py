"""De Vita 2011, group by group."""

from __future__ import annotations

from typing import Any

from tests.support.cases import Form, facts_of

from cryovigil.facts.de_vita import DeVita

PURPURA = {"condition": "purpura", "onset": "2015-01-01", "clinical": "resolved"}
HEPATITIS = {"condition": "hbv infection", "onset": "2010-01-01"}
LOW_C4 = {"concept": "complement c4", "on": "2026-01-10", "value": 0.04}
RF = {"concept": "rheumatoid factor", "on": "2026-01-10", "value": 90}
TWO_GROUPS = (PURPURA, HEPATITIS, LOW_C4, RF)


def criteria(*forms: Form, **known: Any) -> DeVita:
    return facts_of(forms, **known).de_vita


def cryoglobulin(on: str) -> Form:
    return {"concept": "cryoglobulin quantity", "on": on, "value": 0.4}


def test_two_positives_84_days_apart_and_two_groups_meet_the_criteria() -> None:
    # 2025-10-18 to 2026-01-10 are 84 days, 12 weeks.
    late = cryoglobulin("2026-01-10")
    assert criteria(*TWO_GROUPS, cryoglobulin("2025-10-18"), late).state == "met"


def test_two_positives_83_days_apart_meet_them_provisionally() -> None:
    late = cryoglobulin("2026-01-10")
    assert criteria(*TWO_GROUPS, cryoglobulin("2025-10-19"), late).state == "met-provisionally"


def test_two_groups_without_a_positive_cryoglobulin_cannot_tell() -> None:
    assert criteria(*TWO_GROUPS).state == "cannot-tell"


def test_three_of_four_clinical_items_past_or_present_make_the_group() -> None:
    two = (
        {"condition": "fatigue", "onset": "2012-01-01"},
        {"condition": "arthralgia", "onset": "2012-01-01", "clinical": "resolved"},
    )
    neuropathy = {"condition": "polyneuropathy", "onset": "2012-01-01"}
    assert criteria(*two).groups["clinical"] is False
    assert criteria(*two, neuropathy).groups["clinical"] is True


def test_fewer_than_two_groups_with_everything_known_is_not_met() -> None:
    known = (
        {"concept": "complement c4", "on": "2026-01-10", "value": 0.3},
        {"concept": "rheumatoid factor", "on": "2026-01-10", "value": 5},
        {"concept": "hcv antibody", "on": "2026-01-10", "word": "negative"},
    )
    assert criteria(*known).state == "not-met"


def test_without_declared_conditions_the_same_cannot_be_told() -> None:
    known = (
        {"concept": "complement c4", "on": "2026-01-10", "value": 0.3},
        {"concept": "rheumatoid factor", "on": "2026-01-10", "value": 5},
        {"concept": "hcv antibody", "on": "2026-01-10", "word": "negative"},
    )
    assert criteria(*known, coverage="none").state == "cannot-tell"


def test_the_kidney_is_no_item() -> None:
    # A1: glomerulonephritis with low C4 and RF meets the laboratory group alone.
    nephritis = {"condition": "glomerulonephritis", "onset": "2026-01-10"}
    antibody = {"concept": "hcv antibody", "on": "2026-01-10", "word": "negative"}
    found = criteria(nephritis, LOW_C4, RF, antibody, cryoglobulin("2026-01-10"))
    assert (found.groups["laboratory"], found.state) == (True, "not-met")


def test_an_explained_item_counts_and_is_marked() -> None:
    lupus = {"condition": "systemic lupus erythematosus", "onset": "2015-01-01"}
    found = criteria(*TWO_GROUPS, lupus, cryoglobulin("2026-01-10"))
    assert (found.state, found.marked) == ("met-provisionally", ("c4",))


def test_under_18_it_cannot_tell() -> None:
    found = criteria(*TWO_GROUPS, cryoglobulin("2026-01-10"), born="2012-01-01")
    assert found.state == "cannot-tell"


def test_hyperpigmentation_answers_the_second_question() -> None:
    brown = {"condition": "purpura hyperpigmentation", "onset": "2015-01-01"}
    assert criteria(PURPURA, brown).groups["questionnaire"] is True
