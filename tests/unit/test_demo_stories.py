"""The demo's stories, asked of the core alone: what each part brings, and nothing on the way."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time
from functools import cache

import msgspec
import pytest

from cryovigil.cli.evaluate import evaluated
from cryovigil.cli.evaluate_core import JourneyCore, load_core
from cryovigil.demo.patients import Story, stories
from cryovigil.demo.resources import Resource
from cryovigil.facts.coverage import NONE

NOW = datetime.now(UTC)
# The service may run at any hour of the day that the stories are dated by.
INSTANTS = [datetime.combine(NOW.date(), time(hour, 1), UTC) for hour in (0, 23)]
CAST = stories(NOW.date())


@cache
def core() -> JourneyCore:
    return load_core(NONE)


def fired(sent: Sequence[Resource], instant: datetime) -> set[tuple[str, str]]:
    """Rule and indicator of every card."""
    records = [("demo", msgspec.json.encode(resource)) for resource in sent]
    report = evaluated(core(), records, instant)
    cards = [card for patient in report["patients"] for card in patient["cards"]]
    return {(card["source"]["topic"]["code"], card["indicator"]) for card in cards}


def titled(story: Story) -> str:
    return story.title


@pytest.mark.parametrize("instant", INSTANTS, ids=["just after midnight", "late"])
@pytest.mark.parametrize("story", CAST, ids=titled)
def test_at_the_end_the_open_cards_are_the_expected_ones(story: Story, instant: datetime) -> None:
    expected = {(c.rule, c.indicator) for c in story.cards if c.state == "open"}
    assert fired([*story.history, *story.later], instant) == expected


@pytest.mark.parametrize("story", CAST, ids=titled)
def test_the_history_brings_every_card_that_the_later_part_waits_for(story: Story) -> None:
    expected = {c.rule for c in story.cards if c.comes_with == "history"}
    assert {rule for rule, _ in fired(story.history, INSTANTS[0])} == expected


@pytest.mark.parametrize("story", CAST, ids=titled)
def test_no_other_card_comes_and_goes_on_the_way(story: Story) -> None:
    sent = [*story.history, *story.later]
    on_the_way = {
        rule for length in range(1, len(sent)) for rule, _ in fired(sent[:length], INSTANTS[0])
    }
    assert on_the_way <= {card.rule for card in story.cards}
