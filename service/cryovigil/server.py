"""An HTTP server as one worker among others: it takes no signals and never exits the process."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from fastapi import FastAPI

from cryovigil.errors import SettingsInvalid

GRACE_S = 3
KEEP_ALIVE_S = 30


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals belong to the supervisor."""
        yield


def listen(host: str, port: int, setting: str) -> socket.socket:
    """A listening socket. Raises SettingsInvalid naming the setting where the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        raise SettingsInvalid(f"{setting}: cannot listen: {error.strerror}") from None


class HttpServer:
    """Serves an application on a socket that already listens."""

    def __init__(self, app: FastAPI, listening: socket.socket) -> None:
        config = uvicorn.Config(
            app,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=GRACE_S,
            timeout_keep_alive=KEEP_ALIVE_S,
        )
        self._server = _Server(config)
        self._socket = listening

    async def run(self, stopping: asyncio.Event) -> None:
        """Serves until asked to stop; requests under way get a few seconds."""
        serving = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        stop = asyncio.create_task(stopping.wait())
        try:
            await asyncio.wait([serving, stop], return_when=asyncio.FIRST_COMPLETED)
            self._server.should_exit = True
            await serving
        finally:
            stop.cancel()
