"""How a figure of an answer reads in a card: plain numbers, ISO dates, results as reported.

A date is as exact as it was written: a year alone is no first of January.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import TypeAlias

from cryovigil.normalize.readings import Result, When
from cryovigil.rules import Figure, Measured, Since, Word
from cryovigil.rules.files import Language

# Makes text of the record harmless: record_text.markdown or record_text.plain.
Harmless: TypeAlias = Callable[[str], str]
Words: TypeAlias = Mapping[str, Mapping[Language, str]]

_WHOLE_YEAR = "%Y"
_WHOLE_MONTH = "%Y-%m"
_RANGE: Mapping[Language, str] = {"en": "range", "fr": "normes"}
_SINCE: Mapping[str, Mapping[Language, str]] = {
    "since": {"en": "since {}", "fr": "depuis {}"},
    "recorded": {"en": "(recorded {})", "fr": "(enregistré {})"},
    "last-updated": {"en": "(last updated {})", "fr": "(modifié {})"},
    "seen": {"en": "(seen {})", "fr": "(constaté {})"},
}
_DATE_UNKNOWN: Mapping[Language, str] = {"en": "(date unknown)", "fr": "(date inconnue)"}


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
        case When():
            return day_text(figure)
        case Result():
            return harmless(result_text(figure)) or None
        case Measured(result):
            return _measured_text(result, language, harmless)
        case Since():
            return since_text(figure, language)
        case _:
            texts = (figure_text(each, words, language, harmless) for each in figure)
            return ", ".join(text for text in texts if text) or None


def _measured_text(result: Result, language: Language, harmless: Harmless) -> str | None:
    """`0.04 g/L (range 0.1 g/L to 0.4 g/L, 2026-01-10)`."""
    value = harmless(result_text(result))
    if not value:
        return None
    given = f"{_RANGE[language]} {harmless(result.shown_range)}" if result.shown_range else None
    beside = ", ".join(filter(None, (given, day_text(result.when) if result.when else None)))
    return f"{value} ({beside})" if beside else value


def since_text(since: Since, language: Language) -> str:
    """`since 2025`; an edit of the record is no beginning, and says what it is."""
    if since.when is None:
        return _DATE_UNKNOWN[language]
    return _SINCE[since.how][language].format(day_text(since.when))


def day_text(known: When) -> str:
    """A day, or the month or year that was all that is known."""
    if known.earliest == known.latest:
        return known.latest.isoformat()
    month_alone = known.earliest.month == known.latest.month
    return known.earliest.strftime(_WHOLE_MONTH if month_alone else _WHOLE_YEAR)


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
