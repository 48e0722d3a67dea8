"""Competing diagnoses: what each explains, and until when."""

from __future__ import annotations

import pytest
from tests.support.cases import facts_of

from cryovigil.facts.explained import ITEMS


def explained_items(**condition: object) -> set[str]:
    by = facts_of([condition]).explained.by
    return {item for item in ITEMS if by[item]}


@pytest.mark.parametrize(
    ("condition", "items"),
    [
        ("systemic lupus erythematosus", {"c4"}),
        ("hereditary angioedema or c1 inhibitor deficiency", {"c4"}),
        ("cold agglutinin disease", {"c4"}),
        ("decompensated liver disease", {"c4"}),
        ("rheumatoid arthritis", {"rf"}),
        ("infective endocarditis", set(ITEMS)),
        ("endocarditis of unspecified cause", set(ITEMS)),
        ("endocarditis or valve disorder in another disease", set()),
        ("iga vasculitis", {"purpura", "leukocytoclastic vasculitis", "renal"}),
        ("anca vasculitis", {"purpura", "leukocytoclastic vasculitis", "renal"}),
        ("sjogren syndrome", set()),
    ],
)
def test_each_competing_diagnosis_explains_its_own_items(condition: str, items: set[str]) -> None:
    assert explained_items(condition=condition, onset="2020-01-01") == items


def test_a_resolved_lupus_explains_nothing() -> None:
    assert not explained_items(condition="systemic lupus erythematosus", clinical="resolved")


def test_a_differential_lupus_explains_nothing() -> None:
    assert not explained_items(
        condition="systemic lupus erythematosus", verification="differential"
    )


@pytest.mark.parametrize(
    "condition", ["infective endocarditis", "endocarditis of unspecified cause"]
)
def test_an_endocarditis_cured_twelve_months_ago_still_explains(condition: str) -> None:
    # "active or within 12 months": 2025-01-31 + 12 months is the as-of day, 2026-01-31.
    assert explained_items(condition=condition, onset="2024-12-01", abated="2025-01-31")


def test_an_endocarditis_cured_a_day_longer_ago_does_not() -> None:
    assert not explained_items(
        condition="infective endocarditis", onset="2024-12-01", abated="2025-01-30"
    )


def test_a_diagnosis_that_explains_several_items_is_named_once() -> None:
    facts = facts_of([{"condition": "infective endocarditis", "onset": "2026-01-01"}])
    assert [f.concept for f in facts.explained.diagnoses] == ["infective endocarditis"]
