"""Age, pregnancy, and whether cards may be shown."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from tests.support.cases import facts_of

from cryovigil.facts.patient import Patient


def patient(*readings: Any, born: date | None = None) -> Patient:
    return facts_of(list(readings), as_of="2026-01-31", born=born).patient


@pytest.mark.parametrize(
    ("born", "adult", "age"), [(date(2008, 1, 31), True, 18), (date(2008, 2, 1), False, 17)]
)
def test_a_patient_is_adult_from_the_18th_birthday(born: date, adult: bool, age: int) -> None:
    found = patient(born=born)
    assert found.adult is adult
    assert found.age == age


def test_an_unknown_age_is_read_as_adult_and_known_to_be_unknown() -> None:
    found = patient()
    assert found.adult
    assert not found.age_known


def test_the_18th_birthday_changes_the_answer_by_itself() -> None:
    facts = facts_of([], as_of="2026-01-31", born=date(2008, 2, 1))
    assert not facts.patient.adult
    assert facts.as_of.changes_at is not None
    assert facts.as_of.changes_at.date() == date(2026, 2, 1)


# 42 weeks are 294 days: 2025-04-12 is 294 days before 2026-01-31, 2025-04-11 is 295.
@pytest.mark.parametrize(("onset", "pregnant"), [("2025-04-12", True), ("2025-04-11", False)])
def test_an_active_pregnancy_counts_for_42_weeks(onset: str, pregnant: bool) -> None:
    assert patient({"condition": "pregnancy", "onset": onset}).pregnant is pregnant


@pytest.mark.parametrize(
    "more", [{"clinical": "resolved"}, {"verification": "refuted"}, {"abated": "2025-12-01"}]
)
def test_a_pregnancy_that_is_over_or_refuted_does_not_count(more: dict[str, str]) -> None:
    assert not patient({"condition": "pregnancy", "onset": "2025-10-01", **more}).pregnant


def test_the_latest_pregnancy_status_counts() -> None:
    yes = {"concept": "pregnancy status", "on": "2025-11-01", "word": "positive"}
    no = {"concept": "pregnancy status", "on": "2026-01-20", "word": "negative"}
    assert patient(yes).pregnant
    assert not patient(yes, no).pregnant


def test_of_a_birth_year_the_last_day_is_taken() -> None:
    # 2008 may be 2008-12-31: no adult figure before 2026-12-31.
    found = facts_of([], as_of="2026-01-31", born="2008").patient
    assert not found.adult
    assert found.age == 17


def test_a_dead_patient_is_silenced() -> None:
    assert facts_of([], deceased=True).patient.silenced == "deceased"
    assert facts_of([]).patient.silenced is None
