"""SQLite stores that are made often and cheaply: a copy of one migrated file each."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

from tests.support.databases import new_sqlite
from tests.support.open_stores import AnyStore, open_store


class SqliteFiles:
    """Opens one store after the other below a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._first = Path(new_sqlite(folder).removeprefix("sqlite:///"))
        self._numbers = count(1)

    @asynccontextmanager
    async def fresh(self) -> AsyncIterator[tuple[AnyStore, str]]:
        """A store without any rows and its URL, deleted afterwards."""
        own = self._folder / str(next(self._numbers))
        own.mkdir()
        file = own / "cryovigil.db"
        shutil.copy(self._first, file)
        url = f"sqlite:///{file}"
        try:
            async with open_store(url) as store:
                yield store, url
        finally:
            shutil.rmtree(own)
