"""What the service's database says, read past the service: how far it is, and what it holds."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from typing import Any, Protocol

import asyncpg
from msgspec import Struct

from benchmarks.hospital import Expected
from benchmarks.processes import parent_of

_HANDLED = "SELECT topic, count(*), sum(next_offset) FROM consumer_offset GROUP BY topic"
_READINGS = "SELECT concept, count(*) FROM reading GROUP BY concept"
_CARDS = "SELECT rule, count(*) FROM card WHERE state = 'open' GROUP BY rule"
_LETTERS = "SELECT count(*) FROM dead_letter"


class Mismatch(Exception):
    """The store holds something else than what was sent amounts to."""


class Books(Protocol):
    """A connection of our own to the service's database."""

    async def rows(self, statement: str) -> Sequence[Sequence[Any]]: ...

    async def server(self) -> int | None:
        """The process id of the database server, None where there is none."""
        ...

    async def version(self) -> str: ...


class _Sqlite(Struct, frozen=True):
    file: sqlite3.Connection

    async def rows(self, statement: str) -> Sequence[Sequence[Any]]:
        return self.file.execute(statement).fetchall()

    async def server(self) -> int | None:
        return None

    async def version(self) -> str:
        return f"SQLite {sqlite3.sqlite_version}"


class _Postgres(Struct, frozen=True):
    connection: asyncpg.Connection

    async def rows(self, statement: str) -> Sequence[Sequence[Any]]:
        return [tuple(row) for row in await self.connection.fetch(statement)]

    async def server(self) -> int | None:
        """A backend's parent is the postmaster."""
        return parent_of(await self.connection.fetchval("SELECT pg_backend_pid()"))

    async def version(self) -> str:
        return f"PostgreSQL {await self.connection.fetchval('SHOW server_version')}"


@asynccontextmanager
async def open_books(url: str) -> AsyncIterator[Books]:
    """Reads the database at the URL that the service was given."""
    if url.startswith("sqlite:///"):
        address = f"file:{url.removeprefix('sqlite:///')}?mode=ro"
        with closing(sqlite3.connect(address, uri=True)) as file:
            yield _Sqlite(file)
        return
    connection = await asyncpg.connect(url)
    try:
        yield _Postgres(connection)
    finally:
        await connection.close()


async def handled(books: Books) -> dict[str, tuple[int, int]]:
    """By topic: partitions that the service has claimed, records that it has committed."""
    found = await books.rows(_HANDLED)
    return {topic: (int(claimed), int(offset or 0)) for topic, claimed, offset in found}


async def check(books: Books, expected: Expected) -> None:
    """Raises Mismatch with the first difference."""
    letters = (await books.rows(_LETTERS))[0][0]
    if letters:
        raise Mismatch(f"dead letters: expected 0, found {letters}")
    _compare("readings", expected.readings, await books.rows(_READINGS))
    _compare("open cards", expected.cards, await books.rows(_CARDS))


def _compare(what: str, expected: Counter[str], rows: Sequence[Sequence[Any]]) -> None:
    found = Counter({str(name): int(count) for name, count in rows})
    for name in sorted(expected.keys() | found.keys()):
        if expected[name] != found[name]:
            raise Mismatch(f"{what} of {name}: expected {expected[name]}, found {found[name]}")
