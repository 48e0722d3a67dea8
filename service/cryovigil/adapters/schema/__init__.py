"""The tables of both databases, and how they come to be.

A migration is turned into the SQL of its dialect first and then run in one transaction together
with the note of its revision, so that it happens whole or not at all and any number of processes
may start at once. Migrations therefore are SQL only: none looks at what the database answers.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import closing
from io import StringIO
from pathlib import Path

import asyncpg
from alembic import command
from alembic.config import Config

from cryovigil.errors import Unavailable

HEAD = "0001"
SQLITE = "sqlite:///"
_LOCK = 0x6372796F  # the advisory lock of our migrations: "cryo"
_WAIT_S = 30
_PAUSE_S = 0.05
_REVISION = "SELECT version_num FROM alembic_version"


def migrate(url: str) -> None:
    """Brings the database of a URL to HEAD. Blocks. Raises Unavailable where it cannot be had."""
    if url.startswith(SQLITE):
        _migrate_sqlite(Path(url.removeprefix(SQLITE)))
    else:
        asyncio.run(_migrate_postgres(url))


def current(url: str) -> str | None:
    """The revision of the database of a URL, None where it has no tables of ours. Blocks."""
    if url.startswith(SQLITE):
        path = Path(url.removeprefix(SQLITE))
        return _sqlite_revision(path) if path.exists() else None
    return asyncio.run(_current_postgres(url))


def script(dialect: str, revision: str | None) -> str:
    """The SQL that leads from a revision (None: nothing) to HEAD, without transaction words."""
    if revision == HEAD:
        return ""
    written = StringIO()
    config = Config(output_buffer=written)
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["dialect"] = dialect
    command.upgrade(config, f"{revision}:{HEAD}" if revision else HEAD, sql=True)
    return written.getvalue()


def _migrate_sqlite(path: Path) -> None:
    try:
        path.touch(mode=0o600)  # a new file is its owner's alone, as SQLite then makes its journal
        with closing(sqlite3.connect(path, timeout=_WAIT_S, isolation_level=None)) as connection:
            _write_ahead(connection)
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("BEGIN IMMEDIATE")
            for statement in _statements(script("sqlite", _noted(connection))):
                connection.execute(statement).fetchall()
            connection.execute("COMMIT")
    except OSError as error:
        raise Unavailable(
            f"database: not to be had, see CRYOVIGIL_DATABASE_URL ({type(error).__name__})"
        ) from None
    except sqlite3.DatabaseError as error:  # the file may be none of SQLite's
        raise Unavailable(f"database: {error.sqlite_errorname}") from None


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Switches the journal. While another process does the same SQLite refuses without waiting."""
    deadline = time.monotonic() + _WAIT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE_S)
        else:
            return


def _sqlite_revision(path: Path) -> str | None:
    try:
        with closing(sqlite3.connect(path, timeout=_WAIT_S, isolation_level=None)) as connection:
            return _noted(connection)
    except sqlite3.DatabaseError as error:
        raise Unavailable(f"database: {error.sqlite_errorname}") from None


def _noted(connection: sqlite3.Connection) -> str | None:
    ours = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'alembic_version'"
    if connection.execute(ours).fetchone() is None:
        return None
    row = connection.execute(_REVISION).fetchone()
    return str(row[0]) if row else None


def _statements(text: str) -> list[str]:
    """Statements one by one: sqlite3's executescript would commit the open transaction first."""
    found: list[str] = []
    pending = ""
    for line in text.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            found.append(pending)
            pending = ""
    return found


async def _connected(url: str) -> asyncpg.Connection:
    try:
        return await asyncpg.connect(url, timeout=_WAIT_S)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise Unavailable(
            f"database: not to be had, see CRYOVIGIL_DATABASE_URL ({type(error).__name__})"
        ) from None


async def _migrate_postgres(url: str) -> None:
    connection = await _connected(url)
    try:
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
            text = script("postgresql", await _postgres_revision(connection))
            if text:
                await connection.execute(text)
    finally:
        await connection.close()


async def _current_postgres(url: str) -> str | None:
    connection = await _connected(url)
    try:
        return await _postgres_revision(connection)
    finally:
        await connection.close()


async def _postgres_revision(connection: asyncpg.Connection) -> str | None:
    if await connection.fetchval("SELECT to_regclass('alembic_version')") is None:
        return None
    found: str | None = await connection.fetchval(_REVISION)
    return found
