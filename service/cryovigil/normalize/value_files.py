"""Reads mappings/values: coded values, flags, words, types and findings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Literal, TypeAlias

from msgspec import Struct

from cryovigil import strict_yaml
from cryovigil.errors import RulebookInvalid
from cryovigil.normalize.check_digits import VALID, CheckDigit
from cryovigil.normalize.code_system import url_spellings
from cryovigil.normalize.phrases import plain, words_only
from cryovigil.normalize.type_words import TypeVocabulary

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable
    from pathlib import Path

    from cryovigil.normalize.codes import Concept

Word: TypeAlias = Literal[
    "positive",
    "negative",
    "trace",
    "detected",
    "not-detected",
    "detected-below-lloq",
    "invalid",
    "not-performed",
    "pending",
    "normal",
]
Language: TypeAlias = Literal["en", "fr", "de", "it", "es"]
Phrases: TypeAlias = dict[Language, tuple[str, ...]]


class ValueFiles(Struct, frozen=True):
    """The files, each turned into what is looked up. Phrases are in their compared form."""

    coded: Mapping[tuple[str, str], Word]
    flags: Mapping[tuple[str, str], str]
    words: Mapping[str, Word]
    own: Mapping[str, Mapping[str, Word]]
    subjects: Mapping[str, tuple[str, ...]]
    types: TypeVocabulary
    findings: Mapping[str, tuple[str, ...]]
    narrower: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...]
    classes: tuple[str, ...]
    unless: tuple[str, ...]


class _System(Struct, frozen=True, forbid_unknown_fields=True):
    aliases: tuple[str, ...] = ()
    check_digit: CheckDigit | None = None


class _CodedRow(Struct, frozen=True, forbid_unknown_fields=True):
    system: str
    code: str
    word: Word
    display: str
    source: str


class _Coded(Struct, frozen=True, forbid_unknown_fields=True):
    systems: dict[str, _System]
    rows: tuple[_CodedRow, ...]


class _Interpretation(Struct, frozen=True, forbid_unknown_fields=True):
    systems: tuple[str, ...]
    source: str
    flags: dict[str, str]


class _Subject(Struct, frozen=True, forbid_unknown_fields=True):
    concepts: tuple[str, ...]
    names: tuple[str, ...]


class _Own(Struct, frozen=True, forbid_unknown_fields=True):
    concepts: tuple[str, ...]
    words: dict[Word, Phrases]


class _Words(Struct, frozen=True, forbid_unknown_fields=True):
    words: dict[Word, Phrases]
    own: tuple[_Own, ...]
    subjects: tuple[_Subject, ...]


class _Finding(Struct, frozen=True, forbid_unknown_fields=True):
    concepts: tuple[str, ...]
    en: tuple[str, ...]
    fr: tuple[str, ...]
    de: tuple[str, ...]
    it: tuple[str, ...]
    es: tuple[str, ...]


class _Narrower(Struct, frozen=True, forbid_unknown_fields=True):
    coded: str
    words: tuple[str, ...]
    concepts: tuple[str, ...]


class _Conditions(Struct, frozen=True, forbid_unknown_fields=True):
    phrases: tuple[_Finding, ...]
    narrower: tuple[_Narrower, ...]
    classes: Phrases
    unless: Phrases


def load_value_files(root: Traversable | Path, concepts: Mapping[str, Concept]) -> ValueFiles:
    """All files of `root`/values, checked against each other and against the concepts.

    Raises RulebookInvalid.
    """
    folder = root / "values"
    words = strict_yaml.read(folder / "words.yaml", _Words)
    conditions = strict_yaml.read(folder / "conditions.yaml", _Conditions)
    _check_concepts(concepts, "words.yaml", _word_concepts(words))
    _check_concepts(concepts, "conditions.yaml", _condition_concepts(conditions))
    return ValueFiles(
        coded=_coded(strict_yaml.read(folder / "coded.yaml", _Coded)),
        flags=_flags(strict_yaml.read(folder / "interpretation.yaml", _Interpretation)),
        words=_words(words.words),
        own={c: _words(own.words) for own in words.own for c in own.concepts},
        subjects={c: tuple(map(plain, s.names)) for s in words.subjects for c in s.concepts},
        types=strict_yaml.read(folder / "cryoglobulin-type.yaml", TypeVocabulary),
        findings=_findings(conditions),
        narrower=tuple(
            (n.coded, tuple(map(words_only, n.words)), n.concepts) for n in conditions.narrower
        ),
        classes=_compared(words_only, conditions.classes.values()),
        unless=_compared(words_only, conditions.unless.values()),
    )


def _coded(file: _Coded) -> dict[tuple[str, str], Word]:
    found: dict[tuple[str, str], Word] = {}
    for index, row in enumerate(file.rows):
        system = file.systems.get(row.system)
        if system is None:
            raise RulebookInvalid(f"coded.yaml: rows.{index}.system: not under systems")
        if system.check_digit is not None and not VALID[system.check_digit](row.code):
            raise RulebookInvalid(f"coded.yaml: rows.{index}.code: wrong check digit")
        urls = (row.system, *system.aliases)
        for spelling in (s for url in urls for s in url_spellings(url)):
            if (spelling, row.code) in found:
                raise RulebookInvalid(f"coded.yaml: rows.{index}: {row.code!r} stands twice")
            found[spelling, row.code] = row.word
    return found


def _flags(file: _Interpretation) -> dict[tuple[str, str], str]:
    spellings = {spelling for url in file.systems for spelling in url_spellings(url)}
    return {(spelling, code): code for spelling in spellings for code in file.flags}


def _words(listed: dict[Word, Phrases]) -> dict[str, Word]:
    found: dict[str, Word] = {}
    for word, phrases in listed.items():
        for phrase in _compared(plain, phrases.values()):
            if found.setdefault(phrase, word) != word:
                raise RulebookInvalid(
                    f"words.yaml: words.{word}: {phrase!r} is {found[phrase]} too"
                )
    return found


def _findings(file: _Conditions) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for finding in file.phrases:
        languages = (finding.en, finding.fr, finding.de, finding.it, finding.es)
        for phrase in _compared(words_only, languages):
            if found.setdefault(phrase, finding.concepts) != finding.concepts:
                raise RulebookInvalid(f"conditions.yaml: phrases: {phrase!r} stands twice")
    return found


def _compared(form: Callable[[str], str], groups: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(form(phrase) for group in groups for phrase in group))


def _word_concepts(file: _Words) -> Iterable[str]:
    yield from (c for subject in file.subjects for c in subject.concepts)
    yield from (c for own in file.own for c in own.concepts)


def _condition_concepts(file: _Conditions) -> Iterable[str]:
    for finding in file.phrases:
        yield from finding.concepts
    for narrower in file.narrower:
        yield from (narrower.coded, *narrower.concepts)


def _check_concepts(known: Mapping[str, Concept], file: str, named: Iterable[str]) -> None:
    for name in named:
        if name not in known:
            raise RulebookInvalid(f"{file}: {name!r} is not in concepts.yaml")
