"""An EHR that takes cards over HTTP, writes each request to disk, and answers as told."""

from __future__ import annotations

import base64
import json
import os
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple


class Request(NamedTuple):
    """A request as received. headers: names in lower case."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def event(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class Ehr:
    """What a test asks and tells. answers: (status, headers) to give next, then 200 for ever."""

    def __init__(self, file: Path, port: int) -> None:
        self._file = file
        self._turn = threading.Lock()
        self.url = f"http://127.0.0.1:{port}/cards"
        self.answers: deque[tuple[int, Mapping[str, str]]] = deque()

    def requests(self) -> list[Request]:
        """What arrived, oldest first, as the disk has it."""
        if not self._file.exists():
            return []
        rows = [json.loads(line) for line in self._file.read_text().splitlines()]
        return [Request(r["path"], r["headers"], base64.b64decode(r["body"])) for r in rows]

    def events(self) -> list[Any]:
        """The events that arrived, repeats included."""
        return [request.event for request in self.requests()]

    def take(self, request: Request) -> tuple[int, Mapping[str, str]]:
        """Writes a request down, then says what to answer."""
        row = {
            "path": request.path,
            "headers": dict(request.headers),
            "body": base64.b64encode(request.body).decode(),
        }
        with self._turn, self._file.open("a") as file:
            file.write(json.dumps(row) + "\n")
            file.flush()
            os.fsync(file.fileno())
            return self.answers.popleft() if self.answers else (200, {})


@contextmanager
def ehr(folder: Path, port: int = 0) -> Iterator[Ehr]:
    """A running EHR that keeps its requests below `folder`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(length)
            if len(body) < length:  # the sender died: what it did not finish never arrived
                self.close_connection = True
                return
            status, extra = running.take(Request(self.path, headers, body))
            self.send_response(status)
            for name, value in extra.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """The file of requests is the log."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    running = Ehr(folder / "requests.ndjson", server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def of_rule(receiver: Ehr, rule: str) -> list[Any]:
    """The events that announce a card of the rule."""
    return [
        event
        for event in receiver.events()
        for card in event["data"]["cards"]
        if card["source"]["topic"]["code"] == rule
    ]


def retracted(receiver: Ehr) -> list[Any]:
    return [event for event in receiver.events() if event["type"].endswith("retracted.v1")]
