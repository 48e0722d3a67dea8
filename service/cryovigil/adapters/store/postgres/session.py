"""Statements as asyncpg runs them: prepared once a connection, lists as arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import asyncpg

from cryovigil.adapters.store.session import Row
from cryovigil.errors import Unavailable

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

# InternalClientError: a connection that the server ended between two statements may say so.
_LOST = (asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)
DRIVER_ERRORS = (asyncpg.PostgresError, *_LOST)
# Classes of SQLSTATE: connection, transaction rollback (deadlock), resources, operator's
# intervention (restart), system; and single codes: lock timeout, idle transaction ended.
_PASSING_CLASSES = ("08", "40", "53", "57", "58")
_PASSING = frozenset(("55P03", "25P03"))
_INSERT = """INSERT INTO reading (resource_key, identity, part, patient_key, concept, at, counts,
        whole, doubt, head, body)
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::int[], $4::bigint[], $5::text[],
        $6::bigint[], $7::bool[], $8::bool[], $9::int[], $10::bytea[], $11::bytea[])"""
_WINDOW = """SELECT p.key, w.body
    FROM unnest($1::bigint[]) AS p(key)
    CROSS JOIN unnest($2::text[], $3::bigint[]) AS n(concept, cutoff)
    CROSS JOIN LATERAL (
        SELECT r.resource_key, r.identity, r.body FROM reading AS r
        WHERE r.patient_key = p.key AND r.concept = n.concept AND r.at >= n.cutoff
            AND NOT r.whole
        UNION ALL
        SELECT r.resource_key, r.identity, r.body FROM reading AS r
        WHERE r.patient_key = p.key AND r.concept = n.concept AND r.at < n.cutoff
            AND NOT r.whole AND r.at = ANY(ARRAY[
                (SELECT l.at FROM reading AS l
                WHERE l.patient_key = p.key AND l.concept = n.concept AND l.at <= $4
                    AND l.counts AND NOT EXISTS (SELECT 1 FROM replacement AS x
                        WHERE x.replaced_key = l.resource_key AND x.replaced = l.identity)
                ORDER BY l.at DESC LIMIT 1),
                (SELECT l.at FROM reading AS l
                WHERE l.patient_key = p.key AND l.concept = n.concept AND l.at <= $4
                    AND NOT EXISTS (SELECT 1 FROM replacement AS x
                        WHERE x.replaced_key = l.resource_key AND x.replaced = l.identity)
                ORDER BY l.at DESC LIMIT 1)])
    ) AS w
    WHERE NOT EXISTS (SELECT 1 FROM replacement AS x
        WHERE x.replaced_key = w.resource_key AND x.replaced = w.identity)"""
_STALE = """SELECT r.resource_key, r.identity, r.part
    FROM unnest($1::bigint[]) AS p(key)
    CROSS JOIN unnest($2::text[], $3::bigint[]) AS n(concept, cutoff)
    CROSS JOIN LATERAL (
        SELECT l.at FROM reading AS l
        WHERE l.patient_key = p.key AND l.concept = n.concept AND l.at <= $4 AND l.counts
            AND NOT EXISTS (SELECT 1 FROM replacement AS x
                WHERE x.replaced_key = l.resource_key AND x.replaced = l.identity)
        ORDER BY l.at DESC LIMIT 1
    ) AS latest
    JOIN reading AS r ON r.patient_key = p.key AND r.concept = n.concept
        AND r.at < n.cutoff AND r.at < latest.at
        AND NOT r.whole AND r.doubt = 0"""


@contextmanager
def translated() -> Iterator[None]:
    """Errors of the driver as ours. Their own messages may quote a row."""
    try:
        yield
    except asyncpg.PostgresError as error:
        code = error.sqlstate or type(error).__name__
        if code in _PASSING or code[:2] in _PASSING_CLASSES:
            raise Unavailable(f"database: {code}") from None
        raise RuntimeError(f"database: {code}") from None
    except _LOST as error:
        raise Unavailable(f"database: {type(error).__name__}") from None


class PostgresSession:
    """One connection of the pool, inside a transaction."""

    def __init__(self, connection: PoolConnectionProxy) -> None:
        self._connection = connection

    async def fetch(self, statement: str, *values: Any) -> Sequence[Row]:
        with translated():
            # A Record is a sequence, though its type does not say so.
            return cast(Sequence[Row], await self._connection.fetch(statement, *values))

    async def execute(self, statement: str, *values: Any) -> int:
        with translated():
            status = await self._connection.execute(statement, *values)
        return int(status.rpartition(" ")[2])

    async def many(self, statement: str, rows: Iterable[Row]) -> None:
        with translated():
            await self._connection.executemany(statement, rows)

    async def insert_readings(self, rows: Sequence[Row]) -> None:
        columns = [list(column) for column in zip(*rows, strict=True)]
        with translated():
            try:
                await self._connection.execute(_INSERT, *columns)
            except asyncpg.UniqueViolationError:
                # Nothing locked guards a resource that neither transaction knew before.
                raise Unavailable("database: a resource was added meanwhile") from None

    async def window(
        self, patients: Sequence[int], since: Sequence[tuple[str, int]], as_of: int
    ) -> Sequence[Row]:
        return await self.fetch(_WINDOW, list(patients), *_columns(since), as_of)

    async def stale(
        self, patients: Sequence[int], until: Sequence[tuple[str, int]], now: int
    ) -> Sequence[Row]:
        return await self.fetch(_STALE, list(patients), *_columns(until), now)


def _columns(pairs: Sequence[tuple[str, int]]) -> tuple[list[str], list[int]]:
    return [concept for concept, _ in pairs], [instant for _, instant in pairs]
