"""The store in PostgreSQL: any number of processes, kept apart by row locks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Literal

import asyncpg

from cryovigil.adapters.store.base import BaseStore
from cryovigil.adapters.store.postgres.session import DRIVER_ERRORS, PostgresSession, translated
from cryovigil.adapters.store.session import Session
from cryovigil.errors import Unavailable

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

_WAIT_S = 10.0
_STATEMENT_S = 60.0
_SETTINGS = {
    "application_name": "cryovigil",
    "lock_timeout": "10s",
    # A frozen process must not keep patients locked.
    "idle_in_transaction_session_timeout": "5s",
    "synchronous_commit": "on",
    # Every statement of the hot path is one search of an index, however long its lists are: one
    # plan fits all, and a plan made while a table was nearly empty must not scan it for ever.
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "jit": "off",
}


class PostgresStore(BaseStore):
    """A migrated database. dsn: postgresql://...; pool_size: connections at most."""

    def __init__(self, dsn: str, pool_size: int) -> None:
        self._dsn = dsn
        self._pool_size = pool_size
        self._pool: asyncpg.Pool | None = None

    async def open(self) -> None:
        with translated():
            self._pool = await asyncpg.create_pool(
                self._dsn,
                min_size=1,
                max_size=self._pool_size,
                timeout=_WAIT_S,
                command_timeout=_STATEMENT_S,
                statement_cache_size=256,
                max_cached_statement_lifetime=0,
                server_settings=_SETTINGS,
                reset=_as_it_is,
            )

    async def close(self) -> None:
        if self._pool is not None:
            await self._pool.close()
            self._pool = None

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[Session]:
        async with self._transaction("read_committed", readonly=False) as session:
            yield session

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[Session]:
        async with self._transaction("repeatable_read", readonly=True) as session:
            yield session

    @asynccontextmanager
    async def _transaction(
        self, isolation: Literal["read_committed", "repeatable_read"], *, readonly: bool
    ) -> AsyncIterator[Session]:
        if self._pool is None:
            raise Unavailable("database: not open")
        with translated():
            connection = await self._pool.acquire(timeout=_WAIT_S)
        try:
            transaction = connection.transaction(isolation=isolation, readonly=readonly)
            with translated():
                await transaction.start()
            try:
                yield PostgresSession(connection)
            except BaseException:  # a cancellation too takes the whole slice back
                await _undo(connection, transaction)
                raise
            with translated():
                await transaction.commit()
        finally:
            await self._pool.release(connection)


async def _undo(
    connection: PoolConnectionProxy, transaction: asyncpg.transaction.Transaction
) -> None:
    """Rolls back, or drops a connection that no longer can: the server then rolls back."""
    try:
        await transaction.rollback()
    except DRIVER_ERRORS:
        try:
            connection.terminate()
        except asyncpg.InterfaceError:
            pass  # the pool was faster


async def _as_it_is(connection: asyncpg.Connection) -> None:
    """No session setting is ever changed: resetting them would cost a round trip each time."""
