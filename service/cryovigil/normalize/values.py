"""Values that are no numbers: coded results, words in five languages, flags, types, findings.

Every text is matched whole against known phrases; what is not known stays unknown, for
`evaluate` to list. Only condition texts are searched, for a handful of findings.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from cryovigil.normalize.phrases import any_of, plain, words_only
from cryovigil.normalize.quantities import Quantity, parse_quantity
from cryovigil.normalize.type_words import CryoglobulinType, TypeReader
from cryovigil.normalize.value_files import ValueFiles, Word, load_value_files

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable
    from pathlib import Path

    from cryovigil.normalize.codes import Concept

# Longer texts are comments: words_only and plain would be wasted on them.
_LONGEST = 160
# The longest text of a Condition that is searched: what is longer is a letter, not a diagnosis.
_LONGEST_SEARCHED = 2_000
_PARTS = " ,;:()[]"
_LIMIT = re.compile(r"[<≤]=?\s*\d[^\s)]*")


# Detected beside a limit is below it; a word that says more than these is not read beside one.
_BESIDE_A_LIMIT: Mapping[Word | None, Word] = {
    "detected": "detected-below-lloq",
    "detected-below-lloq": "detected-below-lloq",
    "not-detected": "not-detected",
    "negative": "negative",
}


class Worded(Struct, frozen=True):
    """A text result. limit: the detection limit it names, "< 15 IU/mL" in "detected < 15 IU/mL"."""

    word: Word
    limit: Quantity | None = None


class ValueWords:
    """Every phrase and coded value. Built once, never changed."""

    def __init__(self, files: ValueFiles) -> None:
        self._coded = files.coded
        self._flags = files.flags
        self._words = files.words
        self._own = files.own
        self._subjects = {concept: _leading(names) for concept, names in files.subjects.items()}
        self._types = TypeReader(files.types)
        self._findings = files.findings
        self._finding = any_of(files.findings)
        self._unless = any_of(files.unless)
        self._classes = any_of(files.classes)
        self._narrower = [
            (coded, any_of(words), concepts) for coded, words, concepts in files.narrower
        ]

    def coded(self, system: str | None, code: str) -> Word | None:
        """The word that a coded value stands for."""
        return self._coded.get((system or "", code.strip()))

    def flag(self, system: str | None, code: str) -> str | None:
        """The canonical flag of an interpretation code; the system may be left out."""
        return self._flags.get((system or "", code.strip()))

    def word(self, text: str, concept: str | None = None) -> Word | None:
        """What a text result says in one word; see `read`."""
        read = self.read(text, concept)
        return read.word if read is not None else None

    def read(self, text: str, concept: str | None = None) -> Worded | None:
        """A text result: a known phrase, alone or with the limit it was held against.

        concept: whose result it is; its own name may then stand before the phrase.
        """
        if len(text) > _LONGEST:
            return None
        word = self._known(text, concept)
        return Worded(word) if word is not None else self._limited(text, concept)

    def cryoglobulin_type(self, text: str) -> CryoglobulinType | None:
        """The type that a text names, or describes by its immunoglobulins."""
        return self._types.read(text)

    def condition_concepts(
        self, texts: Sequence[str], coded: Iterable[str] = ()
    ) -> tuple[str, ...]:
        """The findings that the texts of a Condition name, beside the concepts it is coded as.

        The first is what a person wrote; the others are displays of its codings. Nothing of a text
        that denies, doubts or asks anything, or speaks of the past or of kin; where a person wrote
        such a one, nothing at all. A display speaks for itself alone: classifications word their
        classes by what they are not.
        """
        found: list[str] = []
        for index, text in enumerate(texts):
            told = self._told(text)
            if told is None and index == 0:
                return ()
            if told:
                found += self._findings_in(told, coded)
        return tuple(dict.fromkeys(found))

    def _told(self, text: str) -> str | None:
        """The words of a text, without the names of classes that hold a negation.

        None where it is denied, or too long to tell.
        """
        if len(text) > _LONGEST_SEARCHED:
            return None
        words = words_only(text)
        if "?" in words:
            return None
        if not self._unless.search(words):
            return words
        told = self._classes.sub(" ", words)
        return None if told == words or self._unless.search(told) else told

    def _findings_in(self, searched: str, coded: Iterable[str]) -> list[str]:
        found = [
            concept
            for match in self._finding.findall(searched)
            for concept in self._findings[match]
        ]
        for concept, words, narrower in self._narrower:
            if concept in coded and words.search(searched):
                found.extend(narrower)
        return found

    def _known(self, text: str, concept: str | None) -> Word | None:
        phrase = plain(text)
        subject = self._subjects.get(concept or "")
        if subject is not None and (named := subject.match(phrase)):
            phrase = phrase[named.end() :]
        own = self._own.get(concept or "", {})
        return own.get(phrase) or self._words.get(phrase)

    def _limited(self, text: str, concept: str | None) -> Worded | None:
        """ "<15 IU/mL, not detected", "detected (< 15)": a phrase and a limit, nothing else."""
        match = _LIMIT.search(text)
        if match is None:
            return None
        before, after = text[: match.start()], text[match.end() :].split()
        for units in range(min(len(after), 2) + 1):
            limit = parse_quantity(" ".join([match.group(), *after[:units]]).strip(_PARTS))
            rest = " ".join([before, *after[units:]]).strip(_PARTS)
            word = _BESIDE_A_LIMIT.get(self._known(rest, concept))
            if limit is not None and word is not None:
                return Worded(word, limit)
        return None


def _leading(names: Iterable[str]) -> re.Pattern[str]:
    """Matches one of the names at the start of a text, with what may part it from its value."""
    return re.compile(any_of(names).pattern + r"\s*[:=-]?\s*(?=\S)")


def load_values(root: Traversable | Path, concepts: Mapping[str, Concept]) -> ValueWords:
    """The files of `root`/values. Raises RulebookInvalid."""
    return ValueWords(load_value_files(root, concepts))
