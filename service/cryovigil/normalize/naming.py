"""What every reading of one resource has in common: whose it is, and which version says it."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from cryovigil.normalize.codes import CodeMap
from cryovigil.resources import CodeableConcept


class Naming(Struct, frozen=True):
    """reference: `Type/id`; patient: the source patient; source: Source.key; version as written."""

    reference: str
    patient: str
    source: str
    version: str
    updated: str | None


def concepts_of(code: CodeableConcept | None, codes: CodeMap) -> tuple[str, ...]:
    """The concepts of all codings, each once, in the order of the codings."""
    return tuple(dict.fromkeys(_concepts(code, codes)))


def _concepts(code: CodeableConcept | None, codes: CodeMap) -> Iterator[str]:
    for coding in code.coding if code else ():
        if coding.code:
            yield from codes.concepts(coding.system, coding.code)


def wording(concept: CodeableConcept | None) -> str:
    """What a CodeableConcept says to a person: its text, else the first display."""
    if concept is None:
        return ""
    return concept.text or next((c.display for c in concept.coding if c.display), "")
