"""How a figure of an answer reads in a card: plain numbers, ISO dates, results as reported."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import TypeAlias

from cryovigil.normalize.readings import Result
from cryovigil.rules import Figure, Word
from cryovigil.rules.files import Language

# Makes text of the record harmless: record_text.markdown or record_text.plain.
Harmless: TypeAlias = Callable[[str], str]
Words: TypeAlias = Mapping[str, Mapping[Language, str]]


def figure_text(figure: Figure, words: Words, language: Language, harmless: Harmless) -> str | None:
    """What the card shows; None where there is nothing to say, or no word for it."""
    match figure:
        case None | "" | ():
            return None
        case Word(key):
            return words.get(key, {}).get(language)
        case str():
            return harmless(figure) or None
        case date():
            return figure.isoformat()
        case int() | float():
            return number_text(figure)
        case Result():
            return harmless(result_text(figure)) or None
        case _:
            texts = (figure_text(each, words, language, harmless) for each in figure)
            return ", ".join(text for text in texts if text) or None


def number_text(number: float) -> str:
    """Without float noise or exponent: 0.12, 800000."""
    return f"{Decimal(f'{number:.12g}'):f}"


def result_text(result: Result) -> str:
    """As reported; where nothing of it was kept, the value or word it was read as."""
    if result.shown:
        return result.shown
    if result.value is not None:
        return f"{result.comparator or ''}{number_text(result.value)} {result.unit}".rstrip()
    return result.word or result.kind or result.flag or ""
