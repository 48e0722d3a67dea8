"""The dead letters of one record: its bytes once, and no more letters than patients need."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cryovigil.adapters.letters import ANONYMOUS, REST, Letters
from cryovigil.adapters.ports import DeadLetter
from cryovigil.errors import Unreadable

RECORD = DeadLetter(
    topic="t",
    partition=1,
    offset=9,
    reason="no-subject",
    key=b"k",
    value=b"{}",
    headers=(("h", b"v"),),
    at=datetime(2026, 6, 1, tzinfo=UTC),
)


@pytest.fixture
def letters() -> Letters:
    return Letters(RECORD)


def add(letters: Letters, patient: str | None = None) -> DeadLetter | None:
    return letters.add(Unreadable("no-subject", patient), "lab")


def test_only_the_first_letter_keeps_the_record(letters: Letters) -> None:
    first, second = add(letters), add(letters)
    assert first == RECORD
    assert second is not None
    assert (second.key, second.value, second.headers, second.part) == (None, None, (), 1)
    assert (second.topic, second.partition, second.offset) == ("t", 1, 9)


def test_as_many_entries_as_the_limit_have_a_letter_each(letters: Letters) -> None:
    assert all(add(letters) for _ in range(ANONYMOUS))
    assert letters.rest is None


def test_entries_above_the_limit_are_counted_in_one_letter(letters: Letters) -> None:
    written = [letter for _ in range(ANONYMOUS + 2) if (letter := add(letters))]
    assert len(written) == ANONYMOUS
    rest = letters.rest
    assert rest is not None
    assert (rest.reason, rest.entries, rest.part, rest.value) == (REST, 2, ANONYMOUS, None)


def test_each_patient_has_a_letter_also_above_the_limit(letters: Letters) -> None:
    """Their data are incomplete, and their cards have to say so."""
    for _ in range(ANONYMOUS):
        add(letters)
    told = [add(letters, patient) for patient in ("Patient/a", "Patient/b", "Patient/a")]
    assert [letter is not None for letter in told] == [True, True, False]
    rest = letters.rest
    assert rest is not None
    assert rest.entries == 1
