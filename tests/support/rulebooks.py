"""A rulebook of one small rule, written to a folder of the test: its files and its module."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest

from cryovigil.rules.book import Rulebook, defects, load_rulebook

CONCEPTS = """
concepts:
  - {name: cryoglobulin quantity, kind: laboratory, unit: "g/L", class: anchor}
  - {name: purpura, kind: condition, class: anchor}
  - {name: palpable purpura, kind: condition, class: anchor, counts_as: [purpura]}
"""

FACTS = """
title: Results in general
references:
  design: {title: "Design choice of CryoVigil"}
parameters:
  future_tolerance:
    description: What is dated further ahead waits
    unit: min
    citation: {reference: design, place: Time, reason: clocks differ by minutes}
    checked: 2026-11-25
    values: {2017-01-01: 10}
"""

RULE = """
id: small-rule
title: A small rule
question: Is there enough of it?
hooks: [event, patient-view]
needs: {cryoglobulin quantity: all, purpura: 30 d}
references:
  guideline: {title: "A guideline, 2017", link: "https://example.org/guideline"}
  design: {title: "Design choice of CryoVigil"}
parameters:
  enough:
    description: More than this is enough
    unit: g/L
    citation: {reference: guideline, place: "Section 2", quote: "more than 0.05"}
    checked: 2026-11-25
    values: {2017-01-01: 0.04, 2020-01-01: 0.05}
words:
  kind-one: {en: of the first kind}
  kind-two: {en: of the second kind}
card:
  source: {reference: guideline, label: "Guideline 2017, section 2"}
  summary: {en: "Enough found: {amount}[ on {day}]"}
  detail:
    en:
      - "**Found** [{kind}, ]**{amount}**[, {day}]"
      - "**Sign** {sign}"
override_reasons: [cds-not-applicable, patient-refuses]
snooze: {info: 180 d, critical: 24 h}
re_arm: 6 mo
expiry: 30 d
"""

MODULE = '''
"""Is there enough of it?

* enough: more than the file says
"""

from cryovigil.rules import Fired, Word

ID = "small-rule"


def answer(facts, p):
    if p["enough"] < 0:
        raise ValueError("what the record holds")
    figures = {
        "amount": p["enough"],
        "kind": Word(f"kind-{facts}"),
        "day": None,
        "sign": None,
    }
    return Fired(indicator="info", criteria=("enough",), evidence=(), figures=figures)
'''

_numbers = count(1)


class SmallBook:
    """The folder of the rule's files, and the package its module is in."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "mappings"
        self.package = f"small_rules_{next(_numbers)}"
        for name in ("codes", "facts", "rules", "units", "values"):
            (self.root / name).mkdir(parents=True)
        (folder / self.package).mkdir()
        self.modules = folder / self.package
        (self.modules / "__init__.py").write_text('"""The rules of a test."""\n')
        (self.root / "concepts.yaml").write_text(CONCEPTS)
        self.write(FACTS, "facts/results")
        self.write(RULE)
        self.program(MODULE)

    def write(self, text: str, name: str = "rules/small-rule") -> None:
        """Writes a YAML file, by its path under the root without .yaml."""
        (self.root / f"{name}.yaml").write_text(text)

    def edit(self, old: str, new: str, name: str = "rules/small-rule") -> None:
        """Replaces a text that stands once in a file."""
        text = (self.root / f"{name}.yaml").read_text()
        assert text.count(old) == 1, f"{old!r} does not stand once in {name}"
        self.write(text.replace(old, new), name)

    def program(self, source: str, name: str = "small_rule") -> None:
        """Writes a module of the package."""
        (self.modules / f"{name}.py").write_text(source)

    def load(self, *disabled: str) -> Rulebook:
        return load_rulebook(self.root, disabled=frozenset(disabled), package=self.package)

    def defects(self) -> list[str]:
        return list(defects(self.root, package=self.package))


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SmallBook:
    monkeypatch.syspath_prepend(str(tmp_path))
    return SmallBook(tmp_path)
