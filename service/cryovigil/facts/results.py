"""How any laboratory result is read: the latest one, and whether it is low, high or positive.

A comparator is never dropped: "<15" is below 15, and above nothing that is known. The report's own
range wins over its flag; a flag "<" says below the detection limit, not low.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from cryovigil.facts.truth import Truth
from cryovigil.normalize import readings
from cryovigil.normalize.readings import Result

if TYPE_CHECKING:
    from cryovigil.facts import Facts

LOW = frozenset({"L", "LL"})
HIGH = frozenset({"H", "HH"})
ABNORMAL = frozenset({"A", "AA"})
POSITIVE = frozenset({"POS", "DET", "RR"})
NEGATIVE = frozenset({"NEG", "ND", "NR"})
FOUND = frozenset({"positive", "detected"})
NOT_FOUND = frozenset({"negative", "not-detected"})
NO_VALUE = readings.NO_VALUE


def latest(results: Iterable[Result]) -> Result | None:
    """The latest result that counts and says anything; where none does, the latest that counts.

    A failed specimen, or a text that is unknown here, does not hide the value before it.
    """
    counting = (r for r in results if r.counts)
    return max(counting, key=lambda r: (r.readable, *place(r)), default=None)


def unread(results: Iterable[Result]) -> bool:
    """Whether the newest result could not be read, and an older one is shown in its place.

    A failed specimen is not meant: that one was read, and has no value.
    """
    dated = [r for r in results if r.when]
    if not any(r.counts and r.readable for r in dated):
        return False
    newest = max(dated, key=place)
    return newest.counts and not newest.readable and newest.word not in NO_VALUE


def under_way(results: Iterable[Result], facts: Facts) -> tuple[Result, ...]:
    """Preliminary results young enough to be expected still, oldest first.

    They decide nothing, but the test is being done, and no card asks for it again.
    """
    days = int(facts.parameters["results"]["under_way"])
    young = (
        r
        for r in results
        if r.status == "preliminary" and r.when and facts.as_of.within(r.when.latest, days=days)
    )
    return tuple(sorted(young, key=place))


def place(result: Result) -> tuple[int, str, int]:
    """Where a result stands in time; ties are broken by reference, so that order never matters."""
    return result.at, result.reference, result.part


def above(result: Result, limit: float) -> Truth:
    """Whether the value is greater than a limit in its canonical unit (strict)."""
    value = result.value
    if value is None:
        return None
    if result.top is not None and result.top <= limit:
        return False
    match result.comparator:
        case None:
            return value > limit
        case ">":
            return True if value >= limit else None
        case ">=":
            return True if value > limit else None
        case _:
            return False if value <= limit else None


def below(result: Result, limit: float) -> Truth:
    """Whether the value is less than a limit in its canonical unit (strict)."""
    value = result.value
    if value is None:
        return None
    if result.top is not None and result.top < limit:
        return True
    match result.comparator:
        case None:
            return value < limit
        case "<":
            return True if value <= limit else None
        case "<=":
            return True if value < limit else None
        case _:
            return False if value >= limit else None


def abnormal_low(result: Result) -> Truth:
    """Low by the report's own range, else by its flag; never by a bare "abnormal"."""
    by_range = None if result.low is None else below(result, result.low)
    if by_range is not None:
        return by_range
    if result.flag in LOW:
        return True
    return False if result.flag in HIGH or _normal(result) else None


def abnormal_high(result: Result) -> Truth:
    """High by the report's own range, else by its flag, "abnormal" included.

    For analytes of which only a high value is abnormal, so that A can mean nothing else.
    """
    by_range = None if result.high is None else above(result, result.high)
    if by_range is not None:
        return by_range
    if result.flag in HIGH | ABNORMAL:
        return True
    return False if result.flag in LOW or _normal(result) else None


def positive(result: Result) -> Truth:
    """What a result without a limit of ours says: own range, then word, then flag.

    A value that could not be read is positive where it is flagged so, and never negative.
    """
    if result.word in NO_VALUE:
        return None
    if result.problem is not None:
        return True if flagged(result) else None
    high = abnormal_high(result)
    if high is not None:
        return high
    if result.word in FOUND or result.flag in POSITIVE:
        return True
    return False if result.word in NOT_FOUND or result.flag in NEGATIVE else None


def flagged(result: Result) -> bool:
    """Whether the report itself calls the result positive, high or abnormal."""
    return result.flag in POSITIVE | HIGH | ABNORMAL


def _normal(result: Result) -> bool:
    return result.flag == "N" or result.word == "normal"
