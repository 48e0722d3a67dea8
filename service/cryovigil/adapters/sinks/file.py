"""Appends events to a file, one line each, on the disk before they count as delivered."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from cryovigil.adapters.delivery import SinkAnswer


class FileSink:
    """A file of JSON lines. Only its owner may read it: each line speaks of a patient."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._turn = asyncio.Lock()

    async def send(self, body: bytes, delivery_id: str) -> SinkAnswer:  # noqa: ARG002 (a Sink)
        """Retried where the disk refuses. The event names itself in `id`."""
        async with self._turn:
            try:
                await asyncio.to_thread(self._append, body)
            except OSError:
                return SinkAnswer("retry", "file")
        return SinkAnswer("delivered", "file")

    async def close(self) -> None:
        """Nothing is kept open."""

    def _append(self, body: bytes) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        handle = os.open(self._path, flags, 0o600)
        with os.fdopen(handle, "ab") as file:
            file.write(body + b"\n")
            file.flush()
            os.fsync(file.fileno())
