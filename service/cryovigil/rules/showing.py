"""What several rules show alike: dates under their own names, values with theirs, diagnoses."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from itertools import count
from typing import TYPE_CHECKING, Literal, TypeAlias

from cryovigil.facts.as_of import shifted
from cryovigil.facts.cryoglobulin import Determination
from cryovigil.facts.results import latest
from cryovigil.facts.signs import Sign
from cryovigil.normalize.readings import Finding, Result
from cryovigil.rules import Figure, Measured, Since

if TYPE_CHECKING:
    from cryovigil.facts import Facts

Later: TypeAlias = Literal["trace", "weak", "unissued"]


def since_sign(sign: Sign | None) -> Since | None:
    """What dates a sign: what its Condition says, or the results that show it."""
    if sign is None:
        return None
    first = sign.readings[0]
    if isinstance(first, Finding) and all(isinstance(r, Finding) for r in sign.readings):
        known = since_finding(first)
        # Two Conditions that make a sign together are dated by the later one.
        return known if sign.when in (None, known.when) else Since("seen", sign.when)
    return Since("seen", sign.when)


def since_finding(finding: Finding) -> Since:
    """Its onset, else its record, else the last edit, each under its own name."""
    if finding.onset is not None:
        return Since("since", finding.onset)
    if finding.recorded is not None:
        return Since("recorded", finding.recorded)
    return Since("last-updated", finding.updated)


def dated(known: Since | None) -> Since | None:
    """For a summary, where a date that is not known is not missed."""
    return known if known is not None and known.when is not None else None


def measured(result: Result | None) -> Measured | None:
    """A result with its range and date, where there is one."""
    return None if result is None else Measured(result)


def determined(determinations: Iterable[Determination]) -> tuple[Figure, ...]:
    """Each value with its own date."""
    return tuple(Measured(d.leading) for d in determinations)


def named(findings: Iterable[Finding]) -> tuple[str, ...]:
    """As the record words them, each once."""
    return tuple(dict.fromkeys(f.shown or f.concept for f in findings))


def later_state(determination: Determination | None) -> Later | None:
    """What has to be said of a determination since the last positive; None for a sound negative."""
    if determination is None:
        return None
    if determination.state == "trace":
        return "trace"
    if determination.weak:
        return "weak"
    return None if determination.weak_known else "unissued"


def full_months(start: date, day: date) -> int:
    """Full calendar months between two days."""
    return next(n for n in count() if shifted(start, months=n + 1) > day)


def answered_after(facts: Facts, concepts: Iterable[str], day: date) -> tuple[str, ...]:
    """Which of these have a result later than a day, as far as known here, and of when."""
    newest = ((concept, latest(facts.timeline.results(concept))) for concept in concepts)
    return tuple(
        f"{concept} {result.when.latest.isoformat()}"
        for concept, result in newest
        if result and result.when and result.when.earliest > day
    )
