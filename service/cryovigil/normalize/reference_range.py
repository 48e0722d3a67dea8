"""The report's own range: its numbers, else its text; none where several ranges contradict.

Which of several ranges is the patient's (by age, sex or pregnancy) is not decided here: they are
used where all say the same, and a range that cannot be used is said to be there.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable

from msgspec import Struct

from cryovigil.normalize.quantities import parse_quantity
from cryovigil.resources import Quantity, Range

# Turns a limit into the canonical unit; None where it has none.
Convert = Callable[[float, str | None, str | None], float | None]

_BETWEEN = re.compile(r"\s*[-\u2010-\u2015]\s*|\s+(?:to|bis|à|a)\s+", re.IGNORECASE)
_AROUND = " \t()[]"
# Longer texts are explanations: they are neither read nor shown.
_LONGEST = 120


class ReferenceRange(Struct, frozen=True):
    """low, high: canonical; unread: a range is given, and could not be used; shown: as reported."""

    low: float | None = None
    high: float | None = None
    unread: bool = False
    shown: str = ""


def read_range(
    given: Iterable[Range], convert: Convert, value: float | None = None
) -> ReferenceRange | None:
    """The range of a report, None where it gives none. value: exact and canonical, if there is one.

    Ranges of another type (therapeutic, of pregnancy) are none of normal values.
    """
    normal = [r for r in given if _normal(r)]
    if not normal:
        return None
    low, high = _limits(normal[0], convert)
    shown = _shown(normal[0])
    if len(normal) > 1:
        shown = "; ".join(dict.fromkeys(map(_shown, normal)))
        limits = [_limits(one, convert) for one in normal]
        low, open_low = _side([low for low, _ in limits], value)
        high, open_high = _side([high for _, high in limits], value)
        if open_low or open_high:
            low = high = None
    return ReferenceRange(low, high, unread=low is None and high is None, shown=shown)


def _side(limits: list[float | None], value: float | None) -> tuple[float | None, bool]:
    """The limit that decides as all of them do, and whether they leave anything open.

    That is the same limit in all, or any of them where the value is on one side of all.
    """
    known = [limit for limit in limits if limit is not None]
    if len(known) < len(limits):
        return None, bool(known)
    if len(set(known)) == 1:
        return known[0], False
    if value is not None and all(value < limit for limit in known):
        return min(known), False
    if value is not None and all(value > limit for limit in known):
        return max(known), False
    return None, True


def _normal(given: Range) -> bool:
    kinds = given.type.coding if given.type else []
    # "n/a" or "see report" is no range.
    said = given.low or given.high or any(sign.isdigit() for sign in given.text or "")
    return bool(said) and all(k.code in ("normal", None) for k in kinds)


def _limits(given: Range, convert: Convert) -> tuple[float | None, float | None]:
    low, high = given.low, given.high
    if low is None and high is None:
        low, high = _of_text(given.text or "")
    return _converted(low, convert), _converted(high, convert)


def _converted(limit: Quantity | None, convert: Convert) -> float | None:
    if limit is None or limit.value is None or not math.isfinite(limit.value):
        return None
    return convert(limit.value, limit.code, limit.unit)


def _of_text(text: str) -> tuple[Quantity | None, Quantity | None]:
    """ "0.16-0.48 g/L", "< 14", "0,1 bis 0,4 g/L": the whole text, or nothing of it."""
    if len(text) > _LONGEST:
        return None, None
    parts = [parse_quantity(part) for part in _BETWEEN.split(text.strip(_AROUND))]
    match parts:
        case [only] if only is not None and only.comparator is not None:
            limit = Quantity(value=only.value, unit=only.unit)
            return (None, limit) if only.comparator in ("<", "<=") else (limit, None)
        case [low, high] if low is not None and high is not None:
            unit = low.unit or high.unit
            same = high.unit in (None, unit) and low.comparator is high.comparator is None
            ordered = low.value <= high.value
            if same and ordered:
                return Quantity(value=low.value, unit=unit), Quantity(value=high.value, unit=unit)
    return None, None


def _shown(given: Range) -> str:
    text = given.text if given.text and len(given.text) <= _LONGEST else ""
    low, high = (quantity_text(limit) if limit else "" for limit in (given.low, given.high))
    if not low and not high:
        return text
    numbers = f"{low} to {high}" if low and high else f">{low}" if low else f"<{high}"
    told = any(sign.isdigit() for sign in text)  # as written it says the same, maybe with more
    return text if told else f"{numbers}, {text}" if text else numbers


def quantity_text(quantity: Quantity) -> str:
    """A quantity as reported."""
    if quantity.value is None:
        return ""
    unit = quantity.unit or quantity.code or ""
    return f"{quantity.comparator or ''}{quantity.value:.10g} {unit}".strip()
