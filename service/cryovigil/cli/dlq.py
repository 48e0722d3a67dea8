"""`cryovigil dlq`: events that could not be read. Works beside a running serve."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from cryovigil import settings
from cryovigil.adapters import schema
from cryovigil.adapters.ports import DeadLetterRow, Store
from cryovigil.adapters.store.postgres import PostgresStore
from cryovigil.adapters.store.sqlite import SqliteStore
from cryovigil.errors import Unavailable

app = typer.Typer(no_args_is_help=True, help="Events that could not be read.")


@app.callback()
def _group() -> None:
    """A group also while it has a single command."""


class Format(StrEnum):
    """How a list is written."""

    TEXT = "text"
    JSON = "json"


@app.command("list")
def list_letters(form: Annotated[Format, typer.Option("--format")] = Format.TEXT) -> None:
    """Where they stand, why, and since when: all of them, oldest first, without content."""
    letters = asyncio.run(_letters(settings.load().database_url.get_secret_value()))
    if form is Format.JSON:
        typer.echo(msgspec.json.encode(letters).decode())
        return
    table = Table()
    for column in ("topic", "partition", "offset", "reason", "at", "entries"):
        table.add_column(column, overflow="fold")
    for letter in letters:
        place = (letter.topic, str(letter.partition), str(letter.offset))
        since = letter.at.isoformat(timespec="seconds")
        table.add_row(*place, letter.reason, since, str(letter.entries))
    Console().print(table)


async def _letters(url: str) -> list[DeadLetterRow]:
    store = _store(url)
    await store.open()
    try:
        if not await store.ready():
            raise Unavailable("database: not at this version's schema, run cryovigil db upgrade")
        return await store.list_dead_letters()
    finally:
        await store.close()


def _store(url: str) -> Store:
    if url.startswith(schema.SQLITE):
        return SqliteStore(Path(url.removeprefix(schema.SQLITE)))
    return PostgresStore(url, 1)
