"""What a hook shows of a patient whose cards are known: open ones, new ones, never judged ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from cryovigil.adapters.ports import Record
from cryovigil.api.advice import advice
from cryovigil.api.problems import Problem
from cryovigil.cards.basis import BASIS
from cryovigil.lifecycle import CardState, Change, State
from cryovigil.rules import CannotTell, Quiet

NOW = datetime(2026, 1, 31, 13, tzinfo=UTC)
RECORD = Record("default|Patient/1", (), ("version-tie",))


def state(rule: str, kept: State = "open", summary: str = "kept") -> CardState:
    card: Mapping[str, Any] = {
        "summary": summary,
        "extension": {BASIS: {"rule": rule, "asOf": "2025-01-01T00:00:00Z"}},
    }
    return CardState(
        rule=rule,
        uuid=f"uuid-{rule}",
        episode=1,
        revision=1,
        state=kept,
        indicator="info",
        criteria=(),
        missing=(),
        anchors=(),
        card=card,
    )


class Story:
    """A journey that makes the given changes; `asked` keeps what it was asked with.

    failed: rules that raised; silenced: why the patient gets no cards.
    """

    def __init__(
        self, *changes: Change, failed: Sequence[str] = (), silenced: str | None = None
    ) -> None:
        self._changes = list(changes)
        self._assessed = SimpleNamespace(
            answers={
                "quiet": Quiet(),
                "untold": CannotTell(missing=("hcv-rna",)),
                **{rule: CannotTell(missing=("rule-failed",), failed=True) for rule in failed},
            },
            facts=SimpleNamespace(patient=SimpleNamespace(silenced=silenced)),
        )
        self.asked: list[Any] = []

    def assess(self, readings: Iterable[Any], as_of: datetime, incomplete: Iterable[str]) -> Any:
        self.asked.append((tuple(readings), as_of, tuple(incomplete)))
        return self._assessed

    def changes(
        self,
        assessed: Any,
        known: Iterable[CardState],
        patient: str,
        causes: Mapping[str, str],
    ) -> list[Change]:
        self.asked.append((tuple(known), patient, causes))
        return self._changes


def shown(story: Story, known: Sequence[CardState] = ()) -> dict[str, str]:
    """Rule and summary of each card."""
    cards = advice(story, RECORD, known, NOW)  # type: ignore[arg-type] # the two methods it calls
    return {card["extension"][BASIS]["rule"]: card["summary"] for card in cards}


def test_the_record_is_asked_as_of_now_with_what_is_wrong_with_it() -> None:
    story, known = Story(), (state("a"),)
    shown(story, known)
    assert story.asked == [((), NOW, ("version-tie",)), (known, "default|Patient/1", {})]


def test_an_open_card_that_nothing_changes_is_shown() -> None:
    assert shown(Story(), [state("a")]) == {"a": "kept"}


def test_a_judged_card_stays_away() -> None:
    assert shown(Story(), [state("a", "snoozed"), state("b", "closed")]) == {}


def test_a_judged_card_that_comes_back_is_shown() -> None:
    back = Change(kind="open", after=state("a", summary="fresh"), push=True)
    assert shown(Story(back), [state("a", "closed")]) == {"a": "fresh"}


def test_a_card_that_a_hook_is_the_first_to_see_is_shown() -> None:
    assert shown(Story(Change(kind="open", after=state("a"), push=True))) == {"a": "kept"}


def test_a_revision_takes_the_place_of_what_is_kept() -> None:
    revised = Change(kind="revise", after=state("a", summary="fresh"), push=False)
    assert shown(Story(revised), [state("a")]) == {"a": "fresh"}


def test_a_card_whose_basis_is_gone_is_not_shown() -> None:
    gone = Change(kind="retract", after=state("a", "retracted"), push=True, reason="outdated")
    assert shown(Story(gone), [state("a")]) == {}


def test_a_rule_that_failed_is_no_reason_to_show_fewer_cards() -> None:
    opened = Change(kind="open", after=state("b"), push=True)
    with pytest.raises(Problem) as refused:
        shown(Story(opened, failed=["a"]), [state("a", "snoozed")])
    assert refused.value.refusal.status == 500


def test_a_card_that_is_open_stays_while_its_rule_fails() -> None:
    assert shown(Story(failed=["a"]), [state("a")]) == {"a": "kept"}


def test_a_failing_rule_takes_nothing_from_a_patient_who_gets_no_cards() -> None:
    assert shown(Story(failed=["a"], silenced="deceased")) == {}


def test_every_card_says_the_instant_of_the_call_and_what_is_kept_is_left_alone() -> None:
    known = state("a")
    (card,) = advice(Story(), RECORD, [known], NOW)  # type: ignore[arg-type]
    assert card["extension"][BASIS]["asOf"] == "2026-01-31T13:00:00Z"
    assert known.card["extension"][BASIS]["asOf"] == "2025-01-01T00:00:00Z"
