"""Text as people type it, brought to one form for comparing."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_EDGES = " \t\r\n.,;:!\"'*"
_WITHIN_WORDS = re.compile(r"(?<=[^\W\d])[-_](?=[^\W\d])")
_NO_WORD = re.compile(r"[^\w?]+")


def plain(text: str) -> str:
    """Without case, accents, hyphens inside words, doubled spaces, and punctuation around it."""
    folded = " ".join(_WITHIN_WORDS.sub(" ", unaccented(text)).split()).strip(_EDGES)
    if folded[:1] + folded[-1:] in ("()", "[]") and any(map(str.isalpha, folded)):
        return folded[1:-1].strip(_EDGES)
    return folded


def unaccented(text: str) -> str:
    """Case and accents folded; signs and letters of other scripts stay."""
    decomposed = unicodedata.normalize("NFD", text.replace("\u2019", "'").casefold())
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def words_only(text: str) -> str:
    """The words of a text with single spaces between them; a question mark stays one."""
    return _NO_WORD.sub(" ", unaccented(text)).replace("?", " ? ").strip()


def any_of(phrases: Iterable[str]) -> re.Pattern[str]:
    """Finds the phrases, each in the form of `words_only`, as whole words; longer ones first."""
    longest_first = sorted(phrases, key=len, reverse=True)
    return re.compile(r"\b(?:" + "|".join(map(re.escape, longest_first)) + r")\b")
