"""Units to canonical units: what a number is, for the concept it was measured for.

A unit means something only together with a concept: mg/dL becomes g/L for C4, umol/L for
creatinine, and nothing for cryocrit. A unit that is not listed for the concept converts nothing:
there is no guessing and no folding of case.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, TypeAlias

from msgspec import Struct

from cryovigil.errors import RulebookInvalid
from cryovigil.normalize.unit_files import Plausible, Scale, load_dimensions, normal_unit

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable
    from pathlib import Path

    from cryovigil.normalize.codes import Concept

Axis: TypeAlias = Literal["cryoglobulin quantity", "cryocrit"]
Reason: TypeAlias = Literal["unit-unknown", "unit-contradiction", "implausible"]

_REMEMBERED = 4096
_USUAL_LENGTH = 100  # longer texts are not remembered: a record could fill the memory with them
_AXES: tuple[Axis, ...] = ("cryoglobulin quantity", "cryocrit")


class Amount(Struct, frozen=True):
    """A number in the canonical `unit`. raw: as reported; log: raw was a decimal logarithm."""

    value: float
    unit: str
    raw: float
    log: bool = False


class UnitProblem(Struct, frozen=True):
    """Why a number could not be converted."""

    reason: Reason


UNKNOWN = UnitProblem("unit-unknown")
CONTRADICTION = UnitProblem("unit-contradiction")
IMPLAUSIBLE = UnitProblem("implausible")


class _Reader(Struct, frozen=True):
    """What one concept accepts: spellings, limits by canonical unit, the unit of a bare number."""

    scales: Mapping[str, Scale]
    limits: Mapping[str, Plausible]
    bare: Scale | None


class UnitTable:
    """Every unit of every concept. Built once, never changed."""

    def __init__(self, readers: Mapping[str, _Reader], known: frozenset[str]) -> None:
        """known: spellings of any concept, to tell a foreign unit from an unreadable one."""
        self._readers = readers
        self._known = known
        # A laboratory writes few units, and each of its results asks for one up to three times.
        self._found = lru_cache(_REMEMBERED)(self._scale)

    def convert(
        self,
        concept: str,
        value: float,
        unit_code: str | None = None,
        unit_text: str | None = None,
        local: str | None = None,
    ) -> Amount | UnitProblem:
        """A number in the canonical unit of its concept, held against its plausible limits.

        unit_code: Quantity.code where its system is UCUM; unit_text: Quantity.unit (or a code of
        another system); local: the unit the site declared for the code of the result.
        """
        scale = self.scale(concept, unit_code, unit_text, local)
        if isinstance(scale, UnitProblem):
            return scale
        amount = scale.apply(value)
        if amount is None:
            return CONTRADICTION
        limits = self._readers[concept].limits[scale.unit]
        if amount > limits.upper or (limits.lower is not None and amount < limits.lower):
            return IMPLAUSIBLE
        return Amount(amount, scale.unit, value, scale.log)

    def scale(
        self,
        concept: str,
        unit_code: str | None = None,
        unit_text: str | None = None,
        local: str | None = None,
    ) -> Scale | UnitProblem:
        """How numbers of this unit become canonical; for reference ranges, which have no limits.

        Code, text and the site's unit must agree wherever two of them are known; a unit of some
        other quantity beside a known one contradicts it. The site's unit stands in where the
        result has none, never for one that cannot be read.
        """
        usual = len(unit_code or "") + len(unit_text or "") <= _USUAL_LENGTH
        return (self._found if usual else self._scale)(concept, unit_code, unit_text, local)

    def _scale(
        self, concept: str, unit_code: str | None, unit_text: str | None, local: str | None
    ) -> Scale | UnitProblem:
        reader = self._readers.get(concept)
        if reader is None:
            return UNKNOWN
        stated = [
            normal for text in (unit_code, unit_text) if text and (normal := normal_unit(text))
        ]
        if not stated and local is None:
            return reader.bare or UNKNOWN
        found = {scale for normal in stated if (scale := reader.scales.get(normal)) is not None}
        if stated and not found:
            return UNKNOWN
        if local is not None and (declared := reader.scales.get(normal_unit(local))) is not None:
            found.add(declared)
        foreign = any(n in self._known and n not in reader.scales for n in stated)
        if foreign or len(found) > 1:
            return CONTRADICTION
        return found.pop() if found else UNKNOWN

    def axis(
        self, unit_code: str | None = None, unit_text: str | None = None, local: str | None = None
    ) -> Axis | None:
        """What a cryoglobulin row of unknown axis measures: mass by volume, or percent."""
        for axis in _AXES:
            if isinstance(self.scale(axis, unit_code, unit_text, local), Scale):
                return axis
        return None


def load_units(root: Traversable | Path, concepts: Mapping[str, Concept]) -> UnitTable:
    """The files of `root`/units, each concept of concepts.yaml with a unit in at least one.

    Raises RulebookInvalid.
    """
    dimensions, known = load_dimensions(root)
    scales: dict[str, dict[str, Scale]] = {}
    limits: dict[str, dict[str, Plausible]] = {}
    bare: dict[str, Scale] = {}
    read = ((d, name, p) for d in dimensions for name, p in d.concepts.items())
    for dimension, name, plausible in read:
        if name not in concepts or concepts[name].unit is None:
            raise RulebookInvalid(f"units: {name!r} has no unit in concepts.yaml")
        known_scales = scales.setdefault(name, {})
        for spelling, scale in dimension.scales.items():
            if known_scales.setdefault(spelling, scale) != scale:
                raise RulebookInvalid(f"units: {name!r}: {spelling!r} has two meanings")
        limits.setdefault(name, {})[dimension.canonical] = plausible
        if plausible.bare is not None:
            bare[name] = dimension.codes[plausible.bare]
    for concept in concepts.values():
        if concept.unit is not None and concept.unit not in limits.get(concept.name, {}):
            raise RulebookInvalid(f"concepts.yaml: {concept.name}.unit: no file of units has it")
    readers = {name: _Reader(scales[name], limits[name], bare.get(name)) for name in scales}
    return UnitTable(readers, known)
