"""The type of a cryoglobulin as a report words it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal, TypeAlias

from msgspec import Struct

from cryovigil.normalize.phrases import unaccented

Numbered: TypeAlias = Literal["I", "II", "III"]
CryoglobulinType: TypeAlias = Numbered | Literal["mixed"]

# Longer texts are comments, and comments are not read.
_LONGEST = 120
_TOKEN = re.compile(r"ig[agm]|\w+|\S")
_SEPARATORS = frozenset("+/,.:;()-'")
_MIXED: frozenset[Numbered] = frozenset({"II", "III"})


class TypeVocabulary(Struct, frozen=True, forbid_unknown_fields=True):
    """values/cryoglobulin-type.yaml: each word a report may use, by what it says."""

    source: str
    type: tuple[str, ...]
    numerals: Mapping[Numbered, tuple[str, ...]]
    mixed: tuple[str, ...]
    heavy: tuple[str, ...]
    light: tuple[str, ...]
    monoclonal: tuple[str, ...]
    polyclonal: tuple[str, ...]
    filler: tuple[str, ...]


class _Composition(Struct, frozen=True):
    """What immunoglobulins make. alone: the type where none is named; fits: those they allow.

    A type II is often reported by its monoclonal half alone, "Type II, IgM kappa".
    """

    alone: Numbered | None
    fits: frozenset[Numbered]


_NOTHING = _Composition(None, frozenset())


class TypeReader:
    """Reads the texts whose every word is in the vocabulary."""

    def __init__(self, vocabulary: TypeVocabulary) -> None:
        self._meaning = {
            word: meaning
            for meaning in ("type", "mixed", "heavy", "light", "monoclonal", "polyclonal", "filler")
            for word in getattr(vocabulary, meaning)
        }
        self._numerals = {
            word: name for name, words in vocabulary.numerals.items() for word in words
        }
        self._meaning |= dict.fromkeys(self._numerals, "numeral")

    def read(self, text: str) -> CryoglobulinType | None:
        """The type, or None where the text says none, or two that contradict each other.

        An ampersand may be all that is left of a second half that was cut off: None.
        """
        if len(text) > _LONGEST:
            return None
        tokens = [token for token in _TOKEN.findall(unaccented(text)) if token not in _SEPARATORS]
        meanings = [self._meaning.get(token, "") for token in tokens]
        named = self._named(tokens, meanings)
        if "" in meanings or named is None:
            return None
        composed = _composition(tokens, meanings)
        if not named:
            return composed.alone
        return _only(named & composed.fits if composed.fits else named)

    def _named(self, tokens: list[str], meanings: list[str]) -> frozenset[Numbered] | None:
        """The types named in so many words; None where they contradict each other.

        A numeral counts behind "type", behind another one, or where the text holds nothing else.
        """
        bare = all(token in self._numerals and not token.isdecimal() for token in tokens)
        numerals: set[Numbered] = set()
        for index, token in enumerate(tokens):
            if token not in self._numerals:
                continue
            if not bare and (index == 0 or meanings[index - 1] not in ("type", "numeral")):
                return None
            numerals.add(self._numerals[token])
        if "mixed" not in meanings:
            return None if len(numerals) > 1 and numerals != _MIXED else frozenset(numerals)
        return (_MIXED & numerals or None) if numerals else _MIXED


def _composition(tokens: list[str], meanings: list[str]) -> _Composition:
    """What the immunoglobulins make: nothing where none are named, or where it stays unclear."""
    heavy = {token for token, meaning in zip(tokens, meanings, strict=True) if meaning == "heavy"}
    light = meanings.count("light")
    polyclonal = "polyclonal" in meanings
    monoclonal = "monoclonal" in meanings or (light == 1 and bool(heavy))
    if light > 1:
        return _NOTHING
    if monoclonal and polyclonal:
        return _Composition("II", frozenset({"II"}))
    if polyclonal:
        return _Composition("III", _MIXED)
    if monoclonal and len(heavy) <= 1:
        return _Composition("I", frozenset({"I", "II"}))
    return _NOTHING


def _only(types: frozenset[Numbered]) -> CryoglobulinType | None:
    if types == _MIXED:
        return "mixed"
    return next(iter(types)) if len(types) == 1 else None
