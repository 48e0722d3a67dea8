"""The frozen bytes the EHR is owed, and how a change is announced."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from cryovigil.lifecycle import CardState, Change
from cryovigil.outbox import Superseded, cloud_event, delivery_id, kind_of

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
NOTHING = Superseded(created=False, attempted=False)
UNSENT = Superseded(created=True, attempted=False)
ATTEMPTED = Superseded(created=False, attempted=True)


def made(kind: Any, **members: Any) -> Change:
    after = CardState(
        rule="r",
        uuid="u-1",
        episode=1,
        revision=3,
        state="open",
        indicator="info",
        criteria=(),
        missing=(),
        anchors=(),
        card={"uuid": "u-1", "summary": "s"},
    )
    return Change(kind=kind, after=after, push=True, **members)


@pytest.mark.parametrize(
    ("kind", "earlier", "announced"),
    [
        ("open", NOTHING, "created"),
        ("revise", ATTEMPTED, "updated"),
        # The EHR never heard of the opening: its successor announces it.
        ("revise", UNSENT, "created"),
        ("retract", ATTEMPTED, "retracted"),
        ("retract", UNSENT, None),
    ],
)
def test_how_a_change_is_announced(kind: str, earlier: Superseded, announced: str | None) -> None:
    assert kind_of(made(kind), earlier) == announced


def event(change: Change, kind: Any) -> dict[str, Any]:
    body = cloud_event(
        change, kind, source="urn:cryovigil", subject="Patient/1", sequence=7, time=NOW
    )
    decoded: dict[str, Any] = json.loads(body)
    return decoded


def test_a_card_travels_as_a_structured_cloud_event() -> None:
    sent = event(made("open"), "created")
    assert sent["specversion"] == "1.0"
    assert sent["type"] == "org.cryovigil.card.created.v1"
    assert (sent["id"], sent["subject"]) == ("u-1.3", "Patient/1")
    assert sent["data"] == {"cards": [{"uuid": "u-1", "summary": "s"}]}


def test_a_retraction_names_the_card_and_the_reason_and_shows_no_card() -> None:
    data = event(made("retract", reason="corrected"), "retracted")["data"]
    assert data["cards"] == []
    assert data["extension"]["org.cryovigil.retracted"] == {"uuid": "u-1", "reason": "corrected"}


def test_the_same_change_gives_the_same_bytes() -> None:
    change = made("open")
    first, second = (
        cloud_event(change, "created", source="s", subject="Patient/1", sequence=1, time=NOW)
        for _ in range(2)
    )
    assert first == second


def test_the_sequence_sorts_as_text_like_a_number() -> None:
    texts = [
        json.loads(
            cloud_event(made("open"), "created", source="s", subject="p", sequence=number, time=NOW)
        )["sequence"]
        for number in (9, 10, 100)
    ]
    assert texts == sorted(texts)


def test_each_revision_has_an_id_of_its_own() -> None:
    assert delivery_id(made("open")) == "u-1.3"
