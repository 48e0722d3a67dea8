"""Step 8. From answers to changes of the open cards: open, revise, retract.

One card a patient and rule may be open. A judged card (closed, snoozed) comes back only when it
has something new to say: a criterion, urgency or determination that was not judged. What changes
here is decided without any store: the card that is known, the answer, and the judgement are
arguments.
"""

from __future__ import annotations

import hashlib
import hmac
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import Struct

from cryovigil.cards.basis import BASIS
from cryovigil.rules import Answer, CannotTell, Fired

State: TypeAlias = Literal["open", "snoozed", "closed", "retracted", "expired"]
Reason: TypeAlias = Literal[
    "corrected", "entered-in-error", "deleted", "refuted", "answered", "outdated", "withdrawn"
]
_SEVERITY = {"info": 0, "warning": 1, "critical": 2}


class Judgement(Struct, frozen=True, kw_only=True):
    """What a clinician said of a card: the criteria, indicator and anchors that were judged.

    until: the end of a snooze; None for an accepted card.
    """

    criteria: tuple[str, ...]
    indicator: str
    anchors: tuple[str, ...]
    until: datetime | None = None


class CardState(Struct, frozen=True, kw_only=True):
    """The newest card of a patient and rule, as kept.

    anchors: the determinations of cryoglobulin and HCV RNA in its evidence, as references; card:
    the CDS Hooks card as a mapping; revision counts from 1 within an episode; judgement: None
    until someone judged it.
    """

    rule: str
    uuid: str
    episode: int
    revision: int
    state: State
    indicator: str
    criteria: tuple[str, ...]
    missing: tuple[str, ...]
    anchors: tuple[str, ...]
    card: Mapping[str, Any]
    judgement: Judgement | None = None

    @property
    def stands(self) -> bool:
        """Whether the episode goes on: open, or judged and not retracted."""
        return self.state in ("open", "snoozed", "closed")


class Change(Struct, frozen=True, kw_only=True):
    """One change of one card. `after` is what is kept from now on.

    kind: open (created at the EHR), revise (updated), retract; push: whether the EHR is told.
    """

    kind: Literal["open", "revise", "retract"]
    after: CardState
    push: bool
    reason: Reason | None = None


def mint(secret: bytes, patient: str, rule: str, episode: int) -> str:
    """The card's uuid: keyed, so that nobody without the secret can list patients by guessing.

    patient: the full identity `source|Patient/id` the card was first opened for.
    """
    text = f"{patient}|{rule}|{episode}".encode()
    digest = bytearray(hmac.new(secret, text, hashlib.sha256).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x80  # version 8: vendor defined (RFC 9562)
    digest[8] = digest[8] & 0x3F | 0x80
    return str(uuid.UUID(bytes=bytes(digest)))


def next_episode(known: CardState | None) -> int:
    """The episode a card that fires now belongs to: a new one unless the known one goes on."""
    if known is None:
        return 1
    if known.state in ("open", "snoozed"):
        return known.episode
    return known.episode + 1


def change(
    known: CardState | None,
    answer: Answer,
    fresh: CardState | None,
    *,
    reason: Reason,
    as_of: datetime,
) -> Change | None:
    """What the answer changes; None where nothing does.

    fresh: the card that the answer would open, None unless it fired; reason: why a card falls, if
    it does. A rule that failed changes nothing: its card stands until the rule can be asked again.
    """
    if isinstance(answer, CannotTell) and answer.failed:
        return None
    if not isinstance(answer, Fired) or fresh is None:
        return _fall(known, reason)
    if known is None or not known.stands:
        return Change(kind="open", after=fresh, push=True)
    if known.state == "open":
        return _revise(known, fresh)
    return _reopen(known, fresh) if _comes_back(known, fresh, as_of) else None


def withdraw(known: CardState) -> Change | None:
    """The card of a rule that was switched off, or of a patient who gets no cards any more."""
    return _fall(known, "withdrawn")


def _fall(known: CardState | None, reason: Reason) -> Change | None:
    if known is None or not known.stands:
        return None
    after = msgspec.structs.replace(known, state="retracted", revision=known.revision + 1)
    return Change(kind="retract", after=after, push=True, reason=reason)


def _revise(known: CardState, fresh: CardState) -> Change | None:
    if _advice(known) == _advice(fresh) and _text(known.card) == _text(fresh.card):
        return None
    after = msgspec.structs.replace(fresh, revision=known.revision + 1)
    return Change(kind="revise", after=after, push=_advice(known) != _advice(fresh))


def _reopen(known: CardState, fresh: CardState) -> Change:
    """Within an episode revisions go on: the EHR tells a repeat by uuid and revision."""
    revision = known.revision + 1 if fresh.uuid == known.uuid else 1
    after = msgspec.structs.replace(fresh, revision=revision)
    return Change(kind="open", after=after, push=True)


def _advice(state: CardState) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    return state.indicator, state.criteria, state.missing


def _text(card: Mapping[str, Any]) -> dict[str, Any]:
    """The card apart from asOf, which alone is no reason for a revision."""
    basis = {name: value for name, value in card["extension"][BASIS].items() if name != "asOf"}
    return {**card, "extension": {**card["extension"], BASIS: basis}}


def _comes_back(known: CardState, fresh: CardState, as_of: datetime) -> bool:
    judged = known.judgement
    if judged is None:
        return True
    if judged.until is not None and judged.until <= as_of:
        return True
    return (
        bool(set(fresh.criteria) - set(judged.criteria))
        or _SEVERITY[fresh.indicator] > _SEVERITY[judged.indicator]
        or bool(set(fresh.anchors) - set(judged.anchors))
    )
