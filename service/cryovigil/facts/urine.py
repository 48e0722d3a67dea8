"""Proteinuria and hematuria: what shows them, and when.

* proteinuria: more than 0.5 g/day, or a protein/creatinine ratio above 500 mg/g. A concentration,
  an albumin ratio or a strip never shows it.
* hematuria: erythrocytes above their own range or flagged, else more than 3/HPF or 10/uL; a strip
  of 1+ or more, a trace being less; hemoglobin by its own range or flag.

The latest result that can be read decides, all those of its day together. An ongoing Condition
stands in for the result, unless a result from its first day on says the contrary; it then shows
its trait from that day on.

A proteinuria is new by what came before the unbroken run of high values it belongs to, so that the
control which confirms it does not take it back. A value that is not high ends a run, and so do 365
days without any.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import date
from itertools import product
from typing import TYPE_CHECKING

from msgspec import Struct

from cryovigil.facts.as_of import shifted
from cryovigil.facts.findings import ongoing, since
from cryovigil.facts.results import NO_VALUE, abnormal_high, above, place, positive
from cryovigil.facts.truth import Truth, any_of
from cryovigil.normalize.readings import Finding, Result

if TYPE_CHECKING:
    from cryovigil.facts import Facts, Parameters

_PROTEIN = {
    "urine protein 24 h": "protein_day",
    "urine protein creatinine ratio": "protein_ratio",
}
_ERYTHROCYTES = "urine erythrocytes"
_BY_UNIT = {"/[HPF]": "erythrocytes_field", "/uL": "erythrocytes_volume"}
_STRIP = "urine blood strip"
_BLOOD = (
    _ERYTHROCYTES,
    "urine dysmorphic erythrocytes",
    _STRIP,
    "urine hemoglobin concentration",
)


class Shown(Struct, frozen=True):
    """One thing that shows a trait.

    day: the earliest day of it, None where it has no date; lasting: a Condition, which shows it
    from that day on. Of a proteinuria, began: the first day of its run of high values, None where
    it has no date; new: no value above the threshold in the 365 days before that day.
    """

    reading: Result | Finding
    day: date | None
    lasting: bool
    began: date | None = None
    new: bool = True


class Trait(Struct, frozen=True):
    """state: whether there is one, None where nothing tells; latest: the results of that day."""

    state: Truth
    latest: tuple[Result, ...]
    shown: tuple[Shown, ...]


class Urine(Struct, frozen=True):
    """The two traits, and the pairs of them that belong together."""

    proteinuria: Trait
    hematuria: Trait
    together: tuple[tuple[Shown, Shown], ...]

    @property
    def both(self) -> Truth:
        """Whether the two are there, within 30 days of each other."""
        if self.together:
            return True
        states = (self.proteinuria.state, self.hematuria.state)
        return None if None in states and False not in states else False


def urine(facts: Facts) -> Urine:
    """The traits at the as-of instant."""
    p = facts.parameters["urine"]
    protein, blood = _protein(facts, p), _blood(facts, p)
    apart = int(p["together"])
    pairs = product(protein.shown, blood.shown)
    return Urine(
        proteinuria=protein,
        hematuria=blood,
        together=tuple((a, b) for a, b in pairs if _near(a, b, apart)),
    )


def _near(a: Shown, b: Shown, days: int) -> bool:
    """Within so many days of each other; a Condition lasts, and one without a day always has."""
    if a.day is None or b.day is None:
        return True
    early, late = sorted((a, b), key=lambda s: s.day or date.max)
    if early.lasting or early.day is None or late.day is None:
        return True
    return (late.day - early.day).days <= days


def _protein(facts: Facts, p: Parameters) -> Trait:
    results = _counting(facts, _PROTEIN)
    trait = _trait(facts, results, lambda r: _much_protein(r, p), "proteinuria")
    days = _days((r, _much_protein(r, p)) for r in results)
    new = tuple(_dated(facts, s, days, int(p["new"])) for s in trait.shown)
    return Trait(trait.state, trait.latest, new)


def _much_protein(result: Result, p: Parameters) -> Truth:
    return above(result, p[_PROTEIN[result.concept]])


def _days(read: Iterable[tuple[Result, Truth]]) -> dict[date, bool]:
    """Whether the protein of a day was high, newest first; any high result of the day makes it."""
    found: dict[date, bool] = {}
    for result, high in read:
        if high is not None and result.when is not None:
            found[result.when.latest] = high or found.get(result.when.latest, False)
    return dict(sorted(found.items(), reverse=True))


def _dated(facts: Facts, shown: Shown, days: dict[date, bool], gap: int) -> Shown:
    """With the first day of its run, and whether that one is new."""
    first, began = shown.day or facts.as_of.today, shown.day
    earlier = {day: high for day, high in days.items() if day < first}
    for day, high in earlier.items():
        if not high or day < shifted(first, days=-gap):
            break
        first = began = day
    # A Condition stands in for its result: what the list has had since earlier began then.
    for finding in ongoing(facts.timeline.findings("proteinuria")):
        if (listed := since(finding)) is not None and listed.latest < first:
            first = began = listed.latest
    start = shifted(first, days=-gap)
    new = not any(high and start <= day < first for day, high in earlier.items())
    return Shown(shown.reading, shown.day, shown.lasting, began, new)


def _blood(facts: Facts, p: Parameters) -> Trait:
    return _trait(facts, _counting(facts, _BLOOD), lambda r: _bloody(r, p), "hematuria")


def _bloody(result: Result, p: Parameters) -> Truth:
    if result.concept == _STRIP and result.word == "trace":
        return False
    if result.concept != _ERYTHROCYTES or result.word in NO_VALUE or result.problem is not None:
        return positive(result)
    high = abnormal_high(result)
    limit = p[_BY_UNIT[result.unit]] if result.unit in _BY_UNIT else None
    if result.range_unread:  # it has a range of its own, whatever that says
        limit = None
    if high is None and result.value is not None and limit is not None:
        return above(result, limit)
    return positive(result) if high is None else high


def _counting(facts: Facts, concepts: Iterable[str]) -> list[Result]:
    found = (r for concept in concepts for r in facts.timeline.results(concept) if r.counts)
    return sorted(found, key=place)


def _trait(
    facts: Facts, results: Iterable[Result], state: Callable[[Result], Truth], condition: str
) -> Trait:
    read = [(state(r), r) for r in results]
    known = [(s, r) for s, r in read if s is not None and r.when]
    newest = max((r.when.latest for _, r in known if r.when), default=None)
    last = [(s, r) for s, r in known if r.when and r.when.latest == newest]
    by_result = any_of(*(s for s, _ in last)) if last else None
    shown = [
        *(Shown(r, r.when.earliest, lasting=False) for s, r in last if s and r.when),
        *_standing_in(facts, condition, newest if by_result is False else None),
    ]
    return Trait(True if shown else by_result, tuple(r for _, r in last), tuple(shown))


def _standing_in(facts: Facts, condition: str, denied: date | None) -> Iterator[Shown]:
    """Ongoing Conditions; denied: the day of a result that says there is none."""
    for finding in ongoing(facts.timeline.findings(condition)):
        when = since(finding) or finding.updated
        day = when.earliest if when else None
        if denied is None or (day is not None and day > denied):
            yield Shown(finding, day, lasting=True)
