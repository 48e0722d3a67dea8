"""Migrations, the commands on top of them, and the lock of a SQLite file."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from tests.support.databases import drop_postgres, new_postgres, query
from tests.support.open_stores import NOW, open_store
from typer.testing import CliRunner

from cryovigil.adapters import schema
from cryovigil.adapters.ports import DeadLetter
from cryovigil.adapters.store.sqlite import SqliteStore, acquire_process_lock
from cryovigil.cli import db, dlq
from cryovigil.errors import Unavailable


@pytest.fixture(
    params=[
        pytest.param("sqlite", marks=pytest.mark.sqlite),
        pytest.param("postgres", marks=pytest.mark.postgres),
    ]
)
async def empty(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """The URL of a database without any table."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'new.db'}"
        return
    server: str = request.getfixturevalue("postgres")
    database = await new_postgres(server, migrated=False)
    yield database
    await drop_postgres(server, database)


async def test_an_empty_database_is_brought_to_head_once(empty: str) -> None:
    assert await asyncio.to_thread(schema.current, empty) is None
    await asyncio.to_thread(schema.migrate, empty)
    await asyncio.to_thread(schema.migrate, empty)
    assert await asyncio.to_thread(schema.current, empty) == schema.HEAD
    async with open_store(empty) as store:
        assert await store.ready()


async def test_processes_that_migrate_at_once_do_not_disturb_each_other(empty: str) -> None:
    await asyncio.gather(*(asyncio.to_thread(schema.migrate, empty) for _ in range(3)))
    assert await query(empty, "SELECT version_num FROM alembic_version") == [(schema.HEAD,)]


def test_head_is_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(schema.__file__).parent))
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_current_head() == schema.HEAD


async def test_the_commands_upgrade_a_database_and_say_where_it_is(
    empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRYOVIGIL_DATABASE_URL", empty)
    said = [await said_by(db.app, command) for command in ("current", "upgrade", "current")]
    assert said == ["none", schema.HEAD, schema.HEAD]


async def test_dead_letters_are_listed_beside_a_serving_process(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRYOVIGIL_DATABASE_URL", url)
    letter = DeadLetter(
        topic="t", partition=1, offset=9, reason="not-json", key=None, value=b"{", at=NOW
    )
    async with open_store(url) as serving:
        async with serving.transaction() as tx:
            await tx.add_dead_letters([letter])
        async with serving.transaction() as tx:
            await tx.add_dead_letters([letter])
            listed = json.loads(await said_by(dlq.app, "list", "--format", "json"))
    where = {"topic": "t", "partition": 1, "offset": 9, "reason": "not-json"}
    assert listed == [{**where, "at": "2026-06-01T12:00:00Z"}]
    assert "not-json" in await said_by(dlq.app, "list")


@pytest.mark.sqlite
def test_a_file_has_one_serving_process(tmp_path: Path) -> None:
    path = tmp_path / "cryovigil.db"
    with acquire_process_lock(path), pytest.raises(Unavailable), acquire_process_lock(path):
        pass
    with acquire_process_lock(path):
        pass


@pytest.mark.sqlite
def test_a_file_in_no_folder_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable), acquire_process_lock(tmp_path / "none" / "cryovigil.db"):
        pass
    with pytest.raises(Unavailable):
        schema.migrate(f"sqlite:///{tmp_path / 'none' / 'cryovigil.db'}")


@pytest.mark.sqlite
async def test_a_missing_file_is_not_made_by_looking(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        await SqliteStore(tmp_path / "none.db").open()
    assert not (tmp_path / "none.db").exists()


@pytest.mark.sqlite
async def test_every_commit_reaches_the_disk(tmp_path: Path) -> None:
    """WAL, synchronous = FULL (2): of both connections."""
    url = f"sqlite:///{tmp_path / 'new.db'}"
    await asyncio.to_thread(schema.migrate, url)
    async with open_store(url) as store:
        for session in (store._writing(), store._reading()):
            async with session as opened:
                assert [*map(tuple, await opened.fetch("PRAGMA synchronous"))] == [(2,)]
                assert [*map(tuple, await opened.fetch("PRAGMA journal_mode"))] == [("wal",)]


async def said_by(app: object, *arguments: str) -> str:
    """What a command wrote, run in a thread: it has an event loop of its own."""
    done = await asyncio.to_thread(CliRunner().invoke, app, arguments)  # type: ignore[arg-type]
    assert done.exit_code == 0, done.output
    return done.output.strip()
