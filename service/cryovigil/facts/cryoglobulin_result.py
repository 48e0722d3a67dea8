"""What one draw says about cryoglobulin: positive, trace, negative or unknown.

A measured quantity is the strongest word, then a cryocrit above 0, then presence. A lab's own
limit may lie above ours, so that its "normal" is no negative, be it a number or worded, "negative
(< 80 mg/L)"; a number whose unit is missing says presence if it is flagged, else nothing.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from cryovigil.facts.results import FOUND, NEGATIVE, NO_VALUE, NOT_FOUND, flagged
from cryovigil.normalize.readings import Result

State: TypeAlias = Literal["positive", "trace", "negative", "unknown"]

_QUANTITY = "cryoglobulin quantity"
_CRYOCRIT = "cryocrit"
_NONE_AT_ALL = "ND"


def state_of(results: tuple[Result, ...], limit: float) -> State:
    """The state of results that were drawn together; limit: the significant quantity, g/L."""
    quantities = {_quantity(r, limit) for r in results if _measured(r, _QUANTITY)}
    others = {_cryocrit(r) for r in results if _measured(r, _CRYOCRIT)}
    presence = {_presence(r, limit) for r in results if not _measured(r, _QUANTITY, _CRYOCRIT)}
    if "positive" in quantities | others:
        return "positive"
    if "trace" in quantities or ("negative" in quantities and "positive" in presence):
        return "trace"
    for state in _STRONGEST_FIRST:
        if state in quantities | others | presence:
            return state
    return "unknown"


_STRONGEST_FIRST: tuple[State, ...] = ("positive", "trace", "negative")


def _measured(result: Result, *concepts: str) -> bool:
    return result.concept in concepts and result.value is not None


def _quantity(result: Result, limit: float) -> State:
    value = result.value or 0.0
    if result.word in NO_VALUE or value < 0:
        return "unknown"
    match result.comparator:
        case None if value > limit:
            return "positive"
        case None:
            return "trace" if value > 0 else "negative"
        case "<" | "<=":
            return _under(result, value <= limit)
        case ">":
            return "positive" if value >= limit else "unknown"
        case _:
            return "positive" if value > limit else "unknown"


def _cryocrit(result: Result) -> State:
    value = result.value or 0.0
    if result.word in NO_VALUE or value < 0:
        return "unknown"
    match result.comparator:
        case None:
            return "positive" if value > 0 else "negative"
        case "<" | "<=":
            return _under(result, low_enough=False)
        case _:
            return "positive" if value > 0 or result.comparator == ">" else "unknown"


def _under(result: Result, low_enough: bool) -> State:
    """Below a limit: negative where the limit is low enough, or the report says none at all.

    "Negative" is not enough there: it may speak of the laboratory's own limit.
    """
    if result.word in FOUND or flagged(result):
        return "unknown"
    said = result.flag == _NONE_AT_ALL or result.word == "not-detected"
    return "negative" if low_enough or said else "unknown"


def _presence(result: Result, limit: float) -> State:
    """A word, a type or a flag, of a result without a number that could be read."""
    if result.word in NO_VALUE:
        return "unknown"
    if result.word in NOT_FOUND:
        compared = result.comparator is not None
        low_enough = result.lloq is not None and result.lloq <= limit
        return _under(result, low_enough) if compared else "negative"
    if result.word in ("trace", "detected-below-lloq"):
        return "trace"
    if result.word in FOUND or result.kind is not None:
        return "positive"
    if flagged(result):
        return "positive"
    silent = result.problem is None and result.word is None and result.value is None
    return "negative" if silent and result.flag in NEGATIVE else "unknown"
