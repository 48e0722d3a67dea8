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
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from cryovigil.facts.as_of import AsOf
from cryovigil.facts.cryoglobulin import Cryoglobulin, Determination
from cryovigil.facts.findings import believed, over, since
from cryovigil.facts.signs import Sign, Signs
from cryovigil.facts.truth import Truth
from cryovigil.normalize.readings import AnyReading, Finding, Result, Treatment, When
from cryovigil.timeline import Timeline

if TYPE_CHECKING:
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
    """triad: sign, c4, cryoglobulin; known: on the list.

    sign: the leading one of those present; c4: the latest; positive: the latest that counts.
    """

    level: Level
    triad: Mapping[str, Truth]
    sign: Sign | None
    c4: Result | None
    positive: Determination | None
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
    signs, known, c4 = facts.signs, _known(facts), facts.complement.c4
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
        c4=c4.result,
        positive=facts.cryoglobulin.latest_positive,
        evidence=tuple(dict.fromkeys(shown)),
        known=known,
    )


def established_at(facts: Facts, day: date) -> CryoVas | None:
    """What was established at the end of a day, with what had happened by then; None for nothing.

    A Condition with an onset by that day counts unless it had abated by then, be it a sign or what
    accounts for one: that it is over now says nothing of then, and neither does that it was
    recorded later. One without onset or record was not there on any day that can be named.
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
    then.timeline = _Hindsight(facts.timeline, then.timeline, day)
    return then.cryovas if then.cryovas.established else None


def ever_established(facts: Facts) -> CryoVas | None:
    """What is established now, else on the day of a determination, the latest first."""
    if facts.cryovas.established:
        return facts.cryovas
    days = (d.last for d in reversed(facts.cryoglobulin.determinations))
    return next((found for day in days if (found := established_at(facts, day))), None)


class _Hindsight(Timeline):
    """What is known today of a day: its results, and its Conditions as they stood at its end."""

    __slots__ = ("_day", "_now", "_then")

    def __init__(self, now: Timeline, then: Timeline, day: date) -> None:
        super().__init__((), incomplete=then.incomplete)
        self.person = then.person
        self._now, self._then, self._day = now, then, day

    def results(self, concept: str) -> tuple[Result, ...]:
        return self._then.results(concept)

    def treatments(self, concept: str) -> tuple[Treatment, ...]:
        return self._then.treatments(concept)

    def findings(self, concept: str) -> tuple[Finding, ...]:
        listed = ((f, since(f)) for f in self._now.findings(concept))
        return tuple(_as_on(f, self._day) for f, w in listed if w and w.latest <= self._day)


def _as_on(finding: Finding, day: date) -> Finding:
    """Over where it had abated by that day, whatever has become of it since."""
    if isinstance(finding.abated, When) and finding.abated.latest <= day:
        return finding
    return replace(finding, clinical=None, abated=False)


def _known(facts: Facts) -> tuple[Finding, ...]:
    """Active or in remission. Resolved or abated ones, and cryoglobulinemia alone, are not."""
    listed = believed(facts.timeline.findings("cryoglobulinemic vasculitis"))
    return tuple(
        f for f in listed if not over(f) or (f.clinical == "remission" and f.abated is False)
    )


def _level(facts: Facts, signs: Signs, triad: Mapping[str, Truth]) -> Level:
    cryoglobulin = facts.cryoglobulin
    latest = cryoglobulin.latest
    if all(triad.values()):
        wanted = facts.parameters["cryovas"]["determinations"]
        return "likely" if len(cryoglobulin.counting) >= wanted else "likely-provisional"
    if signs.present and (cryoglobulin.positive or standing_trace(cryoglobulin)):
        return "possible"
    if cryoglobulin.positive:
        return "cryoglobulinemia-only"
    if signs.suggestive and latest is not None and latest.state == "negative":
        return "suspect-repeat-cryo"
    if signs.suggestive and not cryoglobulin.tested:
        return "insufficient-data"
    return "not-supported"


def standing_trace(cryoglobulin: Cryoglobulin) -> Determination | None:
    """The last trace that no later negative takes back; a weak one takes nothing back."""
    refuted = max((d.first for d in cryoglobulin.determinations if d.refutes), default=date.min)
    traces = [d for d in cryoglobulin.determinations if d.state == "trace" and d.last >= refuted]
    return traces[-1] if traces else None


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
