"""What the loader refuses in a rule file or a fact file, one line each, the field first.

A file is held against itself, against the concepts, and against the module of its name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import TYPE_CHECKING

from cryovigil.rules.files import (
    DESIGN,
    LONGEST_CRITICAL_SNOOZE_H,
    SUMMARY_LENGTH,
    Citation,
    FactFile,
    Language,
    Parameter,
    Reference,
    RuleFile,
)
from cryovigil.rules.needs import need
from cryovigil.rules.spans import span
from cryovigil.rules.templates import template

if TYPE_CHECKING:
    from cryovigil.rules.sources import Module, Strings

_ID = re.compile(r"[a-z]+(-[a-z0-9]+)*")
# Text of a record that begins a line could make it a heading or a list; brackets may fall away.
_FIGURE_FIRST = re.compile(r"(\[[^\]]*\])*\[?\{")


def fact_defects(
    file: FactFile, module: Module | None, strings: Strings, concepts: Collection[str]
) -> Iterator[str]:
    """strings: of every module that may read the file's numbers and lists."""
    if module is None:
        yield "no module of this name in facts"
    yield from _references(file.references)
    yield from _parameters(file.parameters, file.references, strings)
    for name, listed in file.concepts.items():
        if not strings.may_name(name):
            yield f"concepts.{name}: no fact reads it"
        for concept in listed:
            if concept not in concepts:
                yield f"concepts.{name}: {concept!r} is not in concepts.yaml"


def rule_defects(
    file: RuleFile, stem: str, module: Module | None, concepts: Collection[str]
) -> Iterator[str]:
    """stem: the file's name without .yaml; module: the rule's, None where there is none."""
    if file.id != stem or not _ID.fullmatch(file.id):
        yield f"id: {file.id!r} is not the name of the file, in kebab case"
    if not file.hooks:
        yield "hooks: a rule is asked by one at least"
    yield from _references(file.references)
    yield from _needs(file.needs, concepts)
    yield from _lengths(file)
    yield from _source(file)
    yield from _texts(file)
    if module is None or not module.is_rule:
        yield f"no module rules/{stem.replace('-', '_')}.py with an ID"
        return
    yield from _parameters(file.parameters, file.references, module.strings)
    for name in sorted(module.strings.parameters - file.parameters.keys()):
        yield f"parameters.{name}: the module reads it, the file lacks it"
    yield from _figures(file, module.strings)
    yield from _words(file, module.strings)


def _references(references: Mapping[str, Reference]) -> Iterator[str]:
    for name, reference in references.items():
        if not reference.title.strip():
            yield f"references.{name}.title: empty"
        if reference.link is not None and not reference.link.startswith("https://"):
            yield f"references.{name}.link: not https"
        dated = reference.journal and reference.year
        if name != DESIGN and not reference.link and not dated:
            yield f"references.{name}: neither a link nor journal and year"


def _parameters(
    parameters: Mapping[str, Parameter],
    references: Mapping[str, Reference],
    strings: Strings,
) -> Iterator[str]:
    for name, parameter in parameters.items():
        where = f"parameters.{name}"
        if not strings.may_name(name):
            yield f"{where}: nothing reads it"
        yield from _citation(parameter.citation, references, f"{where}.citation")
        if not parameter.unit.strip():
            yield f"{where}.unit: empty, 1 where there is none"
        if not all(isfinite(value) for value in parameter.values.values()):
            yield f"{where}.values: a number is not finite"
        if min(parameter.values, default=None) is None:
            yield f"{where}.values: empty"
        elif min(parameter.values) > parameter.checked:
            yield f"{where}.values: none was in force when it was checked"
        elif max(parameter.values) > parameter.checked:
            yield f"{where}.checked: before the youngest value"


def _citation(citation: Citation, references: Mapping[str, Reference], where: str) -> Iterator[str]:
    if citation.reference not in references:
        yield f"{where}: {citation.reference!r} is not among the references"
    if not citation.place.strip():
        yield f"{where}.place: empty"
    if citation.reference == DESIGN and not citation.reason:
        yield f"{where}.reason: a choice of ours gives one"


def _needs(needs: Mapping[str, str], concepts: Collection[str]) -> Iterator[str]:
    if not needs:
        yield "needs: empty, so that the rule would be asked without any data"
    for concept, text in needs.items():
        if concept not in concepts:
            yield f"needs: {concept!r} is not in concepts.yaml"
        yield from _refused(need, text, f"needs.{concept}")


def _lengths(file: RuleFile) -> Iterator[str]:
    yield from _refused(span, file.expiry, "expiry")
    if file.re_arm is not None:
        yield from _refused(span, file.re_arm, "re_arm")
    for indicator, text in file.snooze.items():
        yield from _refused(span, text, f"snooze.{indicator}")
        if indicator == "critical" and _over_a_day(text):
            yield f"snooze.critical: at most {LONGEST_CRITICAL_SNOOZE_H} h"


def _over_a_day(text: str) -> bool:
    start = datetime.min.replace(tzinfo=UTC)
    try:
        return span(text).after(start) > start + timedelta(hours=LONGEST_CRITICAL_SNOOZE_H)
    except ValueError:
        return False


def _source(file: RuleFile) -> Iterator[str]:
    name = file.card.source.reference
    reference = file.references.get(name)
    if reference is None:
        yield f"card.source: {name!r} is not among the references"
    elif not reference.link:
        yield f"card.source: {name!r} has no link for the card to show"
    # A card shows both, and CDS Hooks forbids empty members.
    if not file.card.source.label.strip():
        yield "card.source.label: empty"
    if not file.title.strip():
        yield "title: empty"
    if not file.override_reasons:
        yield "override_reasons: a clinician must be able to say why not"


def _texts(file: RuleFile) -> Iterator[str]:
    languages = file.card.summary.keys()
    if "en" not in languages:
        yield "card.summary: no English"
    if file.card.detail.keys() != languages:
        yield "card.detail: not in the languages of the summary"
    for key, texts in file.words.items():
        if texts.keys() != languages:
            yield f"words.{key}: not in the languages of the summary"
    for where, text in _templates(file):
        yield from _refused(template, text, where)
        if where.startswith("card.summary") and len(text) > SUMMARY_LENGTH:
            yield f"{where}: {len(text)} characters, at most {SUMMARY_LENGTH}"
        if where.startswith("card.detail") and _FIGURE_FIRST.match(text):
            yield f"{where}: begins with a figure"


def _templates(file: RuleFile) -> Iterator[tuple[str, str]]:
    """Every template and its place."""
    language: Language
    for language in file.card.summary:
        for key, text in file.card.summaries(language).items():
            yield ".".join(filter(None, ("card.summary", language, key))), text
    for language, lines in file.card.detail.items():
        for number, line in enumerate(lines):
            yield f"card.detail.{language}.{number}", line


def _figures(file: RuleFile, strings: Strings) -> Iterator[str]:
    for where, text in _templates(file):
        if list(_refused(template, text, where)):
            continue
        for name in sorted(template(text).names):
            if not strings.may_name(name):
                yield f"{where}: no figure of the rule is called {{{name}}}"


def _words(file: RuleFile, strings: Strings) -> Iterator[str]:
    """Every Word has a text, and every text a Word."""
    summaries = {key for language in file.card.summary for key in file.card.summaries(language)}
    known = file.words.keys() | summaries - {""}
    for key in sorted(strings.words - known):
        yield f"words: the module shows {key!r}, which has no text"
    for pattern in sorted(strings.word_patterns):
        if not any(re.fullmatch(pattern, key) for key in known):
            yield f"words: the module shows words like {pattern}, none of which has a text"
    for key in sorted(known):
        if not strings.some_word_unknown and not strings.may_name(key):
            yield f"words: the module never shows {key!r}"


def _refused(read: Callable[[str], object], text: str, where: str) -> Iterator[str]:
    """What a reader of such a text says against it."""
    try:
        read(text)
    except ValueError as error:
        yield f"{where}: {error}"
