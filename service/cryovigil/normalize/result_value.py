"""The value of one result: a number in the canonical unit, a word, a type, a flag, a range.

What the value is decides where the code leaves it open: a cryoglobulin row of unverified axis is a
quantity by a unit of mass and volume, a cryocrit by percent, else presence (rules.md, "Codes").
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from cryovigil.normalize.naming import wording
from cryovigil.normalize.quantities import parse_quantity
from cryovigil.normalize.tables import Tables
from cryovigil.normalize.units import Amount, UnitProblem
from cryovigil.resources import CodeableConcept, Component, Observation, Quantity, Range

_UCUM = "http://unitsofmeasure.org"
_BY_UNIT = ("cryoglobulin axis unknown", "cryocrit")
_PRESENCE = "cryoglobulin presence"
_TYPE = "cryoglobulin type"
# Flags that say how a value compares; "<" and ">" only say that it lies off the scale.
_OFF_SCALE = ("<", ">")


class Value(Struct, frozen=True, kw_only=True):
    """The value members of Result (normalize/readings.py)."""

    value: float | None = None
    unit: str = ""
    comparator: str | None = None
    word: str | None = None
    flag: str | None = None
    low: float | None = None
    high: float | None = None
    kind: str | None = None
    problem: str | None = None
    lloq: float | None = None
    shown: str = ""
    shown_range: str = ""


class _Unit(Struct, frozen=True):
    code: str | None
    text: str | None
    local: str | None


def read_value(concept: str, valued: Observation | Component, tables: Tables) -> tuple[str, Value]:
    """The concept, once the value has told what a row of unknown axis measures, and its value."""
    quantity = _quantity(concept, valued, tables)
    unit = _unit(quantity, valued, tables)
    if concept in _BY_UNIT:
        concept = tables.units.axis(unit.code, unit.text, unit.local) or _PRESENCE
    value = (
        _number(concept, quantity, unit, tables) if quantity else _words(concept, valued, tables)
    )
    if valued.data_absent_reason is not None:
        value = Value(problem="absent")
    elif not _has_value(valued):
        value = Value(problem="note-only" if getattr(valued, "note", None) else None)
    value = replace(value, flag=_flag(valued, tables))
    if value.problem is None and not _has_value(valued) and value.flag is None:
        value = replace(value, problem="absent")
    return concept, _ranged(concept, value, valued, unit, tables)


def _has_value(valued: Observation | Component) -> bool:
    values = (
        valued.value_quantity,
        valued.value_codeable_concept,
        valued.value_string,
        valued.value_integer,
        valued.value_boolean,
    )
    return any(v is not None for v in values)


def _quantity(concept: str, valued: Observation | Component, tables: Tables) -> Quantity | None:
    """A number, also one that arrives as text; None where the value is something else."""
    if valued.value_quantity is not None:
        return valued.value_quantity
    if valued.value_integer is not None:
        return Quantity(value=float(valued.value_integer))
    text = valued.value_string
    if text is None or tables.values.read(text, concept) is not None:
        return None
    parsed = None if concept == _TYPE else parse_quantity(text)
    if parsed is None:
        return None
    return Quantity(value=parsed.value, comparator=parsed.comparator, unit=parsed.unit)


def _unit(quantity: Quantity | None, valued: Observation | Component, tables: Tables) -> _Unit:
    codings = valued.code.coding
    local = next(
        (u for c in codings if c.code and (u := tables.codes.local_unit(c.system, c.code))), None
    )
    if quantity is None:
        return _Unit(None, None, local)
    ucum = quantity.system in (_UCUM, None)
    return _Unit(quantity.code if ucum else None, quantity.unit or quantity.code, local)


def _number(concept: str, quantity: Quantity, unit: _Unit, tables: Tables) -> Value:
    shown = _shown(quantity)
    if quantity.value is None:
        return Value(problem="absent", shown=shown)
    if not math.isfinite(quantity.value):
        return Value(problem="implausible", shown=shown)
    amount = tables.units.convert(concept, quantity.value, unit.code, unit.text, unit.local)
    if isinstance(amount, UnitProblem):
        return Value(problem=amount.reason, shown=shown, comparator=quantity.comparator)
    return _amount(amount, quantity.comparator, shown)


def _amount(amount: Amount, comparator: str | None, shown: str) -> Value:
    """Below a limit, that limit is the assay's."""
    lloq = amount.value if comparator in ("<", "<=") else None
    return Value(
        value=amount.value, unit=amount.unit, comparator=comparator, lloq=lloq, shown=shown
    )


def _words(concept: str, valued: Observation | Component, tables: Tables) -> Value:
    if valued.value_boolean is not None:
        answer = "positive" if valued.value_boolean else "negative"
        return Value(word=answer, shown=answer)
    coded = valued.value_codeable_concept
    shown = valued.value_string or wording(coded)
    texts = [t for t in (valued.value_string, *_wordings(coded)) if t]
    word = _coded_word(coded, tables)
    read = next((r for t in texts if (r := tables.values.read(t, concept))), None)
    kinds = (
        [k for t in texts if (k := tables.values.cryoglobulin_type(t))] if _cryo(concept) else []
    )
    if word is None and read is None and not kinds:
        return Value(problem="word-unknown" if shown else "absent", shown=shown)
    found = Value(word=word or (read.word if read else None), shown=shown)
    if kinds:
        found = replace(found, kind=kinds[0], word=found.word or "positive")
    if read is not None and read.limit is not None:
        limit = tables.units.convert(concept, read.limit.value, None, read.limit.unit, None)
        found = replace(found, lloq=limit.value if isinstance(limit, Amount) else None)
    return found


def _cryo(concept: str) -> bool:
    return concept.startswith("cryoglobulin")


def _coded_word(coded: CodeableConcept | None, tables: Tables) -> str | None:
    for coding in coded.coding if coded else ():
        if coding.code and (word := tables.values.coded(coding.system, coding.code)):
            return word
    return None


def _wordings(coded: CodeableConcept | None) -> Iterator[str | None]:
    if coded is not None:
        yield coded.text
        yield from (c.display for c in coded.coding)


def _flag(valued: Observation | Component, tables: Tables) -> str | None:
    """The flag that says most: one on the value before one that only says "off the scale"."""
    given = valued.interpretation
    concepts = given if isinstance(given, list) else [given]
    flags = [
        flag
        for concept in concepts
        for coding in concept.coding
        if coding.code and (flag := tables.values.flag(coding.system, coding.code))
    ]
    return min(flags, key=lambda f: f in _OFF_SCALE, default=None)


def _ranged(
    concept: str, value: Value, valued: Observation | Component, unit: _Unit, tables: Tables
) -> Value:
    """The report's own range, in the unit of the value where it gives none of its own."""
    given = next((r for r in valued.reference_range if _normal(r)), None)
    if given is None:
        return value
    low, high = (
        _limit(concept, limit, unit, tables) if limit else None for limit in (given.low, given.high)
    )
    return replace(value, low=low, high=high, shown_range=_shown_range(given))


def _normal(given: Range) -> bool:
    kinds = given.type.coding if given.type else []
    return bool(given.low or given.high) and all(k.code in ("normal", None) for k in kinds)


def _limit(concept: str, limit: Quantity, unit: _Unit, tables: Tables) -> float | None:
    if limit.value is None or not math.isfinite(limit.value):
        return None
    code, text = limit.code, limit.unit
    if code is None and text is None:
        code, text = unit.code, unit.text
    scale = tables.units.scale(concept, code, text, unit.local)
    return None if isinstance(scale, UnitProblem) else scale.apply(limit.value)


def _shown(quantity: Quantity) -> str:
    if quantity.value is None:
        return ""
    unit = quantity.unit or quantity.code or ""
    return f"{quantity.comparator or ''}{quantity.value:.10g} {unit}".strip()


def _shown_range(given: Range) -> str:
    if given.text:
        return given.text
    low, high = (_shown(limit) if limit else "" for limit in (given.low, given.high))
    return f"{low} to {high}" if low and high else f">{low}" if low else f"<{high}"
