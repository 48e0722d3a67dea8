"""What the HCV RNA results of one day say.

not-detected only where that is said, or where the number is 0. "<15" alone is ambiguous, and so is
a number below the assay's limit: laboratories send 1 for undetectable and 14 for "below 15,
detected". By themselves these are neither viremia nor cure.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias

from msgspec import Struct

from cryovigil.facts.results import FOUND, NEGATIVE, NO_VALUE, NOT_FOUND, POSITIVE, place
from cryovigil.normalize.readings import Result, When

RnaState: TypeAlias = Literal[
    "not-detected", "detected-below-lloq", "detected", "ambiguous", "unknown"
]

_IN_UNITS = ("hcv rna", "hcv rna log")
_NUMBERS = (*_IN_UNITS, "hcv rna copies")
_BELOW_LLOQ = "detected-below-lloq"
_NOT_DETECTED = ("ND", "not-detected")
_STRONGEST_FIRST: tuple[RnaState, ...] = (
    "detected",
    "detected-below-lloq",
    "not-detected",
    "ambiguous",
)


class Sample(Struct, frozen=True, kw_only=True):
    """One day's HCV RNA.

    iu: IU/mL, None for copies and words; lloq: the assay's limit in IU/mL, where the report or its
    code states one; incomparable: a limit is stated, and not in IU/mL; result: the one that
    decided.
    """

    day: When
    state: RnaState
    iu: float | None = None
    lloq: float | None = None
    incomparable: bool = False
    result: Result

    @property
    def found(self) -> bool:
        """Detected, be it below the limit of quantification."""
        return self.state in ("detected", "detected-below-lloq")


def samples_of(results: Iterable[Result], limit: float) -> tuple[Sample, ...]:
    """Results that count, one sample a day, oldest first; limit: the assay limit, IU/mL."""
    days: dict[When, list[Result]] = {}
    for result in sorted((r for r in results if r.counts), key=place):
        if result.when is not None:
            day = When(result.when.earliest, result.when.latest)
            days.setdefault(day, []).append(result)
    found = (_sample(day, rows, limit) for day, rows in days.items())
    return tuple(sorted(found, key=lambda s: (s.day.latest, s.day.earliest)))


def _sample(day: When, rows: list[Result], limit: float) -> Sample:
    """The strongest word of the day; a plain "detected" beside "<15" means below that limit."""
    states = [(_state(r, limit), r) for r in rows]
    state: RnaState = next(
        (s for s in _STRONGEST_FIRST if any(s == t for t, _ in states)), "unknown"
    )
    shown = next(r for t, r in states if t == state)
    if state == "detected" and shown.concept not in _NUMBERS:
        state, shown = _beside_numbers(states, shown)
    limits = [x for t, r in states if t == state and (x := _lloq(r)) is not None]
    return Sample(
        day=day,
        state=state,
        iu=max((r.value for r in rows if _measured(r) and r.value is not None), default=None),
        lloq=min(limits, default=None),
        incomparable=not limits and any(_limited(r) for t, r in states if t == state),
        result=shown,
    )


def _beside_numbers(
    states: list[tuple[RnaState, Result]], worded: Result
) -> tuple[RnaState, Result]:
    for state, result in states:
        if state in ("detected", "ambiguous", "detected-below-lloq") and result.concept in _NUMBERS:
            return ("detected" if state == "detected" else "detected-below-lloq"), result
    return "detected", worded


def _state(result: Result, limit: float) -> RnaState:
    if result.word in NO_VALUE:
        return "unknown"
    if result.concept in _NUMBERS and result.value is not None:
        return _of_number(result, result.value, limit)
    if result.word == _BELOW_LLOQ:
        return "detected-below-lloq"
    if result.word in FOUND:
        return "detected"
    if result.word in NOT_FOUND:
        return "not-detected"
    if result.flag in POSITIVE:
        return "detected"
    silent = result.problem is None and result.word is None
    return "not-detected" if silent and result.flag in NEGATIVE else "unknown"


def _of_number(result: Result, value: float, limit: float) -> RnaState:
    """A number is held against what the report says beside it; contradiction is ambiguous."""
    said_absent = result.flag in NEGATIVE or result.word in NOT_FOUND
    surely_absent = result.flag in _NOT_DETECTED or result.word in _NOT_DETECTED
    present = result.flag in POSITIVE or result.word in FOUND or result.word == _BELOW_LLOQ
    if value < 0 or (said_absent and present):
        return "unknown" if value < 0 else "ambiguous"
    if value == 0 and result.comparator is None:
        return "ambiguous" if present else "not-detected"
    quantifiable = limit if result.lloq is None else min(limit, result.lloq)
    small = result.comparator is None and value < quantifiable
    if small or result.comparator in ("<", "<="):
        if present:
            return "detected-below-lloq"
        return "not-detected" if surely_absent else "ambiguous"
    return "ambiguous" if said_absent else "detected"


def _measured(result: Result) -> bool:
    return result.concept in _IN_UNITS and not _limited(result)


def _lloq(result: Result) -> float | None:
    """As stated, else the number it lies below; none in copies, which have no factor to IU."""
    if result.concept == "hcv rna copies":
        return None
    return result.value if result.lloq is None and _limited(result) else result.lloq


def _limited(result: Result) -> bool:
    """Whether a limit stands beside it, in whatever unit."""
    return result.comparator in ("<", "<=")
