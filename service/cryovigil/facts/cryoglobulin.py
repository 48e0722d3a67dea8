"""Cryoglobulin: determinations, what each says, and which positives still count.

* A determination is everything collected within 24 hours of its first result.
* positive: a quantity above 0.05 g/L, a cryocrit above 0, or presence (a type counts as one);
  trace: a quantity above 0 and not above 0.05 g/L, whatever flag or word stands beside it;
  negative: explicitly not found, a quantity or cryocrit of 0, or "<" a limit of at most 0.05 g/L.
* A negative issued under 7 days from collection is weak: the precipitate had no time to form.
* A positive counts until two later determinations, at least 12 weeks apart, are negative and not
  weak. Cryocrit and g/L have no factor between them; cryofibrinogen never enters.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import TYPE_CHECKING, Literal, TypeAlias

from msgspec import Struct

from cryovigil.facts.cryoglobulin_result import State, state_of
from cryovigil.facts.results import place, under_way
from cryovigil.facts.truth import Truth
from cryovigil.normalize.readings import Result, When

if TYPE_CHECKING:
    from cryovigil.facts import Facts, Parameters

Kind: TypeAlias = Literal["I", "II", "III", "mixed"]

# What is shown first of a determination stands first.
_CONCEPTS = (
    "cryoglobulin quantity",
    "cryocrit",
    "cryoglobulin presence",
    "cryoglobulin axis unknown",
    "cryoglobulin type",
)


class Determination(Struct, frozen=True, kw_only=True):
    """One look for cryoglobulin.

    first, last: the earliest and latest calendar day it may have been; weak: negative, and read
    too early; weak_known: whether an issue time says so; quantity: the highest measured, g/L;
    cryocrit: the highest, %; kind: its type, None where none or two contradictory ones are given.
    """

    first: date
    last: date
    state: State
    weak: bool = False
    weak_known: bool = True
    quantity: float | None = None
    cryocrit: float | None = None
    kind: Kind | None = None
    results: tuple[Result, ...] = ()

    @property
    def refutes(self) -> bool:
        """A negative that was given the time it needs."""
        return self.state == "negative" and not self.weak

    @property
    def leading(self) -> Result:
        """The result to show for it: a quantity, else a cryocrit, else presence, else a type."""
        return min(self.results, key=lambda r: (_CONCEPTS.index(r.concept), place(r)))

    @property
    def when(self) -> When | None:
        """Its date as written, for cards."""
        return self.leading.when


class Cryoglobulin(Struct, frozen=True, kw_only=True):
    """determinations, counting: oldest first; counting: the positives that still count.

    significant: above 0.05 g/L on two of them; kind: the latest type known of a positive that
    counts; pending: preliminary results, a test under way.
    """

    determinations: tuple[Determination, ...]
    counting: tuple[Determination, ...]
    significant: Truth
    kind: Kind | None
    kind_results: tuple[Result, ...]
    pending: tuple[Result, ...]

    @property
    def tested(self) -> bool:
        """Whether any determination could be read."""
        return any(d.state != "unknown" for d in self.determinations)

    @property
    def positive(self) -> bool:
        """Whether a positive counts. Where nothing was `tested`, this is no answer."""
        return bool(self.counting)

    @property
    def first_positive(self) -> Determination | None:
        """The earliest positive that counts."""
        return self.counting[0] if self.counting else None

    @property
    def latest_positive(self) -> Determination | None:
        """The latest positive that counts."""
        return self.counting[-1] if self.counting else None

    @property
    def latest(self) -> Determination | None:
        """The latest determination that could be read."""
        return next((d for d in reversed(self.determinations) if d.state != "unknown"), None)

    @property
    def since_positive(self) -> Determination | None:
        """The latest that could be read, where it is no positive and later than one that counts."""
        latest, positive = self.latest, self.latest_positive
        if latest is None or positive is None or latest.state == "positive":
            return None
        return latest if latest.first > positive.last else None

    @property
    def type_i_only(self) -> bool:
        """Positive, and the only type ever named is I."""
        return {d.kind for d in self.counting if d.kind} == {"I"}

    @property
    def mixed_or_untyped(self) -> bool:
        """Positive, and not of type I only."""
        return self.positive and not self.type_i_only

    def two(self, apart: float = 0) -> tuple[Determination, Determination] | None:
        """Two positives that count, at least so many days apart; the widest pair there is."""
        return pair(self.counting, apart)


def cryoglobulin(facts: Facts) -> Cryoglobulin:
    """Every determination known at the as-of instant."""
    p = facts.parameters["cryoglobulin"]
    results = tuple(r for concept in _CONCEPTS for r in facts.timeline.results(concept))
    determinations = _determinations((r for r in results if r.counts), p)
    counting = tuple(
        d
        for i, d in enumerate(determinations)
        if d.state == "positive" and not _ended(d, determinations[i + 1 :], p)
    )
    typed = next((d for d in reversed(counting) if d.kind), None)
    return Cryoglobulin(
        determinations=determinations,
        counting=counting,
        significant=_significant(counting, determinations, p["significant_quantity"]),
        kind=typed.kind if typed else None,
        kind_results=tuple(r for r in typed.results if r.kind) if typed else (),
        pending=under_way(results, facts),
    )


def pair(
    determinations: tuple[Determination, ...], apart: float
) -> tuple[Determination, Determination] | None:
    """The first and last of them, where there are two and so many days have surely passed."""
    if len(determinations) <= 1:
        return None
    early = min(determinations, key=lambda d: d.last)
    late = max(determinations, key=lambda d: d.first)
    return (early, late) if (late.first - early.last).days >= apart else None


def _ended(positive: Determination, later: tuple[Determination, ...], p: Parameters) -> bool:
    refuting = tuple(d for d in later if d.refutes and d.first > positive.last)
    return pair(refuting, p["negatives_apart"]) is not None


def _significant(
    counting: tuple[Determination, ...], all_: tuple[Determination, ...], limit: float
) -> Truth:
    """Desbois 2017, 2.2: "> 0.05 g/L on two determinations".

    One alone, or two without a number, tell nothing.
    """
    high = [d for d in counting if d.quantity is not None and d.quantity > limit]
    unmeasured = [d for d in counting if d.quantity is None]
    if len(high) > 1:
        return True
    if len(high) + len(unmeasured) > 1:
        return None
    return False if sum(d.state != "unknown" for d in all_) > 1 else None


def _determinations(results: Iterable[Result], p: Parameters) -> tuple[Determination, ...]:
    """Grouped by time of collection. Results of a known day first: "2017" may then join one."""
    window = timedelta(hours=p["determination"])
    groups: list[list[Result]] = []
    for result in sorted(results, key=lambda r: (_vague(r), place(r))):
        home = next((g for g in groups if _same_draw(g[0], result, window)), None)
        if home is None:
            groups.append([result])
        else:
            home.append(result)
    found = (_determination(tuple(group), p) for group in groups)
    return tuple(sorted(found, key=lambda d: (d.last, d.first)))


def _vague(result: Result) -> bool:
    return result.when is not None and result.when.earliest != result.when.latest


def _same_draw(first: Result, result: Result, window: timedelta) -> bool:
    """Within 24 hours by the clock; without one, on the same day as written."""
    a, b = first.when, result.when
    if a is None or b is None:
        return False
    if a.instant is not None and b.instant is not None:
        return abs(b.instant - a.instant) <= window
    return a.earliest <= b.latest and b.earliest <= a.latest


def _determination(results: tuple[Result, ...], p: Parameters) -> Determination:
    """Bounded by its results of a known day, where there are any."""
    limit = p["significant_quantity"]
    state = state_of(results, limit)
    dated = [r.when for r in results if r.when and not _vague(r)]
    spans = dated or [r.when for r in results if r.when]
    early = [_early(r, p) for r in results if state_of((r,), limit) == "negative"]
    return Determination(
        first=min(w.earliest for w in spans),
        last=max(w.latest for w in spans),
        state=state,
        weak=state == "negative" and all(early),
        weak_known=state != "negative" or None not in early,
        quantity=_highest(results, "cryoglobulin quantity"),
        cryocrit=_highest(results, "cryocrit"),
        kind=_kind({r.kind for r in results if r.kind}),
        results=results,
    )


def _early(result: Result, p: Parameters) -> bool | None:
    """Issued under 7 days from collection; None where no issue time says so."""
    collected, issued = result.when, result.issued
    if collected is None or issued is None:
        return None
    return (issued.earliest - collected.latest).days < p["incubation"]


def _highest(results: tuple[Result, ...], concept: str) -> float | None:
    """A number below a limit is no measurement; one above a limit is at least that."""
    return max(
        (
            r.value
            for r in results
            if r.concept == concept and r.value is not None and r.comparator not in ("<", "<=")
        ),
        default=None,
    )


def _kind(kinds: set[str]) -> Kind | None:
    """II and III are mixed, so "mixed" beside one of them adds nothing."""
    exact = kinds - {"mixed"}
    match sorted(exact or kinds):
        case ["I"] if "mixed" not in kinds:
            return "I"
        case ["II"]:
            return "II"
        case ["III"]:
            return "III"
        case ["mixed"] | ["II", "III"]:
            return "mixed"
        case _:
            return None
