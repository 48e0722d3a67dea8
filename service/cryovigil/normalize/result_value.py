"""The value of one result: a number in the canonical unit, a word, a type, a flag, a range.

What the value is decides where the code leaves it open: a cryoglobulin row of unverified axis is a
quantity by a unit of mass and volume, a cryocrit by percent, else presence.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from cryovigil.normalize.naming import wording
from cryovigil.normalize.quantities import Quantity as Parsed, parse_quantity, parse_span
from cryovigil.normalize.reference_range import quantity_text, read_range
from cryovigil.normalize.tables import Tables
from cryovigil.normalize.units import Amount, UnitProblem
from cryovigil.resources import CodeableConcept, Component, Observation, Quantity

_UCUM = "http://unitsofmeasure.org"
_BY_UNIT = ("cryoglobulin axis unknown", "cryocrit")
_PRESENCE = "cryoglobulin presence"
_TYPE = "cryoglobulin type"
# What a limit beside the words of a presence is a limit of.
_LIMIT_OF = {"hcv rna presence": "hcv rna", "hcv rna axis unknown": "hcv rna"}
# A bare limit of an RNA is read in IU/mL: in copies the assay would be more sensitive still.
_BARE_LIMIT = {"hcv rna": "[IU]/mL"}
# Cells are counted field by field, and reported as a span: "5-10 /HPF".
_SPANS = ("urine erythrocytes",)
_TITER = "{titer}"
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
    top: float | None = None
    range_unread: bool = False
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
        _number(concept, quantity, unit, valued, tables)
        if quantity
        else _words(concept, valued, tables)
    )
    if valued.data_absent_reason is not None:
        value = Value(problem="absent")
    elif not _has_value(valued):
        value = Value(problem="note-only" if getattr(valued, "note", None) else None)
    value = replace(value, flag=_flag(valued, tables))
    if value.comparator is None and (limit := _limit_of_code(valued, tables)) is not None:
        value = replace(value, lloq=limit)
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
    if parsed is None and concept in _SPANS and (span := parse_span(text)):
        parsed = span[0]
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


def _number(
    concept: str, quantity: Quantity, unit: _Unit, valued: Observation | Component, tables: Tables
) -> Value:
    shown = _shown(quantity, valued)
    if quantity.value is None:
        return Value(problem="absent", shown=shown)
    if not math.isfinite(quantity.value):
        return Value(problem="implausible", shown=shown)
    amount = tables.units.convert(concept, quantity.value, unit.code, unit.text, unit.local)
    if isinstance(amount, UnitProblem):
        return Value(problem=amount.reason, shown=shown, comparator=quantity.comparator)
    read = _amount(amount, quantity.comparator, shown)
    return replace(read, top=_top(concept, valued, tables)) if concept in _SPANS else read


def _shown(quantity: Quantity, valued: Observation | Component) -> str:
    """As reported; a titer by its dilution, which no one takes for a concentration."""
    if valued.value_string is not None:
        return valued.value_string.strip()
    if _TITER in (quantity.code, quantity.unit) and quantity.value is not None:
        return f"{quantity.comparator or ''}1:{quantity.value:.10g}"
    return quantity_text(quantity)


def _top(concept: str, valued: Observation | Component, tables: Tables) -> float | None:
    """The upper end of a span."""
    span = parse_span(valued.value_string or "")
    if span is None:
        return None
    top = tables.units.convert(concept, span[1].value, None, span[1].unit, None)
    return top.value if isinstance(top, Amount) else None


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
        found = replace(found, comparator="<", lloq=_limit_beside(concept, read.limit, tables))
    return found


def _limit_beside(concept: str, limit: Parsed, tables: Tables) -> float | None:
    measured = "cryoglobulin quantity" if _cryo(concept) else _LIMIT_OF.get(concept, concept)
    unit = limit.unit or _BARE_LIMIT.get(measured)
    amount = tables.units.convert(measured, limit.value, None, unit, None)
    return amount.value if isinstance(amount, Amount) else None


def _limit_of_code(valued: Observation | Component, tables: Tables) -> float | None:
    """What the assay of the code detects at least, the least sensitive one of several."""
    limits = [
        limit
        for c in valued.code.coding
        if c.code and (limit := tables.codes.limit(c.system, c.code)) is not None
    ]
    return max(limits) if limits else None


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
    if not valued.reference_range:
        return value

    def convert(limit: float, code: str | None, text: str | None) -> float | None:
        if code is None and text is None:
            code, text = unit.code, unit.text
        scale = tables.units.scale(concept, code, text, unit.local)
        return None if isinstance(scale, UnitProblem) else scale.apply(limit)

    exact = value.value if value.comparator is None and not value.top else None
    own = read_range(valued.reference_range, convert, exact)
    if own is None:
        return value
    return replace(
        value, low=own.low, high=own.high, range_unread=own.unread, shown_range=own.shown
    )
