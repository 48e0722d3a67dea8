"""Statements as SQLite reads them."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import aiosqlite
import msgspec

from cryovigil.adapters.store.session import Row
from cryovigil.errors import Unavailable

# What this database may get over by itself: another process writes, the disk is full or away.
_PASSING = frozenset(
    (
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
    )
)
_PRIMARY_CODE = 0xFF
_REWRITTEN = (
    (re.compile(r"\s+FOR (UPDATE|SHARE)( OF \w+)?( SKIP LOCKED)?"), ""),
    (re.compile(r"= ANY\(\$(\d+)::\w+\[\]\)"), r"IN (SELECT value FROM json_each(?\1))"),
    (re.compile(r"::\w+(\[\])?"), ""),
    (re.compile(r"\$(\d+)"), r"?\1"),
)
_INSERT = """INSERT INTO reading (resource_key, identity, part, patient_key, concept, at, counts,
    whole, doubt, head, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
# CROSS JOIN keeps the order of the tables: the lists drive, the index of readings is searched. The
# unary plus leaves the search to the two latest instants: the range before holds all the history.
_WINDOW = """
    SELECT r.patient_key, r.body
    FROM json_each(?1) AS p CROSS JOIN json_each(?2) AS n CROSS JOIN reading AS r
        ON r.patient_key = p.value AND r.concept = json_extract(n.value, '$[0]')
        AND r.at >= json_extract(n.value, '$[1]')
    WHERE NOT r.whole AND NOT EXISTS (SELECT 1 FROM replacement AS x
        WHERE x.replaced_key = r.resource_key AND x.replaced = r.identity)
    UNION ALL
    SELECT r.patient_key, r.body
    FROM json_each(?1) AS p CROSS JOIN json_each(?2) AS n CROSS JOIN reading AS r
        ON r.patient_key = p.value AND r.concept = json_extract(n.value, '$[0]')
        AND +r.at < json_extract(n.value, '$[1]')
        AND r.at IN (
            (SELECT l.at FROM reading AS l
                WHERE l.patient_key = p.value AND l.concept = json_extract(n.value, '$[0]')
                    AND l.at <= ?3 AND l.counts AND NOT EXISTS (SELECT 1 FROM replacement AS x
                        WHERE x.replaced_key = l.resource_key AND x.replaced = l.identity)
                ORDER BY l.at DESC LIMIT 1),
            (SELECT l.at FROM reading AS l
                WHERE l.patient_key = p.value AND l.concept = json_extract(n.value, '$[0]')
                    AND l.at <= ?3 AND NOT EXISTS (SELECT 1 FROM replacement AS x
                        WHERE x.replaced_key = l.resource_key AND x.replaced = l.identity)
                ORDER BY l.at DESC LIMIT 1))
    WHERE NOT r.whole AND NOT EXISTS (SELECT 1 FROM replacement AS x
        WHERE x.replaced_key = r.resource_key AND x.replaced = r.identity)"""
_STALE = """
    SELECT r.resource_key, r.identity, r.part
    FROM json_each(?1) AS p CROSS JOIN json_each(?2) AS n CROSS JOIN reading AS r
        ON r.patient_key = p.value AND r.concept = json_extract(n.value, '$[0]')
        AND r.at < json_extract(n.value, '$[1]')
        AND r.at < (SELECT l.at FROM reading AS l
            WHERE l.patient_key = p.value AND l.concept = json_extract(n.value, '$[0]')
                AND l.at <= ?3 AND l.counts AND NOT EXISTS (SELECT 1 FROM replacement AS x
                    WHERE x.replaced_key = l.resource_key AND x.replaced = l.identity)
            ORDER BY l.at DESC LIMIT 1)
    WHERE NOT r.whole AND r.doubt = 0"""


@contextmanager
def translated() -> Iterator[None]:
    """Errors of the driver as ours. Their own messages may quote a row."""
    try:
        yield
    except sqlite3.Error as error:
        # Errors of the module itself, such as a closed connection, carry no code.
        code = getattr(error, "sqlite_errorcode", 0)
        name = getattr(error, "sqlite_errorname", type(error).__name__)
        if code & _PRIMARY_CODE in _PASSING:
            raise Unavailable(f"database: {name}") from None
        raise RuntimeError(f"database: {name}") from None


class SqliteSession:
    """One connection. A list of values is a JSON array to SQLite."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection

    async def fetch(self, statement: str, *values: Any) -> Sequence[Row]:
        with translated():
            found = await self._connection.execute_fetchall(_rewritten(statement), _bound(values))
        return list(found)

    async def execute(self, statement: str, *values: Any) -> int:
        with translated():
            cursor = await self._connection.execute(_rewritten(statement), _bound(values))
            changed = cursor.rowcount
            await cursor.close()
        return changed

    async def many(self, statement: str, rows: Iterable[Row]) -> None:
        with translated():
            await (await self._connection.executemany(_rewritten(statement), rows)).close()

    async def insert_readings(self, rows: Sequence[Row]) -> None:
        await self.many(_INSERT, rows)

    async def window(
        self, patients: Sequence[int], since: Sequence[tuple[str, int]], as_of: int
    ) -> Sequence[Row]:
        return await self._listed(_WINDOW, patients, since, as_of)

    async def stale(
        self, patients: Sequence[int], until: Sequence[tuple[str, int]], now: int
    ) -> Sequence[Row]:
        return await self._listed(_STALE, patients, until, now)

    async def _listed(self, statement: str, *values: Any) -> Sequence[Row]:
        """`$` begins a JSON path in these, so that they are not rewritten."""
        with translated():
            return list(await self._connection.execute_fetchall(statement, _bound(values)))


@cache
def _rewritten(statement: str) -> str:
    for pattern, replacement in _REWRITTEN:
        statement = pattern.sub(replacement, statement)
    return statement


def _bound(values: Sequence[Any]) -> list[Any]:
    return [
        msgspec.json.encode(value).decode() if isinstance(value, list) else value
        for value in values
    ]
