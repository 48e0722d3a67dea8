"""Which readings are a vasculitis sign, and of which group.

The concepts of each group, and what accounts for them otherwise, are lists of
mappings/facts/signs.yaml. A sign that is of two groups (skin necrosis, rapidly progressive renal
failure) gives one Sign for each.

* Purpura is no sign with platelets below 100 G/L in the latest count within 30 days; a skin ulcer
  not with a venous, arterial or diabetic one; gangrene not with arterial or diabetic disease;
  gastrointestinal bleeding not with cirrhosis or varices.
* Results make two: proteinuria with hematuria, and rapidly progressive renal failure. They are
  dated by the latest result.
* A severe sign counts within 90 days of its onset, and not where it is more than 12 months older
  than the first positive cryoglobulin. Glomerulonephritis is severe with an eGFR below 30 first
  seen within 90 days.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING, Literal, TypeAlias

from msgspec import Struct

from cryovigil.facts.as_of import shifted
from cryovigil.facts.explained import Item
from cryovigil.facts.findings import believed, ongoing, over, since
from cryovigil.facts.results import below, latest
from cryovigil.normalize.readings import AnyReading, Finding, Result, When

if TYPE_CHECKING:
    from cryovigil.facts import Facts
    from cryovigil.facts.kidney import Kidney

Group: TypeAlias = Literal["cutaneous", "renal", "neurological", "severe", "articular", "cold"]

# What leads a card stands first.
GROUPS: tuple[Group, ...] = ("cutaneous", "renal", "neurological", "severe", "articular", "cold")
MINOR: frozenset[Group] = frozenset({"articular", "cold"})

PROTEINURIA_WITH_HEMATURIA = "proteinuria with hematuria"
PROGRESSIVE = "rapidly progressive renal failure"

_PURPURA = frozenset({"purpura", "palpable purpura"})
_NOT_WITH = {
    "skin ulcer": "skin ulcer not with",
    "gangrene": "gangrene not with",
    "gastrointestinal hemorrhage": "gastrointestinal hemorrhage not with",
}
_ENCOUNTER = "encounter-diagnosis"


class Sign(Struct, frozen=True, kw_only=True):
    """One sign in one group.

    when: its onset, else its record, else its last update; None: date unknown, it then counts and
    is active; present: not over, and not faded; active: present and within 30 days. Of a vague
    date ("2025") its earliest day must lie within them.
    """

    concept: str
    group: Group
    readings: tuple[AnyReading, ...]
    when: When | None
    present: bool
    active: bool
    palpable: bool = False
    explained_by: tuple[Finding, ...] = ()

    @property
    def onset(self) -> date | None:
        """The earliest day it may have begun."""
        return self.when.earliest if self.when else None

    @property
    def minor(self) -> bool:
        """Articular or cold, which alone mean little."""
        return self.group in MINOR


def groups_of(facts: Facts) -> tuple[Sign, ...]:
    """Every sign, leading ones first."""
    found = (*_conditions(facts), *_from_results(facts))
    return tuple(sorted(found, key=_order))


def _order(sign: Sign) -> tuple[int, bool, bool, int, str]:
    """By group, what fills the triad first, then palpable purpura, then the youngest."""
    age = -sign.onset.toordinal() if sign.onset else 0
    explained = bool(sign.explained_by) or not sign.present
    return GROUPS.index(sign.group), explained, not sign.palpable, age, sign.readings[0].reference


def _conditions(facts: Facts) -> Iterator[Sign]:
    palpable = {f.reference for f in facts.timeline.findings("palpable purpura")}
    for group in GROUPS:
        for concept, finding in _listed(facts, group):
            yield _sign(facts, concept, group, finding, palpable)
    yield from _severe_nephritis(facts)


def _listed(facts: Facts, group: Group) -> Iterator[tuple[str, Finding]]:
    """Each Condition of a group once, under the first concept of the list that it is."""
    seen: set[str] = set()
    for concept in facts.concepts["signs"][group]:
        if _accounted_for(facts, concept):
            continue
        found = believed(facts.timeline.findings(concept))
        new = {f.reference: f for f in found if f.reference not in seen}
        seen |= new.keys()
        yield from ((concept, finding) for finding in new.values())


def _sign(
    facts: Facts,
    concept: str,
    group: Group,
    finding: Finding,
    palpable: set[str],
) -> Sign:
    when = since(finding) or finding.updated
    present = (
        not over(finding)
        and not _faded(facts, finding, when)
        and (group != "severe" or _counts_as_severe(facts, when))
    )
    return Sign(
        concept=concept,
        group=group,
        readings=(finding,),
        when=when,
        present=present,
        active=present and _active(facts, when),
        palpable=group == "cutaneous" and finding.reference in palpable,
        explained_by=_explained_by(facts, concept, group),
    )


def _explained_by(facts: Facts, concept: str, group: Group) -> tuple[Finding, ...]:
    lists, by = facts.concepts["signs"], facts.explained.by
    renal = group == "renal" or concept in (*lists["renal"], PROGRESSIVE)
    item: Item
    if renal:
        item = "renal"
    elif concept in lists["as purpura"]:
        item = "purpura"
    elif concept in lists["as leukocytoclastic vasculitis"]:
        item = "leukocytoclastic vasculitis"
    else:
        return ()
    return by[item]


def _accounted_for(facts: Facts, concept: str) -> bool:
    """Whether something else on the list, or a platelet count, accounts for it."""
    if concept in _PURPURA:
        return _few_platelets(facts)
    others = facts.concepts["signs"][_NOT_WITH[concept]] if concept in _NOT_WITH else ()
    return any(ongoing(facts.timeline.findings(other)) for other in others)


def _few_platelets(facts: Facts) -> bool:
    p = facts.parameters["signs"]
    count = latest(facts.timeline.results("platelets"))
    return (
        count is not None
        and count.when is not None
        and below(count, p["platelets_low"]) is True
        and facts.as_of.within(count.when.latest, days=int(p["platelets_recent"]))
    )


def _faded(facts: Facts, finding: Finding, when: When | None) -> bool:
    """Nobody closes an encounter diagnosis: it is present for 24 months."""
    months = int(facts.parameters["signs"]["encounter_diagnosis"])
    return (
        finding.category == _ENCOUNTER
        and when is not None
        and not facts.as_of.within(when.earliest, months=months)
    )


def _active(facts: Facts, when: When | None) -> bool:
    days = int(facts.parameters["signs"]["active"])
    return when is None or facts.as_of.within(when.earliest, days=days)


def _counts_as_severe(facts: Facts, when: When | None) -> bool:
    if when is None:
        return True
    p = facts.parameters["signs"]
    if not facts.as_of.within(when.earliest, days=int(p["severe_recent"])):
        return False
    positive = facts.cryoglobulin.first_positive
    return positive is None or when.latest >= shifted(
        positive.first, months=-int(p["severe_before"])
    )


def _from_results(facts: Facts) -> Iterator[Sign]:
    kidney = facts.kidney
    if kidney.nephritic:
        pair = max(kidney.nephritic, key=lambda pair: max(s.day or date.min for s in pair))
        readings: tuple[AnyReading, ...] = tuple(s.reading for s in pair)
        latest_day = max((s.day for s in pair if s.day), default=None)
        when = When(latest_day, latest_day) if latest_day else None
        yield _made(facts, PROTEINURIA_WITH_HEMATURIA, "renal", readings, when)
    if kidney.progressive:
        readings, when = _progressive(kidney)
        yield _made(facts, PROGRESSIVE, "renal", readings, when)
        yield _made(facts, PROGRESSIVE, "severe", readings, when)


def _progressive(kidney: Kidney) -> tuple[tuple[AnyReading, ...], When | None]:
    """The Conditions that say so, else the creatinine, and the date of it."""
    findings = (*kidney.acute_dialysis, *kidney.acute_failure)
    if findings:
        return findings, since(findings[0]) or findings[0].updated
    result = kidney.creatinine.latest
    return ((result,), result.when) if result else ((), None)


def _made(
    facts: Facts,
    concept: str,
    group: Group,
    readings: tuple[AnyReading, ...],
    when: When | None,
) -> Sign:
    """A sign that is present because the latest results, or a Condition in their place, show it."""
    present = group != "severe" or _counts_as_severe(facts, when)
    return Sign(
        concept=concept,
        group=group,
        readings=readings,
        when=when,
        present=present,
        active=present and _active(facts, when),
        explained_by=_explained_by(facts, concept, group),
    )


def _severe_nephritis(facts: Facts) -> Iterator[Sign]:
    """Glomerulonephritis with an eGFR that fell below 30 within 90 days: dated by that fall."""
    fall = _fall(facts)
    listed = [f for f in believed(facts.timeline.findings("glomerulonephritis")) if not over(f)]
    if fall is None or not listed or facts.kidney.chronic_dialysis:
        return
    yield _made(facts, "glomerulonephritis", "severe", (listed[-1], fall), fall.when)


def _fall(facts: Facts) -> Result | None:
    """The first eGFR below the limit in a year, where it is young enough and the latest is too."""
    p = facts.parameters["signs"]
    results = [r for r in facts.timeline.results("egfr") if r.counts]
    newest = latest(results)
    low = [
        r
        for r in results
        if below(r, p["egfr_severe"]) is True
        and r.when
        and facts.as_of.within(r.when.latest, days=int(p["egfr_known"]))
    ]
    if not low or newest not in low or low[0].when is None:
        return None
    recent = facts.as_of.within(low[0].when.latest, days=int(p["egfr_first"]))
    return low[0] if recent else None
