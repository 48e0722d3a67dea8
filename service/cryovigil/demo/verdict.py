"""Holds what the EHR received against what the stories say it must hold."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from cryovigil.demo.inbox import Inbox, Received
from cryovigil.demo.patients import Expected, Story


class Difference(Struct, frozen=True):
    """A card that is not as it must be. expected, received: in words, for a table."""

    patient: str
    rule: str
    expected: str
    received: str


def waiting_for(stories: Iterable[Story], inbox: Inbox) -> list[Difference]:
    """What has not come yet, or is not yet as it must be at the end."""
    return [
        Difference(story.patient, card.rule, _wanted(card), _held(held))
        for story in stories
        for card in story.cards
        if not _as_expected(card, held := inbox.of(story.patient, card.rule))
    ]


def unexpected(stories: Iterable[Story], inbox: Inbox) -> list[Difference]:
    """Cards that nobody expects, of these patients or of others."""
    expected = {(story.patient, card.rule) for story in stories for card in story.cards}
    cards = [
        Difference(card.patient, card.rule, "no card", _held(card))
        for card in inbox.cards.values()
        if (card.patient, card.rule) not in expected
    ]
    return cards + [Difference("", "", "no such event", stray) for stray in inbox.strays]


def history_told(story: Story, inbox: Inbox) -> bool:
    """Whether the EHR has what the first part of the story must bring, so that the later may go."""
    return all(
        card.comes_with == "later" or inbox.of(story.patient, card.rule) is not None
        for card in story.cards
    )


def _as_expected(card: Expected, held: Received | None) -> bool:
    return (
        held is not None
        and held.state == card.state
        and held.card["indicator"] == card.indicator
        and (not card.updated or "updated" in held.kinds)
    )


def _wanted(card: Expected) -> str:
    return f"{card.indicator}, {card.state}" + (", updated" if card.updated else "")


def _held(card: Received | None) -> str:
    if card is None:
        return "nothing"
    return f"{card.card['indicator']}, {card.state} ({', '.join(card.kinds)})"
