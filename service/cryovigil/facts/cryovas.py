"""The level of suspicion of cryoglobulinemic vasculitis. The first that applies:

1. known-diagnosis: on the problem list, active or in remission; cryoglobulinemia alone is not it
2. likely: a present sign other than articular and cold alone, low C4, and a cryoglobulin positive
   on two determinations; none of them explained; C4 and the last positive within 24 months
3. likely-provisional: the same with one positive determination
4. possible: a present sign, and a cryoglobulin positive or a trace
5. cryoglobulinemia-only: positive, no sign
6. suspect-repeat-cryo: suggestive signs and a negative cryoglobulin, no later positive
7. insufficient-data: suggestive signs, and no cryoglobulin that could be read
8. not-supported
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Literal, TypeAlias

from msgspec import Struct

from cryovigil.facts.as_of import AsOf
from cryovigil.facts.findings import believed, over, since
from cryovigil.facts.signs import Sign, Signs, signs_by
from cryovigil.facts.truth import Truth
from cryovigil.normalize.readings import AnyReading, Finding, When

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from cryovigil.facts import Facts

Level: TypeAlias = Literal[
    "known-diagnosis",
    "likely",
    "likely-provisional",
    "possible",
    "cryoglobulinemia-only",
    "suspect-repeat-cryo",
    "insufficient-data",
    "not-supported",
]


class CryoVas(Struct, frozen=True, kw_only=True):
    """triad: sign, c4, cryoglobulin; sign: the leading one of those present; known: on the list."""

    level: Level
    triad: Mapping[str, Truth]
    sign: Sign | None
    evidence: tuple[AnyReading, ...]
    known: tuple[Finding, ...]

    @property
    def suspected(self) -> bool:
        """Likely, likely-provisional or possible."""
        return self.level in ("likely", "likely-provisional", "possible")

    @property
    def established(self) -> bool:
        """Known, likely or likely-provisional."""
        return self.level in ("known-diagnosis", "likely", "likely-provisional")


def cryovas(facts: Facts) -> CryoVas:
    """The level at the as-of instant."""
    return _cryovas(facts, facts.signs, over)


def established_at(facts: Facts, day: date) -> bool:
    """Whether it was established at the end of a day, with what had happened by then.

    A sign with an onset by that day counts unless it had abated by then: that it is over now says
    nothing of then. One without onset or record was not there on any day that can be named.
    """
    # What is dated a few minutes ahead counts as known: not so what is dated on the next day.
    ahead = timedelta(minutes=facts.parameters["results"]["future_tolerance"])
    end = datetime.combine(day, time.max, tzinfo=facts.as_of.zone) - ahead
    then = type(facts)(
        facts.timeline,
        AsOf(min(end, facts.as_of.instant), facts.as_of.zone),
        facts.coverage,
        facts.parameters,
        facts.concepts,
    )

    def ended(finding: Finding) -> bool:
        if since(finding) is None:
            return True
        return isinstance(finding.abated, When) and finding.abated.latest <= day

    return _cryovas(then, signs_by(then, ended), ended).established


def _cryovas(facts: Facts, signs: Signs, ended: Callable[[Finding], bool]) -> CryoVas:
    c4, known = facts.complement.c4, _known(facts, ended)
    triad: dict[str, Truth] = {
        "sign": bool(signs.triad),
        "c4": _low_c4(facts),
        "cryoglobulin": _positive(facts),
    }
    leading = (*signs.triad, *signs.present)
    shown = (
        *known,
        *(leading[0].readings if leading else ()),
        *((c4.result,) if c4.result else ()),
        *(r for d in facts.cryoglobulin.counting for r in d.results),
    )
    return CryoVas(
        level="known-diagnosis" if known else _level(facts, signs, triad),
        triad=triad,
        sign=leading[0] if leading else None,
        evidence=tuple(dict.fromkeys(shown)),
        known=known,
    )


def _known(facts: Facts, ended: Callable[[Finding], bool]) -> tuple[Finding, ...]:
    """Active or in remission. Resolved or abated ones, and cryoglobulinemia alone, are not."""
    listed = believed(facts.timeline.findings("cryoglobulinemic vasculitis"))
    return tuple(
        f for f in listed if not ended(f) or (f.clinical == "remission" and f.abated is False)
    )


def _level(facts: Facts, signs: Signs, triad: Mapping[str, Truth]) -> Level:
    cryoglobulin = facts.cryoglobulin
    latest = cryoglobulin.latest
    if all(triad.values()):
        wanted = facts.parameters["cryovas"]["determinations"]
        return "likely" if len(cryoglobulin.counting) >= wanted else "likely-provisional"
    trace = latest is not None and latest.state == "trace"
    if signs.present and (cryoglobulin.positive or trace):
        return "possible"
    if cryoglobulin.positive:
        return "cryoglobulinemia-only"
    if signs.suggestive and latest is not None and latest.state == "negative":
        return "suspect-repeat-cryo"
    if signs.suggestive and not cryoglobulin.tested:
        return "insufficient-data"
    return "not-supported"


def _low_c4(facts: Facts) -> Truth:
    """Unexplained; one older than 24 months is unknown."""
    if facts.explained.by["c4"]:
        return False
    result = facts.complement.c4.result
    if result is None or result.when is None or not _recent(facts, result.when.latest):
        return None
    return facts.complement.c4.state


def _positive(facts: Facts) -> Truth:
    """A last positive older than 24 months, and not taken back since, is unknown."""
    last = facts.cryoglobulin.latest_positive
    if last is not None:
        return True if _recent(facts, last.last) else None
    return False if facts.cryoglobulin.tested else None


def _recent(facts: Facts, day: date) -> bool:
    return facts.as_of.within(day, months=int(facts.parameters["cryovas"]["recent"]))
