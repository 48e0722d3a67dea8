"""What a site declares to be complete, so that absence may be read as a no.

Coverage is declared by class (conditions, treatments, laboratory) from a date on; by default none
is. `evaluate` without --partial declares everything: what it is given is the whole record.
"""

from __future__ import annotations

from datetime import date
from typing import Literal, TypeAlias

from msgspec import Struct

CoverageClass: TypeAlias = Literal["conditions", "treatments", "laboratory"]


class Coverage(Struct, frozen=True):
    """The day each class is complete from; None: it is not declared."""

    conditions: date | None = None
    treatments: date | None = None
    laboratory: date | None = None

    def spans(self, name: CoverageClass, since: date | None = None) -> bool:
        """Whether a class is declared complete, from `since` at the latest where one is given."""
        start: date | None = getattr(self, name)
        return start is not None and (since is None or start <= since)

    @property
    def complete(self) -> bool:
        """Whether every class is declared."""
        return None not in (self.conditions, self.treatments, self.laboratory)


WHOLE = Coverage(date.min, date.min, date.min)
NONE = Coverage()
