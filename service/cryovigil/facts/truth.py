"""Three-valued logic (Kleene): True, False, and None where it cannot be told.

An unknown decides only where it matters: one no settles "all of", one yes settles "any of".
"""

from __future__ import annotations

from typing import TypeAlias

Truth: TypeAlias = "bool | None"


def all_of(*values: Truth) -> Truth:
    """Whether every value is true."""
    if False in values:
        return False
    return None if None in values else True


def any_of(*values: Truth) -> Truth:
    """Whether one value is true."""
    if True in values:
        return True
    return None if None in values else False


def negation(value: Truth) -> Truth:
    """Not; the unknown stays unknown."""
    return None if value is None else not value
