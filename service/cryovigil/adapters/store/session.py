"""What a dialect offers to the statements of this package."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol, TypeAlias

Row: TypeAlias = Sequence[Any]


class Session(Protocol):
    """A connection inside a transaction. Lists are passed whole, as one parameter.

    Raises Unavailable where the database may be back in a moment, else RuntimeError with the
    database's own code: no error carries a value of a row.
    """

    async def fetch(self, statement: str, *values: Any) -> Sequence[Row]:
        """The rows that a statement gives."""
        ...

    async def execute(self, statement: str, *values: Any) -> int:
        """Runs a statement; how many rows it changed."""
        ...

    async def many(self, statement: str, rows: Iterable[Row]) -> None:
        """Runs a statement once for each row of parameters, in their order."""
        ...

    async def insert_readings(self, rows: Sequence[Row]) -> None:
        """Adds rows of `reading`, as rows.reading_rows makes them.

        Raises Unavailable where another transaction has added the same resource meanwhile.
        """
        ...

    async def window(
        self, patients: Sequence[int], since: Sequence[tuple[str, int]], as_of: int
    ) -> Sequence[Row]:
        """(patient_key, body) of standing readings, for each patient and (concept, cutoff):

        what lies at the cutoff or after it, the latest that counts and the latest of any status.
        The cost does not depend on how many readings lie before the cutoff.
        """
        ...

    async def stale(
        self, patients: Sequence[int], until: Sequence[tuple[str, int]], now: int
    ) -> Sequence[Row]:
        """Places of readings before the cutoff of their concept that a later one outdates."""
        ...
