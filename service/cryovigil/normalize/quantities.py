"""Numbers that arrive as text: "0,12 g/L", "< 0.05 g/L", "1:160", "1.2 x 10^6 IU/mL"."""

from __future__ import annotations

import re

from msgspec import Struct

# Digits in groups of three are thousands where a space parts them, where there are two groups or
# more, or where the other sign follows as the decimal one.
_NUMBER = (
    r"[0-9]{1,3}(?:[\u0020\u00a0\u2009\u202f][0-9]{3})+(?:[.,][0-9]+)?"
    r"|[0-9]{1,3}(?:(?:,[0-9]{3})+\.[0-9]+|(?:\.[0-9]{3})+,[0-9]+)"
    r"|[0-9]{1,3}(?:(?:,[0-9]{3}){2,}|(?:\.[0-9]{3}){2,})"
    r"|[0-9]+(?:[.,][0-9]+)?"
)
_POWER = (
    r"(?:[eE](?P<e>[+-]?[0-9]{1,2})|\s?[xX\u00d7*]\s?10(?:\^|\*\*|\*)(?P<ten>[0-9]{1,2})(?!\s?/))?"
)
_UNIT = r"(?P<unit>(?:[^\W\d_]|[%\[{]|/[^\W\d_]|/\[|[xX\u00d7]?\s?10[*^])[^<>=?~;]{0,30})?"
_QUANTITY = re.compile(
    rf"\s*(?P<sign><=|>=|[<>≤≥])?\s*(?P<number>{_NUMBER}){_POWER}(?![.,]?[0-9])\s*{_UNIT}\s*"
)
_TITER = re.compile(r"\s*(?P<sign>[<>≤≥]=?)?\s*1\s?[:/]\s?(?P<number>[0-9]{1,7})\s*")
_SIGNS = {"≤": "<=", "≥": ">="}
_SPAN = re.compile(
    r"\s*(?P<low>[0-9]{1,4})\s*[-\u2013]\s*(?P<high>[0-9]{1,4})(?![0-9.,])(?P<unit>.*)"
)
_LONGEST = 64


class Quantity(Struct, frozen=True):
    """A number read from text. comparator: <, <=, >, >= or None; unit: as written, or None."""

    value: float
    comparator: str | None = None
    unit: str | None = None


def parse_quantity(text: str) -> Quantity | None:
    """The quantity that the whole text is; None where it is anything else, or could be two.

    A comma before the decimals is read; "1,250" is not: it is 1.25 for one laboratory and 1250
    for another. A titer "1:160" is 160 with the unit {titer}.
    """
    if len(text) > _LONGEST:
        return None
    if titer := _TITER.fullmatch(text):
        return Quantity(float(titer["number"]), _comparator(titer["sign"]), "{titer}")
    match = _QUANTITY.fullmatch(text)
    if match is None:
        return None
    number = _number(match["number"])
    if number is None:
        return None
    power = match["e"] or match["ten"]
    value = float(f"{number}e{power}") if power else float(number)
    return Quantity(value, _comparator(match["sign"]), (match["unit"] or "").strip() or None)


def parse_span(text: str) -> tuple[Quantity, Quantity] | None:
    """ "5-10 /HPF": at least 5 and at most 10; None where the text is no such span."""
    match = _SPAN.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None or int(match["low"]) > int(match["high"]):
        return None
    unit = match["unit"].strip() or None
    return Quantity(float(match["low"]), ">=", unit), Quantity(float(match["high"]), "<=", unit)


def _comparator(sign: str | None) -> str | None:
    return _SIGNS.get(sign, sign) if sign else None


def _number(written: str) -> str | None:
    """Digits with a decimal point, as float() reads them; None where the comma is ambiguous."""
    digits = "".join(written.split())
    if "," in digits and "." in digits:
        thousands = "," if digits.index(",") < digits.index(".") else "."
        return digits.replace(thousands, "").replace(",", ".")
    if digits.count(",") > 1 or digits.count(".") > 1:
        return digits.replace(",", "").replace(".", "")
    whole, comma, decimals = digits.partition(",")
    ambiguous = comma and len(decimals) == 3 and len(whole) <= 3 and whole.strip("0")
    return None if ambiguous and digits == written else digits.replace(",", ".")
