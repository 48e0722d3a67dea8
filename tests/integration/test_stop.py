"""SIGTERM ends the service with 0, whatever it is doing."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.support.broker import free_port
from tests.support.databases import sqlite_url
from tests.support.service import serve, settings

from cryovigil import settings as given_settings
from cryovigil.adapters.databases import open_store
from cryovigil.adapters.ports import Store
from cryovigil.app import World, build
from cryovigil.settings import Settings


@pytest.fixture
def _survives_signals() -> Iterator[None]:
    """A signal that the service does not take must not end the tests."""
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    yield
    signal.signal(signal.SIGTERM, before)


async def test_a_process_that_has_not_begun_ends_at_once(tmp_path: Path) -> None:
    nowhere = f"127.0.0.1:{free_port()}"
    with serve(settings(nowhere, "t", sqlite_url(tmp_path), None), tmp_path / "service") as service:
        await _catches(service.process.pid, signal.SIGTERM)
        assert service.terminate() == 0
        assert service.log == []
        assert service.errors == ""


@pytest.mark.sqlite
@pytest.mark.usefixtures("_survives_signals")
async def test_a_signal_while_the_database_is_opened_is_heeded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = settings(f"127.0.0.1:{free_port()}", "t", sqlite_url(tmp_path), None)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("CRYOVIGIL_HTTP__PORT", "0")

    @asynccontextmanager
    async def signaled(read: Settings) -> AsyncIterator[Store]:
        os.kill(os.getpid(), signal.SIGTERM)
        async with open_store(read) as store:
            yield store

    app = build(given_settings.load(), World(store=signaled))
    assert await asyncio.wait_for(app.run(), 10) == 0


@pytest.mark.sqlite
async def test_a_broker_that_accepts_and_says_nothing_does_not_keep_a_service(
    tmp_path: Path,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        given = settings(address, "t", sqlite_url(tmp_path), None)
        with serve(given, tmp_path / "service") as service:
            peer, _ = await asyncio.to_thread(silent.accept)
            with peer:
                assert service.terminate() == 0
            assert "worker_cut_off" not in [line["event"] for line in service.log]


async def _catches(pid: int, number: int) -> None:
    """Waits until a process catches a signal."""
    async with asyncio.timeout(10):
        while not _caught(pid) >> (number - 1) & 1:  # noqa: ASYNC110 (another process is waited for)
            await asyncio.sleep(0.005)


def _caught(pid: int) -> int:
    """proc(5), SigCgt: bit n - 1 is signal n."""
    status = Path(f"/proc/{pid}/status").read_text()
    (mask,) = [row.split()[1] for row in status.splitlines() if row.startswith("SigCgt:")]
    return int(mask, 16)
