"""A SQLite file is made for its owner alone, and a file that is none is said to be."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.databases import sqlite_url

from cryovigil.adapters import schema
from cryovigil.adapters.databases import open_store
from cryovigil.errors import Unavailable
from cryovigil.settings import load

pytestmark = pytest.mark.sqlite


async def test_nobody_but_its_owner_may_read_a_new_file_or_its_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRYOVIGIL_DATABASE_URL", sqlite_url(tmp_path))
    async with open_store(load()) as store:
        await store.secret()
        kept = modes(tmp_path)
    assert kept.keys() >= {"cryovigil.db", "cryovigil.db-wal"}
    assert set(kept.values()) == {0o600}


def modes(folder: Path) -> dict[str, int]:
    """Who may do what with the files that hold data; the lock holds none."""
    files = [file for file in folder.iterdir() if file.suffix != ".lock"]
    return {file.name: file.stat().st_mode & 0o777 for file in files}


@pytest.mark.parametrize("step", [schema.migrate, schema.current])
def test_a_file_that_is_no_database_is_said_to_be(tmp_path: Path, step: object) -> None:
    (tmp_path / "cryovigil.db").write_text("a text of some length, which no database begins with")
    assert callable(step)
    with pytest.raises(Unavailable, match="SQLITE_NOTADB"):
        step(sqlite_url(tmp_path))


def test_a_folder_that_is_not_there_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="FileNotFoundError"):
        schema.migrate(sqlite_url(tmp_path / "absent"))
