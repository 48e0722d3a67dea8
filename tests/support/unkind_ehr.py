"""An EHR whose answers are what a test makes them, byte for byte: reasons, headers, bodies."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class UnkindEhr:
    """answers: given once each, then 200; taken: the bodies of what was answered 200."""

    def __init__(self, answers: Iterable[bytes]) -> None:
        self.answers = deque(answers)
        self.taken: list[bytes] = []
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: ([0-9]+)", head, re.IGNORECASE)
        assert length is not None
        body = await reader.readexactly(int(length[1]))
        if self.answers:
            writer.write(self.answers.popleft())
        else:
            writer.write(_OK)
            self.taken.append(body)
        await writer.drain()
        writer.close()


@asynccontextmanager
async def unkind_ehr(answers: Iterable[bytes]) -> AsyncIterator[UnkindEhr]:
    """A listening one."""
    running = UnkindEhr(answers)
    server = await asyncio.start_server(running.serve, "127.0.0.1", 0)
    running.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/cards"
    async with server:
        yield running


def answer(status: str, body: str, **headers: str) -> bytes:
    """status: with its reason, as in `500 Internal Server Error`."""
    content = body.encode()
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(content)}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + content
