"""The store in one SQLite file: one process, one writer at a time, readers beside it."""

from __future__ import annotations

import asyncio
import fcntl
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import aiosqlite

from cryovigil.adapters.store.base import BaseStore
from cryovigil.adapters.store.session import Session
from cryovigil.adapters.store.sqlite.session import SqliteSession, translated
from cryovigil.errors import Unavailable

_BUSY_S = 30.0
_STATEMENTS = 256
# FULL: with NORMAL the last commits may be lost with the power.
_SETTINGS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA cache_size = -65536",
    "PRAGMA temp_store = MEMORY",
)


@contextmanager
def acquire_process_lock(path: Path) -> Iterator[None]:
    """Holds a SQLite file for this process alone. Raises Unavailable where another one has it."""
    path = path.resolve()
    try:
        file = path.with_name(f"{path.name}.lock").open("w")
    except OSError as error:
        raise Unavailable(
            f"database: not to be had, see CRYOVIGIL_DATABASE_URL ({type(error).__name__})"
        ) from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Unavailable("database: another serve holds this file") from None
        yield


class SqliteStore(BaseStore):
    """A migrated file. Reads go over a connection of their own and never wait for the writer."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connections: list[aiosqlite.Connection] = []
        self._write_turn = asyncio.Lock()
        self._read_turn = asyncio.Lock()

    async def open(self) -> None:
        if not self._path.exists():
            raise Unavailable("database: there is no such file, run cryovigil db upgrade")
        while len(self._connections) < 2:
            self._connections.append(await _connected(self._path))

    async def close(self) -> None:
        while self._connections:
            await self._connections.pop().close()

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[Session]:
        async with self._write_turn, _transaction(self._connection(0), "BEGIN IMMEDIATE") as own:
            yield own

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[Session]:
        async with self._read_turn, _transaction(self._connection(1), "BEGIN") as own:
            yield own

    def _connection(self, number: int) -> aiosqlite.Connection:
        if not self._connections:
            raise Unavailable("database: not open")
        return self._connections[number]


async def _connected(path: Path) -> aiosqlite.Connection:
    with translated():
        connection = await aiosqlite.connect(
            path, timeout=_BUSY_S, isolation_level=None, cached_statements=_STATEMENTS
        )
        for setting in _SETTINGS:
            await connection.execute_fetchall(setting)
    return connection


@asynccontextmanager
async def _transaction(connection: aiosqlite.Connection, begin: str) -> AsyncIterator[Session]:
    try:
        with translated():
            await connection.execute_fetchall(begin)
        yield SqliteSession(connection)
        with translated():
            await connection.execute_fetchall("COMMIT")
    except BaseException:  # a cancellation too takes the whole slice back
        try:
            await connection.execute_fetchall("ROLLBACK")
        except sqlite3.Error:
            pass  # the transaction never began, or has ended
        raise
