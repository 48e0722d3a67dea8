"""The ladder of suspicion, and what was established on a day of the past."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace
from tests.support.cases import ZONE, Form, facts_from, facts_of, readings_of

from cryovigil.facts import Facts
from cryovigil.facts.cryovas import established_at, ever_established
from cryovigil.normalize.readings import Finding, When
from cryovigil.normalize.times import place
from cryovigil.timeline import Timeline

ULCER = {"condition": "skin ulcer", "onset": "2026-01-05"}
PURPURA = {"condition": "palpable purpura", "onset": "2026-01-05"}
LOW_C4 = {"concept": "complement c4", "on": "2026-01-10", "value": 0.04}


def cryoglobulin(on: str = "2026-01-10", value: float = 0.4) -> Form:
    return {"concept": "cryoglobulin quantity", "on": on, "value": value}


NEGATIVE = {"concept": "cryoglobulin presence", "on": "2026-01-10", "word": "negative"}
KNOWN = {"condition": "cryoglobulinemic vasculitis", "onset": "2020-01-01"}


@pytest.mark.parametrize(
    ("forms", "level"),
    [
        ([KNOWN], "known-diagnosis"),
        ([{**KNOWN, "clinical": "remission"}], "known-diagnosis"),
        ([{**KNOWN, "clinical": "resolved"}], "not-supported"),
        ([ULCER, LOW_C4, cryoglobulin("2025-12-01"), cryoglobulin()], "likely"),
        ([ULCER, LOW_C4, cryoglobulin()], "likely-provisional"),
        ([ULCER, cryoglobulin()], "possible"),
        ([ULCER, LOW_C4, cryoglobulin(value=0.05)], "possible"),
        ([LOW_C4, cryoglobulin()], "cryoglobulinemia-only"),
        ([PURPURA, NEGATIVE], "suspect-repeat-cryo"),
        ([PURPURA], "insufficient-data"),
        ([PURPURA, {**NEGATIVE, "status": "preliminary"}], "insufficient-data"),
        ([{"condition": "arthralgia", "onset": "2026-01-05"}, NEGATIVE], "not-supported"),
        ([], "not-supported"),
    ],
)
def test_the_first_level_that_applies(forms: list[Form], level: str) -> None:
    assert facts_of(forms).cryovas.level == level


def test_a_last_positive_of_24_months_ago_still_makes_it_likely() -> None:
    # 2024-01-31 + 24 months = 2026-01-31; the day before is older.
    late, early = cryoglobulin("2024-01-31"), cryoglobulin("2024-01-30")
    assert facts_of([ULCER, LOW_C4, late]).cryovas.level == "likely-provisional"
    assert facts_of([ULCER, LOW_C4, early]).cryovas.level == "possible"


def test_an_explained_sign_does_not_fill_the_triad() -> None:
    anca = {"condition": "anca vasculitis", "onset": "2020-01-01"}
    assert facts_of([PURPURA, LOW_C4, cryoglobulin(), anca]).cryovas.level == "possible"


PAST = (
    {"concept": "complement c4", "on": "2020-03-01", "value": 0.04},
    cryoglobulin("2020-03-01"),
)


def test_a_sign_that_is_over_now_established_it_then() -> None:
    sign = {"condition": "skin ulcer", "onset": "2020-02-01", "abated": "2020-06-01"}
    facts = facts_of([*PAST, sign])
    assert established_at(facts, date(2020, 3, 1))
    assert not facts.cryovas.established


def test_a_sign_that_had_abated_by_then_established_nothing() -> None:
    sign = {"condition": "skin ulcer", "onset": "2020-02-01", "abated": "2020-03-01"}
    assert not established_at(facts_of([*PAST, sign]), date(2020, 3, 1))


def test_a_sign_that_came_later_established_nothing_then() -> None:
    sign = {"condition": "skin ulcer", "onset": "2020-03-02"}
    assert not established_at(facts_of([*PAST, sign]), date(2020, 3, 1))


def test_a_sign_of_the_day_itself_established_it() -> None:
    sign = {"condition": "skin ulcer", "onset": "2020-03-01"}
    assert established_at(facts_of([*PAST, sign]), date(2020, 3, 1))


def recorded_in_2024(onset: str, **more: object) -> Facts:
    """The past cryoglobulin and C4, and a Condition written down four years later."""
    form = {"condition": "skin ulcer", "onset": onset, "recorded": "2024-01-01", **more}
    written = place(When(date(2024, 1, 1), date(2024, 1, 1)), ZoneInfo(ZONE))
    return facts_from(
        Timeline(
            replace(r, at=written) if isinstance(r, Finding) else r
            for r in readings_of([*PAST, form])
        )
    )


def test_a_sign_that_was_recorded_later_established_it_by_its_onset() -> None:
    # "when a sign with an onset before that day counts unless abated by then".
    assert established_at(recorded_in_2024("2020-02-01", clinical="resolved"), date(2020, 3, 1))
    assert not established_at(recorded_in_2024("2020-02-01", abated="2020-02-20"), date(2020, 3, 1))
    assert not established_at(recorded_in_2024("2020-03-02"), date(2020, 3, 1))


def test_a_sign_without_any_date_established_nothing_in_the_past() -> None:
    assert not established_at(facts_of([*PAST, {"condition": "skin ulcer"}]), date(2020, 3, 1))


def test_what_accounted_for_a_sign_that_day_accounts_for_it_now() -> None:
    # "purpura (not with platelets < 100 G/L in the latest count within 30 days)".
    purpura = {"condition": "palpable purpura", "onset": "2020-02-20", "clinical": "resolved"}
    few = {"concept": "platelets", "on": "2020-02-25", "value": 40}
    many = {"concept": "platelets", "on": "2026-01-20", "value": 200}
    assert established_at(facts_of([*PAST, purpura, many]), date(2020, 3, 1))
    assert not established_at(facts_of([*PAST, purpura, few, many]), date(2020, 3, 1))


def test_a_diagnosis_that_accounted_for_a_sign_then_may_be_over_now() -> None:
    # "skin ulcer (not with venous, arterial or diabetic ulcer on the list)".
    ulcer = {"condition": "skin ulcer", "onset": "2020-02-01"}
    venous = {"condition": "venous ulcer", "onset": "2019-01-01"}
    assert not established_at(
        facts_of([*PAST, ulcer, {**venous, "abated": "2020-06-01"}]), date(2020, 3, 1)
    )
    assert established_at(
        facts_of([*PAST, ulcer, {**venous, "abated": "2020-02-20"}]), date(2020, 3, 1)
    )


def test_a_diagnosis_that_came_later_accounts_for_nothing_then() -> None:
    ulcer = {"condition": "skin ulcer", "onset": "2020-02-01"}
    venous = {"condition": "venous ulcer", "onset": "2021-01-01"}
    assert established_at(facts_of([*PAST, ulcer, venous]), date(2020, 3, 1))


def test_what_was_established_then_says_what_it_rests_on() -> None:
    sign = {"condition": "skin ulcer", "onset": "2020-02-01", "abated": "2020-06-01"}
    later = {"concept": "complement c4", "on": "2026-01-10", "value": 0.3}
    found = established_at(facts_of([*PAST, sign, later]), date(2020, 3, 1))
    assert found is not None
    assert found.sign is not None
    assert found.c4 is not None
    assert found.positive is not None
    assert (found.sign.concept, found.c4.value, found.positive.quantity) == (
        "skin ulcer",
        0.04,
        0.4,
    )


def test_of_several_days_the_latest_that_was_established_counts() -> None:
    # 2020-03-01 with the ulcer, 2021-03-01 after it had abated.
    sign = {"condition": "skin ulcer", "onset": "2020-02-01", "abated": "2020-06-01"}
    found = ever_established(facts_of([*PAST, cryoglobulin("2021-03-01", 0.9), sign]))
    assert found is not None
    assert found.positive is not None
    assert found.positive.quantity == 0.4


def test_what_was_never_complete_was_never_established() -> None:
    assert ever_established(facts_of([*PAST])) is None
