"""What a rule file and a fact file hold.

mappings/rules/<id>.yaml and mappings/facts/<module>.yaml share references, parameters and
citations. A parameter without a citation is no parameter: the service does not start with it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from datetime import date
from typing import Any, Literal, TypeAlias, TypeVar

from msgspec import Struct, field

from cryovigil import strict_yaml
from cryovigil.rules import Indicator

Hook: TypeAlias = Literal[
    "event",
    "patient-view",
    "encounter-start",
    "order-select",
    "order-sign",
    "problem-list-item-create",
]
Language: TypeAlias = Literal["en", "fr"]
# Value set non-adherence-reason-clinical of CDS Hooks 3.0.
OverrideReason: TypeAlias = Literal[
    "cds-not-applicable",
    "cds-suboptimal-context",
    "recipient-disagrees-evidence",
    "recipient-concerns-outcomes",
    "does-not-align-preferences",
    "not-convenient-feasible",
    "action-completed",
    "patient-contraindication",
    "patient-refuses",
    "too-costly-uncovered",
    "service-not-available",
    "recipient-does-not-understand",
]
Text: TypeAlias = Mapping[Language, str]
T = TypeVar("T")

DESIGN = "design"  # the reference of a choice that is ours: it gives a reason, and has no link
SUMMARY_LENGTH = 139  # CDS Hooks 2.0: under 140 characters
LONGEST_CRITICAL_SNOOZE_H = 24


class Reference(Struct, frozen=True, forbid_unknown_fields=True):
    """Where a statement comes from: a link, or journal and year where there is none."""

    title: str
    link: str | None = None
    journal: str | None = None
    year: int | None = None


class Citation(Struct, frozen=True, forbid_unknown_fields=True):
    """A place in a reference of the same file.

    quote: the words there; reason: why, for a choice of ours; unconfirmed: nobody has held it
    against the source yet.
    """

    reference: str
    place: str
    quote: str | None = None
    reason: str | None = None
    unconfirmed: bool = False


class Parameter(Struct, frozen=True, forbid_unknown_fields=True):
    """A number with its unit and source. values: by the day from which each is in force."""

    description: str
    unit: str
    citation: Citation
    checked: date
    values: dict[date, float]

    def on(self, day: date) -> float:
        """The value in force on a day; before the first one, the first."""
        days = sorted(self.values)
        return self.values[days[max(bisect_right(days, day) - 1, 0)]]


class FactFile(Struct, frozen=True, forbid_unknown_fields=True):
    """mappings/facts/<module>.yaml. concepts: lists of concept names, by what they stand for."""

    title: str
    references: dict[str, Reference] = {}
    parameters: dict[str, Parameter] = {}
    concepts: dict[str, tuple[str, ...]] = {}


class Source(Struct, frozen=True, forbid_unknown_fields=True):
    """What a card names as its source: a reference of the same file, and how the card calls it."""

    reference: str
    label: str


class CardText(Struct, frozen=True, forbid_unknown_fields=True):
    """The text of a card, by language. Several summaries: by the key that figures["summary"] has.

    Templates are read by rules/templates.py.
    """

    source: Source
    summary: dict[Language, str | dict[str, str]]
    detail: dict[Language, tuple[str, ...]]

    def summaries(self, language: Language) -> Mapping[str, str]:
        """The summaries by key; the only one has the key ""."""
        written = self.summary[language]
        return {"": written} if isinstance(written, str) else written


class RuleFile(Struct, frozen=True, forbid_unknown_fields=True):
    """mappings/rules/<id>.yaml.

    needs: by concept "all", "latest" or "<N> d"; snooze, re_arm, expiry: "<N> h", "<N> d" or
    "<N> mo"; words: what Word(key) shows.
    """

    id: str
    title: str
    question: str
    hooks: tuple[Hook, ...]
    needs: dict[str, str]
    references: dict[str, Reference]
    card: CardText
    override_reasons: tuple[OverrideReason, ...]
    expiry: str
    parameters: dict[str, Parameter] = {}
    words: dict[str, dict[Language, str]] = {}
    snooze: dict[Indicator, str] = field(default_factory=dict)
    re_arm: str | None = None


def fact_file(content: bytes, name: str) -> FactFile:
    """Raises RulebookInvalid for what is no fact file."""
    return _whole(content, name, FactFile)


def rule_file(content: bytes, name: str) -> RuleFile:
    """Raises RulebookInvalid for what is no rule file."""
    return _whole(content, name, RuleFile)


def _whole(content: bytes, name: str, shape: type[T]) -> T:
    """Entry by entry first, so that an error says which parameter it means."""
    tree = strict_yaml.parse(content, name, dict[str, Any])
    for section, entry in (("references", Reference), ("parameters", Parameter)):
        entries = strict_yaml.convert(tree.get(section, {}), name, dict[str, Any], under=section)
        for key, value in entries.items():
            strict_yaml.convert(value, name, entry, under=f"{section}.{key}")
    return strict_yaml.convert(tree, name, shape)
