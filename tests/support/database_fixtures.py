"""Fixtures that give a test a database of its own, and run it on both kinds."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.support.databases import (
    drop_postgres,
    new_postgres,
    new_sqlite,
    postgres_server,
    postgres_template,
)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    # A thread of its own: the first test that asks runs in an event loop already.
    with postgres_server() as server, ThreadPoolExecutor(1) as aside:
        yield aside.submit(postgres_template, server).result()


@pytest.fixture(
    params=[
        pytest.param("sqlite", marks=pytest.mark.sqlite),
        pytest.param("postgres", marks=pytest.mark.postgres),
    ]
)
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    if request.param == "sqlite":
        yield new_sqlite(tmp_path)
        return
    server: str = request.getfixturevalue("postgres")
    database = await new_postgres(server)
    yield database
    await drop_postgres(server, database)
