"""Reads mappings/units: a file a dimension, and spellings.yaml for what laboratories write."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from msgspec import Struct, field

from cryovigil import strict_yaml
from cryovigil.errors import RulebookInvalid

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable
    from pathlib import Path

_SPELLINGS = "spellings.yaml"
_LONGEST_UNIT = 100
# The micro sign and the Greek mu look alike and are sent alike; UCUM writes u.
_MICRO = str.maketrans({"\u00b5": "u", "\u03bc": "u"})


class Plausible(Struct, frozen=True, forbid_unknown_fields=True):
    """Limits of a value in the canonical unit; outside them the unit is taken to be wrong.

    bare: the unit (a UCUM code of the file) of a value that comes without one.
    """

    because: str
    upper: float
    lower: float | None = None
    bare: str | None = None


class Scale(Struct, frozen=True):
    """How a value in one unit becomes one in `unit`, the canonical unit.

    canonical = value * factor + offset; where `log`, 10 ** value is taken first and a value above
    `log_upper` cannot be a logarithm.
    """

    unit: str
    factor: Decimal
    offset: Decimal = Decimal(0)
    log_upper: float | None = None

    @property
    def log(self) -> bool:
        """Whether values are decimal logarithms."""
        return self.log_upper is not None

    def apply(self, value: float) -> float | None:
        """The value in the canonical unit, exact in decimal: 51 mg/L is 0.051 g/L.

        None for what cannot be a logarithm.
        """
        if self.log_upper is not None:
            if value > self.log_upper:
                return None
            value = 10.0**value
        if self.factor == 1 and not self.offset:
            return value
        return float(Decimal(repr(value)) * self.factor + self.offset)


class Dimension(Struct, frozen=True):
    """One file: how each spelling of each unit is scaled, and the concepts it is read for."""

    canonical: str
    scales: Mapping[str, Scale]
    concepts: Mapping[str, Plausible]
    codes: Mapping[str, Scale]


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    """factors: UCUM code to what one of it is in the canonical unit, as a decimal string."""

    dimension: str
    canonical: str
    source: str
    factors: dict[str, str]
    concepts: dict[str, Plausible]
    offsets: dict[str, str] = field(default_factory=dict)
    logs: tuple[str, ...] = ()
    log_upper: float = 0.0
    spellings: dict[str, tuple[str, ...]] = field(default_factory=dict)


class _Spellings(Struct, frozen=True, forbid_unknown_fields=True):
    spellings: dict[str, tuple[str, ...]]


def normal_unit(text: str) -> str:
    """A unit as written, without spaces, both micro signs as u. Case stays: it tells m from M.

    A text too long for any unit stays as it is.
    """
    if len(text) > _LONGEST_UNIT:
        return text
    return "".join(text.split()).translate(_MICRO)


def load_dimensions(root: Traversable | Path) -> tuple[list[Dimension], frozenset[str]]:
    """Every dimension, and every spelling known to any of them. Raises RulebookInvalid."""
    folder = root / "units"
    common = strict_yaml.read(folder / _SPELLINGS, _Spellings).spellings
    shared = _by_spelling(common, _SPELLINGS)
    dimensions = [
        _dimension(strict_yaml.read(file, _File), shared, file.name)
        for file in strict_yaml.files(folder)
        if file.name != _SPELLINGS
    ]
    known = {spelling for dimension in dimensions for spelling in dimension.scales}
    return dimensions, frozenset(known | shared.keys())


def _dimension(file: _File, shared: Mapping[str, str], name: str) -> Dimension:
    codes = {
        code: Scale(
            unit=file.canonical,
            factor=_decimal(factor, f"{name}: factors.{code}"),
            offset=_decimal(file.offsets.get(code, "0"), f"{name}: offsets.{code}"),
        )
        for code, factor in file.factors.items()
    }
    codes |= {
        code: Scale(file.canonical, Decimal(1), log_upper=file.log_upper) for code in file.logs
    }
    _check(file, codes, name)
    own = _by_spelling(file.spellings, name)
    for code in own.values():
        if code not in codes:
            raise RulebookInvalid(f"{name}: spellings.{code}: no unit of this file")
    scales = {spelling: codes[code] for spelling, code in shared.items() if code in codes}
    scales |= {normal_unit(code): scale for code, scale in codes.items()}
    scales |= {spelling: codes[code] for spelling, code in own.items()}
    return Dimension(file.canonical, scales, file.concepts, codes)


def _check(file: _File, codes: Mapping[str, Scale], name: str) -> None:
    if file.canonical not in file.factors and not file.logs:
        raise RulebookInvalid(f"{name}: factors: the canonical unit is missing")
    if file.canonical in file.factors and file.factors[file.canonical] != "1":
        raise RulebookInvalid(f"{name}: factors.{file.canonical}: the canonical unit has factor 1")
    if file.logs and not file.log_upper > 0:
        raise RulebookInvalid(f"{name}: log_upper: needed where there are logs")
    for code in file.offsets:
        if code not in file.factors:
            raise RulebookInvalid(f"{name}: offsets.{code}: no unit of this file")
    for concept, plausible in file.concepts.items():
        if plausible.bare is not None and plausible.bare not in codes:
            raise RulebookInvalid(f"{name}: concepts.{concept}.bare: no unit of this file")


def _by_spelling(spellings: Mapping[str, tuple[str, ...]], name: str) -> dict[str, str]:
    """Normal spelling to UCUM code; a spelling of two units is refused."""
    codes: dict[str, str] = {}
    for code, written in spellings.items():
        for text in (code, *written):
            normal = normal_unit(text)
            if codes.setdefault(normal, code) != code:
                raise RulebookInvalid(f"{name}: spellings.{code}: {text!r} is another unit too")
    return codes


def _decimal(text: str, where: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise RulebookInvalid(f"{where}: a decimal number in quotes is expected") from None
