"""The EHR simulator: the endpoint the service pushes to, and a page where cards arrive live."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Generator
from contextlib import asynccontextmanager, contextmanager
from importlib.resources import files

import msgspec
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, StreamingResponse

from cryovigil.demo.inbox import Inbox
from cryovigil.demo.patients import Story

CARDS_PATH = "/cards"
_HOST = "127.0.0.1"
_CLOUD_EVENT = "application/cloudevents+json"
# The page runs its own script and nothing else, whatever a card says.
_PAGE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
}
_STATIC = {"page.js": "text/javascript", "page.css": "text/css"}


def build_ehr(inbox: Inbox, cast: list[Story]) -> FastAPI:
    """POST /cards for the service; / and /events for people. cast: grows as patients appear."""
    app = FastAPI(title="EHR simulator", docs_url=None, redoc_url=None, openapi_url=None)

    @app.post(CARDS_PATH)
    async def take(request: Request) -> Response:
        if request.headers.get("content-type") != _CLOUD_EVENT:
            return Response(status_code=415)
        try:
            inbox.take(await request.body())
        except (msgspec.MsgspecError, KeyError, ValueError):
            return Response(status_code=400)
        return Response(status_code=204)

    @app.get("/")
    async def page() -> Response:
        return HTMLResponse(_asset("page.html"), headers=_PAGE_HEADERS)

    @app.get("/static/{name}")
    async def static(name: str) -> Response:
        if name not in _STATIC:
            return Response(status_code=404)
        return Response(_asset(name), media_type=_STATIC[name])

    @app.get("/patients")
    async def patients() -> Response:
        rows = [{"patient": s.patient, "title": s.title, "why": s.why} for s in cast]
        return Response(msgspec.json.encode(rows), media_type="application/json")

    @app.get("/events")
    async def events() -> Response:
        return StreamingResponse(_server_sent(inbox), media_type="text/event-stream")

    return app


async def _server_sent(inbox: Inbox) -> AsyncIterator[bytes]:
    yield b"retry: 1000\n\n"
    async for card in inbox.stream():
        yield b"data: " + msgspec.json.encode(card) + b"\n\n"


def _asset(name: str) -> str:
    return (files("cryovigil.demo") / "static" / name).read_text(encoding="utf-8")


class _Server(uvicorn.Server):
    """A server that leaves signals to the demo, which stops its parts in order."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


@asynccontextmanager
async def serving(inbox: Inbox, cast: list[Story], port: int) -> AsyncIterator[str]:
    """The simulator on loopback, by its address. port 0 or one in use: another that is free."""
    listener = _listener(port)
    config = uvicorn.Config(
        build_ehr(inbox, cast), log_config=None, lifespan="off", timeout_graceful_shutdown=1
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield f"http://{_HOST}:{listener.getsockname()[1]}"
    finally:
        inbox.close()
        server.should_exit = True
        await task
        listener.close()


def _listener(port: int) -> socket.socket:
    for candidate in (port, 0):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((_HOST, candidate))
        except OSError:
            listener.close()
            if candidate == 0:
                raise
        else:
            return listener
    raise AssertionError("the last candidate is bound or raises")
