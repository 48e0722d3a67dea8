"""Opens the store that a database URL names, migrated where that is ours to do, and closes it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from cryovigil.adapters import schema
from cryovigil.adapters.ports import Store
from cryovigil.adapters.store.postgres import PostgresStore
from cryovigil.adapters.store.sqlite import SqliteStore, acquire_process_lock
from cryovigil.errors import Unavailable
from cryovigil.settings import Settings

SQLITE = "sqlite:///"


@asynccontextmanager
async def open_store(settings: Settings) -> AsyncIterator[Store]:
    """An open store. A SQLite file belongs to one serving process as long as it is open.

    Raises Unavailable with one line: the file is held, the database is away, or not migrated.
    """
    url = settings.database_url.get_secret_value()
    async with AsyncExitStack() as stack:
        if url.startswith(SQLITE):
            path = Path(url.removeprefix(SQLITE))
            stack.enter_context(acquire_process_lock(path))
            await asyncio.to_thread(schema.migrate, url)
            store: Store = SqliteStore(path)
        else:
            if settings.database.migrate == "auto":
                await asyncio.to_thread(schema.migrate, url)
            store = PostgresStore(url, settings.database.pool_size)
        await store.open()
        stack.push_async_callback(store.close)
        if not await store.ready():
            raise Unavailable("database: not at this version's schema, run cryovigil db upgrade")
        yield store
