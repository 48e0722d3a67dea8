"""From answers to changes of cards: what opens, revises, falls, and comes back once judged."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from cryovigil.lifecycle import (
    CardState,
    Change,
    Judgement,
    change,
    mint,
    next_episode,
    withdraw,
)
from cryovigil.rules import Answer, CannotTell, Fired, Quiet

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
FIRED = Fired(indicator="warning", criteria=("a",), evidence=())
SECRET = b"a site's own key"


def card(**basis: Any) -> dict[str, Any]:
    return {"summary": "s", "extension": {"org.cryovigil.basis": {"asOf": "2026", **basis}}}


def state(**members: Any) -> CardState:
    defaults: dict[str, Any] = {
        "rule": "r",
        "uuid": "u",
        "episode": 1,
        "revision": 1,
        "state": "open",
        "indicator": "warning",
        "criteria": ("a",),
        "missing": (),
        "anchors": ("Observation/1",),
        "card": card(),
    }
    return CardState(**{**defaults, **members})


def judged(kind: str, *, until: datetime | None = None) -> CardState:
    judgement = Judgement(
        criteria=("a",), indicator="warning", anchors=("Observation/1",), until=until
    )
    return state(state=kind, judgement=judgement)


def decide(known: CardState | None, answer: Answer, fresh: CardState | None) -> Change | None:
    return change(known, answer, fresh, reason="answered", as_of=NOW)


def test_a_rule_that_fires_opens_a_card() -> None:
    made = decide(None, FIRED, state())
    assert made is not None
    assert (made.kind, made.push) == ("open", True)


def test_the_same_card_at_a_later_instant_is_no_change() -> None:
    assert decide(state(), FIRED, state(card=card(asOf="2027"))) is None


@pytest.mark.parametrize(
    "news", [{"indicator": "critical"}, {"criteria": ("a", "b")}, {"missing": ("rna",)}]
)
def test_other_advice_is_a_revision_that_is_pushed(news: dict[str, Any]) -> None:
    made = decide(state(), FIRED, state(**news))
    assert made is not None
    assert (made.kind, made.push, made.after.revision) == ("revise", True, 2)


def test_other_evidence_alone_is_a_revision_that_is_not_pushed() -> None:
    made = decide(state(), FIRED, state(card=card(evidence=[{"reference": "Observation/2"}])))
    assert made is not None
    assert (made.kind, made.push) == ("revise", False)


@pytest.mark.parametrize("answer", [Quiet(), CannotTell(missing=("hcv rna",))])
def test_a_card_whose_rule_no_longer_fires_is_retracted(answer: Answer) -> None:
    made = decide(state(), answer, None)
    assert made is not None
    assert (made.kind, made.after.state, made.reason) == ("retract", "retracted", "answered")


def test_a_rule_that_failed_leaves_its_card_as_it_is() -> None:
    assert decide(state(), CannotTell(missing=("rule-failed",), failed=True), None) is None


@pytest.mark.parametrize("kind", ["retracted", "expired"])
def test_what_never_was_or_no_longer_is_a_card_does_not_fall(kind: str) -> None:
    assert decide(None, Quiet(), None) is None
    assert decide(state(state=kind), Quiet(), None) is None


@pytest.mark.parametrize("kind", ["retracted", "expired"])
def test_after_a_retraction_the_same_may_fire_again_as_a_new_episode(kind: str) -> None:
    known = state(state=kind)
    assert next_episode(known) == 2
    made = decide(known, FIRED, state(episode=2))
    assert made is not None
    assert made.kind == "open"


def test_a_judged_card_that_says_nothing_new_stays_judged() -> None:
    assert decide(judged("closed"), FIRED, state()) is None
    assert decide(judged("snoozed", until=NOW + timedelta(seconds=1)), FIRED, state()) is None


@pytest.mark.parametrize("kind", ["closed", "snoozed"])
@pytest.mark.parametrize(
    "news",
    [
        {"criteria": ("a", "b")},
        {"indicator": "critical"},
        {"anchors": ("Observation/1", "Observation/2")},
    ],
)
def test_worsening_or_a_new_determination_brings_a_judged_card_back(
    kind: str, news: dict[str, Any]
) -> None:
    known = judged(kind, until=NOW + timedelta(days=9) if kind == "snoozed" else None)
    made = decide(known, FIRED, state(**news))
    assert made is not None
    assert made.kind == "open"


def test_a_snooze_ends_on_its_date() -> None:
    assert decide(judged("snoozed", until=NOW), FIRED, state()) is not None


def test_a_snoozed_card_comes_back_under_its_uuid_and_a_closed_one_as_a_new_episode() -> None:
    assert next_episode(judged("snoozed")) == 1
    assert next_episode(judged("closed")) == 2


def test_revisions_go_on_where_a_snoozed_card_comes_back_under_its_uuid() -> None:
    """The delivery id is (card uuid, revision), and a receiver drops what it has seen."""
    snoozed = msgspec.structs.replace(judged("snoozed", until=NOW), revision=3)
    made = decide(snoozed, FIRED, state())
    assert made is not None
    assert (made.kind, made.after.uuid, made.after.revision) == ("open", "u", 4)


def test_revisions_begin_anew_with_a_new_episode() -> None:
    closed = msgspec.structs.replace(judged("closed"), revision=3)
    made = decide(closed, FIRED, state(uuid="v", episode=2, criteria=("a", "b")))
    assert made is not None
    assert (made.kind, made.after.uuid, made.after.revision) == ("open", "v", 1)


def test_a_delivered_card_is_retracted_even_where_it_was_closed() -> None:
    made = decide(judged("closed"), Quiet(), None)
    assert made is not None
    assert made.kind == "retract"


def test_a_card_that_is_withdrawn_says_so() -> None:
    made = withdraw(state())
    assert made is not None
    assert made.reason == "withdrawn"


def test_the_uuid_is_the_same_for_the_same_episode_and_another_for_any_other() -> None:
    first = mint(SECRET, "s|Patient/1", "r", 1)
    others = [
        mint(SECRET, "s|Patient/1", "r", 2),
        mint(SECRET, "s|Patient/1", "q", 1),
        mint(SECRET, "s|Patient/2", "r", 1),
        mint(b"another key", "s|Patient/1", "r", 1),
    ]
    assert mint(SECRET, "s|Patient/1", "r", 1) == first
    assert first not in others
    assert UUID(first).version == 8


def test_a_card_state_survives_storage() -> None:
    stored = msgspec.json.encode(judged("closed"))
    assert msgspec.json.decode(stored, type=CardState) == judged("closed")
