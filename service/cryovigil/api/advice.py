"""The journey for a hook: what a clinician who opens this patient now should see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from cryovigil.api.problems import RULE_FAILED, Problem
from cryovigil.cards.basis import BASIS, instant_text
from cryovigil.rules import CannotTell

if TYPE_CHECKING:
    from cryovigil.adapters.ports import Record
    from cryovigil.journey import Assessed, Journey
    from cryovigil.lifecycle import CardState

_SEVERITY = {"critical": 0, "warning": 1, "info": 2}


def advice(
    journey: Journey, record: Record, known: Sequence[CardState], as_of: datetime
) -> list[dict[str, Any]]:
    """The cards that are open once the record is asked as of now; nothing is kept or pushed.

    A card that is open keeps its uuid, one that was judged stays away until it comes back. Raises
    Problem where a rule failed that has no open card: nobody knows whether it would have one.
    """
    assessed = journey.assess(record.readings, as_of, record.incomplete)
    shown: dict[str, Mapping[str, Any]] = {
        state.rule: state.card for state in known if state.state == "open"
    }
    for change in journey.changes(assessed, known, record.identity, {}):
        if change.kind == "retract":
            shown.pop(change.after.rule, None)
        else:
            shown[change.after.rule] = change.after.card
    if assessed.facts.patient.silenced is None and _failed(assessed) - shown.keys():
        raise Problem(RULE_FAILED)
    return [_as_of(card, as_of) for card in shown.values()]


def _failed(assessed: Assessed) -> set[str]:
    """The rules that raised."""
    answers = assessed.answers.items()
    return {rule for rule, answer in answers if isinstance(answer, CannotTell) and answer.failed}


def place(card: Mapping[str, Any]) -> tuple[int, str]:
    """Where a card stands in an answer: critical, warning, info; then by rule."""
    return _SEVERITY[card["indicator"]], card["source"]["topic"]["code"]


def _as_of(card: Mapping[str, Any], instant: datetime) -> dict[str, Any]:
    """The card, said to hold at this instant: an unchanged one was written down earlier."""
    basis = {**card["extension"][BASIS], "asOf": instant_text(instant)}
    return {**card, "extension": {**card["extension"], BASIS: basis}}
