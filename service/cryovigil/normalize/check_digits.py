"""Check digits of code systems: a mistyped row of a mapping is refused when it is loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias

CheckDigit: TypeAlias = Literal["loinc", "snomed-ct"]

# Verhoeff's scheme: the dihedral group D5 and the permutation of a position.
_PRODUCT = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9),
    (1, 2, 3, 4, 0, 6, 7, 8, 9, 5),
    (2, 3, 4, 0, 1, 7, 8, 9, 5, 6),
    (3, 4, 0, 1, 2, 8, 9, 5, 6, 7),
    (4, 0, 1, 2, 3, 9, 5, 6, 7, 8),
    (5, 9, 8, 7, 6, 0, 4, 3, 2, 1),
    (6, 5, 9, 8, 7, 1, 0, 4, 3, 2),
    (7, 6, 5, 9, 8, 2, 1, 0, 4, 3),
    (8, 7, 6, 5, 9, 3, 2, 1, 0, 4),
    (9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
)
_PERMUTED = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9),
    (1, 5, 7, 6, 2, 8, 3, 0, 9, 4),
    (5, 8, 0, 3, 7, 9, 6, 1, 4, 2),
    (8, 9, 1, 6, 0, 4, 3, 5, 2, 7),
    (9, 4, 5, 3, 1, 2, 6, 8, 7, 0),
    (4, 2, 8, 6, 5, 7, 3, 9, 0, 1),
    (2, 7, 9, 3, 8, 0, 6, 4, 1, 5),
    (7, 0, 4, 6, 9, 1, 3, 2, 5, 8),
)


def valid_loinc(code: str) -> bool:
    """A LOINC number whose last digit is its mod 10 check digit (answers, LA..., have another)."""
    number, dash, check = code.partition("-")
    if not (dash and len(check) == 1 and _digits(number + check)):
        return False
    total = 0
    for place, digit in enumerate(reversed(number)):
        doubled = int(digit) * (2 if place % 2 == 0 else 1)
        total += doubled // 10 + doubled % 10
    return (10 - total % 10) % 10 == int(check)


def valid_sctid(code: str) -> bool:
    """A SNOMED CT identifier of 6 to 18 digits that Verhoeff's scheme accepts."""
    if not (_digits(code) and 6 <= len(code) <= 18):
        return False
    checked = 0
    for place, digit in enumerate(reversed(code)):
        checked = _PRODUCT[checked][_PERMUTED[place % 8][int(digit)]]
    return checked == 0


def _digits(text: str) -> bool:
    return text.isascii() and text.isdecimal()


VALID: Mapping[CheckDigit, Callable[[str], bool]] = {"loinc": valid_loinc, "snomed-ct": valid_sctid}
