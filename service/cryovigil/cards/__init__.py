"""Step 7. An answer that fired becomes a CDS Hooks 2.0 card.

The text is the rule file's, the figures are the answer's, the basis says what it rests on. Equal
input gives equal cards whatever the order of the evidence; only `asOf` tells two instants apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from cryovigil.cards.basis import BASIS, basis
from cryovigil.cards.figures import Harmless, figure_text
from cryovigil.cards.record_text import cut, markdown, plain
from cryovigil.rules import Fired, Word
from cryovigil.rules.book import BookRule
from cryovigil.rules.files import SUMMARY_LENGTH, Language, OverrideReason
from cryovigil.rules.templates import Template

if TYPE_CHECKING:
    from datetime import datetime

_RULES = "urn:cryovigil:rules"
_REASONS = "http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes"

_REASON_TEXT: Mapping[OverrideReason, str] = {
    "cds-not-applicable": "Does not apply to this patient",
    "cds-suboptimal-context": "Not the right moment or place",
    "recipient-disagrees-evidence": "Disagrees with the evidence",
    "recipient-concerns-outcomes": "Concerned about the outcome",
    "does-not-align-preferences": "Does not fit the patient's preferences",
    "not-convenient-feasible": "Not feasible",
    "action-completed": "Already done",
    "patient-contraindication": "Contraindicated in this patient",
    "patient-refuses": "Patient refuses",
    "too-costly-uncovered": "Too costly or not covered",
    "service-not-available": "Not available here",
    "recipient-does-not-understand": "Not understood",
}
_PREGNANCY: Mapping[Language, str] = {
    "en": "**Pregnancy** on record: timing of antivirals is the specialist's",
    "fr": "**Grossesse** connue : le moment des antiviraux relève du spécialiste",
}
_INCOMPLETE: Mapping[Language, str] = {
    "en": "Some of this patient's data could not be read: this card may be incomplete",
    "fr": "Des données de ce patient n'ont pas pu être lues : carte peut-être incomplète",
}
_AGE_UNKNOWN: Mapping[Language, str] = {
    "en": "Age unknown: read as an adult",
    "fr": "Âge inconnu : considéré comme adulte",
}
_NOT_APPROVED: Mapping[Language, str] = {
    "en": "This rule is not locally approved",
    "fr": "Règle non approuvée localement",
}
_EVIDENCE: Mapping[Language, str] = {"en": "Evidence", "fr": "Justification"}


class CardContext(Struct, frozen=True, kw_only=True):
    """What a card needs beside rule and answer.

    uuid: minted for patient, rule and episode; evidence_url: absolute, None where no service is
    there to show it; incomplete: why the record is; approved: the site signed this rule's digest.
    """

    uuid: str
    as_of: datetime
    evidence_url: str | None = None
    incomplete: tuple[str, ...] = ()
    approved: bool = False
    pregnant: bool = False
    age_known: bool = True


def card(
    rule: BookRule, fired: Fired, context: CardContext, engine_digest: str, language: str = "en"
) -> dict[str, Any]:
    """The card, without null and empty members; in English where a rule lacks the language."""
    spoken: Language = next((known for known in rule.detail if known == language), "en")
    source = rule.file.card.source
    link = {"label": _EVIDENCE[spoken], "url": context.evidence_url, "type": "absolute"}
    return {
        "uuid": context.uuid,
        "summary": _summary(rule, fired, spoken),
        "detail": "\n".join(f"- {line}" for line in _lines(rule, fired, context, spoken)),
        "indicator": fired.indicator,
        "source": {
            "label": source.label,
            "url": rule.file.references[source.reference].link,
            "topic": {"system": _RULES, "code": rule.id, "display": rule.file.title},
        },
        "overrideReasons": [
            {"system": _REASONS, "code": code, "display": _REASON_TEXT[code]}
            for code in rule.file.override_reasons
        ],
        **({"links": [link]} if context.evidence_url else {}),
        "extension": {BASIS: basis(rule, fired, engine_digest, context.as_of)},
    }


def _summary(rule: BookRule, fired: Fired, language: Language) -> str:
    """Of several the one that figures["summary"] names, cut as a last resort.

    The rule's title stands in for a summary whose figures have nothing to say.
    """
    chosen = fired.figures.get("summary")
    template = rule.summaries[language].get(chosen.key if isinstance(chosen, Word) else "")
    text = _filled(template, rule, fired, language, plain) if template else None
    return cut(text or rule.file.title, SUMMARY_LENGTH)


def _lines(rule: BookRule, fired: Fired, context: CardContext, language: Language) -> Iterator[str]:
    if context.pregnant:
        yield _PREGNANCY[language]
    for template in rule.detail[language]:
        if line := _filled(template, rule, fired, language, markdown):
            yield line
    if context.incomplete:
        yield _INCOMPLETE[language]
    if not context.age_known:
        yield _AGE_UNKNOWN[language]
    if not context.approved:
        yield _NOT_APPROVED[language]


def _filled(
    template: Template, rule: BookRule, fired: Fired, language: Language, harmless: Harmless
) -> str | None:
    words, figures = rule.file.words, fired.figures
    return template.fill(lambda name: figure_text(figures.get(name), words, language, harmless))
