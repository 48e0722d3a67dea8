"""Step 6. The three answers a rule may give, and the figures it hands to the card.

A rule is one module with `ID` and `answer(facts, p)`: facts in, one answer out. It reads no clock,
holds no number (its parameters are in mappings/rules, same stem) and writes no text (the card text
is there too). Missing data is never a no.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Literal, Protocol, TypeAlias

from msgspec import Struct

from cryovigil.facts import Facts
from cryovigil.normalize.readings import AnyReading, Result, When

Indicator: TypeAlias = Literal["info", "warning", "critical"]
Parameters: TypeAlias = Mapping[str, float]


class Word(Struct, frozen=True):
    """A word of the rule file's own list (`words`), so that the text can be in any language."""

    key: str


class Measured(Struct, frozen=True):
    """A result with its own range, where it reports one, and its date."""

    result: Result


class Since(Struct, frozen=True):
    """What dates something, and under which name. when: None where nothing does."""

    how: Literal["since", "recorded", "last-updated", "seen"]
    when: When | None


Figure: TypeAlias = (
    "str | int | float | date | When | Word | Result | Measured | Since | tuple[Figure, ...] | None"
)
"""What a card template may show. A Result shows its value as reported, with unit; a When is as
exact as it was written; a tuple is joined by commas; None means there is nothing to say, and the
line or bracket is left out."""


class Fired(Struct, frozen=True, kw_only=True):
    """The rule applies.

    criteria: names of what was met, in the order of the module's docstring; evidence: the readings
    it rests on; missing: concept names still wanted; figures: what the card text shows.
    """

    indicator: Indicator
    criteria: tuple[str, ...]
    evidence: tuple[AnyReading, ...]
    missing: tuple[str, ...] = ()
    figures: Mapping[str, Figure] = {}


class Quiet(Struct, frozen=True, kw_only=True):
    """The rule was asked with enough data and does not apply. because: why, as criteria names."""

    because: tuple[str, ...] = ()
    evidence: tuple[AnyReading, ...] = ()


class CannotTell(Struct, frozen=True, kw_only=True):
    """Data that decide are missing. failed: the rule raised, which is ours to mend."""

    missing: tuple[str, ...]
    evidence: tuple[AnyReading, ...] = ()
    failed: bool = False


Answer: TypeAlias = Fired | Quiet | CannotTell


class Rule(Protocol):
    """What a rule module offers."""

    ID: str

    def answer(self, facts: Facts, p: Parameters, /) -> Answer:
        """The answer for one patient at one instant."""
        ...
