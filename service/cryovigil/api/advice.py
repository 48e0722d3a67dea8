"""The journey for a hook: what a clinician who opens this patient now should see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cryovigil.adapters.ports import Record
    from cryovigil.journey import Journey
    from cryovigil.lifecycle import CardState

BASIS = "org.cryovigil.basis"
_SEVERITY = {"critical": 0, "warning": 1, "info": 2}


def advice(
    journey: Journey, record: Record, known: Sequence[CardState], as_of: datetime
) -> list[dict[str, Any]]:
    """The cards that are open once the record is asked as of now; nothing is kept or pushed.

    A card that is open keeps its uuid, one that was judged stays away until it comes back.
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
    return [_as_of(card, as_of) for card in shown.values()]


def place(card: Mapping[str, Any]) -> tuple[int, str]:
    """Where a card stands in an answer: critical, warning, info; then by rule."""
    return _SEVERITY[card["indicator"]], card["source"]["topic"]["code"]


def _as_of(card: Mapping[str, Any], instant: datetime) -> dict[str, Any]:
    """The card, said to hold at this instant: an unchanged one was written down earlier."""
    said = instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
    basis = {**card["extension"][BASIS], "asOf": said}
    return {**card, "extension": {**card["extension"], BASIS: basis}}
