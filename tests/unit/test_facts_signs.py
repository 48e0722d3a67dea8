"""Vasculitis signs: groups and their exclusions, present, active, suggestive."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from tests.support.cases import Form, facts_of

from cryovigil.facts.signs import Signs

SAMPLE = date(2025, 7, 1)


def signs(*forms: Form, **known: Any) -> Signs:
    return facts_of(forms, **known).signs


def present(*forms: Form) -> set[tuple[str, str]]:
    return {(s.concept, s.group) for s in signs(*forms).present}


def condition(name: str, onset: str | None = "2026-01-20", **more: object) -> Form:
    return {"condition": name, "onset": onset, **more}


def lab(name: str, value: float, on: str = "2026-01-25", **more: object) -> Form:
    return {"concept": name, "on": on, "value": value, **more}


@pytest.mark.parametrize(
    ("name", "groups"),
    [
        ("purpura", {"cutaneous"}),
        ("cutaneous vasculitis", {"cutaneous"}),
        ("skin ulcer", {"cutaneous"}),
        ("skin necrosis", {"cutaneous", "severe"}),
        ("raynaud phenomenon", {"cold"}),
        ("acrocyanosis", {"cold"}),
        ("arthralgia", {"articular"}),
        ("arthritis", {"articular"}),
        ("polyneuropathy", {"neurological"}),
        ("mononeuritis multiplex", {"neurological"}),
        ("glomerulonephritis", {"renal"}),
        ("membranoproliferative glomerulonephritis", {"renal"}),
        ("rapidly progressive glomerulonephritis", {"renal", "severe"}),
        ("cns vasculitis", {"severe"}),
        ("stroke", {"severe"}),
        ("epilepsy", {"severe"}),
        ("mesenteric ischemia", {"severe"}),
        ("gastrointestinal hemorrhage", {"severe"}),
        ("cardiomyopathy", {"severe"}),
        ("alveolar hemorrhage", {"severe"}),
        ("gangrene", {"severe"}),
        ("acute renal failure", {"renal", "severe"}),
        ("fatigue", set()),
        ("weakness", set()),
        ("cryoglobulinemia", set()),
    ],
)
def test_each_condition_is_a_sign_of_its_groups(name: str, groups: set[str]) -> None:
    assert {group for _, group in present(condition(name))} == groups


@pytest.mark.parametrize(
    ("sign", "other"),
    [
        ("skin ulcer", "venous ulcer"),
        ("skin ulcer", "arterial ulcer"),
        ("skin ulcer", "diabetic ulcer or angiopathy"),
        ("gangrene", "peripheral arterial disease"),
        ("gangrene", "diabetic ulcer or angiopathy"),
        ("gastrointestinal hemorrhage", "cirrhosis"),
        ("gastrointestinal hemorrhage", "varices"),
    ],
)
def test_what_the_list_accounts_for_otherwise_is_no_sign(sign: str, other: str) -> None:
    assert present(condition(sign))
    assert not present(condition(sign), condition(other, "2020-01-01"))


def test_purpura_with_99_platelets_is_no_sign() -> None:
    # "not with platelets < 100 G/L": strict.
    assert not present(condition("purpura"), lab("platelets", 99))


def test_purpura_with_100_platelets_is_a_sign() -> None:
    assert present(condition("purpura"), lab("platelets", 100))


def test_a_platelet_count_of_31_days_ago_explains_no_purpura() -> None:
    # 2025-12-31 + 31 days = 2026-01-31; 30 days still explain.
    assert present(condition("purpura"), lab("platelets", 50, "2025-12-31"))
    assert not present(condition("purpura"), lab("platelets", 50, "2026-01-01"))


def test_a_resolved_or_abated_sign_is_not_present() -> None:
    assert not present(condition("purpura", clinical="resolved"))
    assert not present(condition("purpura", abated="2026-01-20"))


def test_an_encounter_diagnosis_is_present_for_24_months() -> None:
    # 2024-01-31 + 24 months = 2026-01-31, the as-of day.
    kind = {"category": "encounter-diagnosis"}
    assert present(condition("skin ulcer", "2024-01-31", **kind))
    assert not present(condition("skin ulcer", "2024-01-30", **kind))


def test_a_severe_sign_counts_for_90_days() -> None:
    # 2025-11-02 + 90 days = 2026-01-31.
    assert present(condition("stroke", "2025-11-02"))
    assert not present(condition("stroke", "2025-11-01"))


def test_a_sign_is_active_for_30_days() -> None:
    # 2026-01-01 + 30 days = 2026-01-31.
    assert signs(condition("purpura", "2026-01-01")).all[0].active
    assert not signs(condition("purpura", "2025-12-31")).all[0].active


def test_of_a_year_alone_the_earliest_day_must_lie_within_30_days() -> None:
    # "its earliest where it must lie after something": 2026-01-01 + 30 days = 2026-01-31.
    year = condition("purpura", "2026")
    assert signs(year, as_of="2026-01-31").all[0].active
    assert not signs(year, as_of="2026-02-01").all[0].active


def test_an_encounter_diagnosis_of_a_year_alone_is_counted_from_its_first_day() -> None:
    # 2024-01-01 + 24 months = 2026-01-01.
    ulcer = condition("skin ulcer", "2024", category="encounter-diagnosis")
    assert signs(ulcer, as_of="2026-01-01").all[0].present
    assert not signs(ulcer, as_of="2026-01-02").all[0].present


def test_a_sign_without_any_date_is_present_and_active() -> None:
    (sign,) = signs(condition("purpura", None)).all
    assert (sign.present, sign.active, sign.when) == (True, True, None)


def test_leukocytoclastic_vasculitis_is_palpable() -> None:
    # Its code stands for palpable purpura too: two readings of one Condition.
    forms = [
        condition("cutaneous vasculitis", reference="Condition/1"),
        condition("palpable purpura", reference="Condition/1"),
    ]
    assert signs(*forms).all[0].palpable


def test_an_unconfirmed_sign_is_suspicion_only() -> None:
    found = signs(condition("purpura", verification="provisional"))
    assert found.all == ()
    assert [f.concept for f in found.suspicion] == ["purpura"]


def test_proteinuria_with_hematuria_30_days_apart_is_a_renal_sign() -> None:
    protein = lab("urine protein creatinine ratio", 501, "2025-12-31")
    assert present(protein, lab("urine erythrocytes", 4, "2026-01-30")) == {
        ("proteinuria with hematuria", "renal")
    }
    assert not present(protein, lab("urine erythrocytes", 4, "2026-01-31"))


def test_an_egfr_that_fell_below_30_makes_glomerulonephritis_severe() -> None:
    nephritis = condition("glomerulonephritis", "2025-01-01")
    assert ("glomerulonephritis", "severe") in present(nephritis, lab("egfr", 29))
    assert ("glomerulonephritis", "severe") not in present(nephritis, lab("egfr", 30))


def test_an_egfr_that_was_low_before_makes_it_not_severe() -> None:
    forms = (condition("glomerulonephritis"), lab("egfr", 25, "2025-06-01"), lab("egfr", 25))
    assert ("glomerulonephritis", "severe") not in present(*forms)


def test_articular_and_cold_signs_alone_are_never_active_after_a_cure() -> None:
    found = signs(condition("arthritis"), condition("raynaud phenomenon"))
    assert found.active_since(SAMPLE) == ()


def test_an_onset_after_the_first_sample_is_active_however_old() -> None:
    assert signs(condition("skin ulcer", "2025-07-02")).active_since(SAMPLE)
    assert not signs(condition("skin ulcer", "2025-07-01")).active_since(SAMPLE)


def test_neuropathy_alone_is_not_active_with_diabetes() -> None:
    neuropathy = condition("polyneuropathy")
    assert signs(neuropathy).active_since(SAMPLE)
    assert not signs(neuropathy, condition("diabetes mellitus", "2010-01-01")).active_since(SAMPLE)


def test_an_explained_sign_is_present_and_not_active_after_a_cure() -> None:
    found = signs(condition("palpable purpura"), condition("anca vasculitis", "2020-01-01"))
    assert found.present
    assert found.triad == ()
    assert found.active_since(SAMPLE) == ()


def test_palpable_purpura_is_suggestive_in_an_adult_only() -> None:
    assert signs(condition("palpable purpura")).suggestive is True
    assert signs(condition("palpable purpura"), born="2012-01-01").suggestive is None


def test_two_groups_are_suggestive_where_one_is_major() -> None:
    assert signs(condition("skin ulcer"), condition("arthralgia")).suggestive is True
    assert not signs(condition("raynaud phenomenon"), condition("arthralgia")).suggestive


def test_a_sign_that_is_severe_beside_its_group_is_one_group() -> None:
    assert signs(condition("skin necrosis")).suggestive is None


def test_neuropathy_with_diabetes_is_no_group_of_its_own() -> None:
    forms = (condition("polyneuropathy"), condition("arthralgia"))
    assert signs(*forms).suggestive is True
    assert signs(*forms, condition("diabetes mellitus", "2010-01-01")).suggestive is None


def test_one_sign_is_suggestive_with_rheumatoid_factor_unless_it_is_explained() -> None:
    forms = (condition("skin ulcer"), lab("rheumatoid factor", 21))
    assert signs(*forms).suggestive is True
    assert signs(*forms, condition("rheumatoid arthritis", "2010-01-01")).suggestive is None


def test_sjogren_with_low_c4_is_suggestive_without_a_sign() -> None:
    sjogren = condition("sjogren syndrome", "2015-01-01")
    assert signs(sjogren, lab("complement c4", 0.09)).suggestive is True
    assert signs(sjogren, lab("complement c4", 0.10)).suggestive is False


def test_low_c4_of_six_months_with_active_purpura_is_strongly_suggestive() -> None:
    # 2025-07-31 + 6 months = 2026-01-31; a day older can no longer tell.
    purpura = condition("palpable purpura")
    c4 = "complement c4"
    assert signs(purpura, lab(c4, 0.05, "2025-07-31")).strongly_suggestive is True
    assert signs(purpura, lab(c4, 0.05, "2025-07-30")).strongly_suggestive is None
    assert signs(condition("skin ulcer"), lab(c4, 0.05)).strongly_suggestive is False


def test_a_low_c4_that_lupus_explains_is_not_strongly_suggestive() -> None:
    forms = (condition("palpable purpura"), lab("complement c4", 0.05))
    lupus = condition("systemic lupus erythematosus", "2010-01-01")
    assert signs(*forms, lupus).strongly_suggestive is False
