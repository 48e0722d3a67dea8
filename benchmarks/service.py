"""A `cryovigil serve` of shipped defaults, held still while a topic is filled."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct
from tests.support.broker import free_port

from benchmarks.books import Books, handled
from benchmarks.filling import PARTITIONS

GROUP = "benchmarks"
POLL_S = 0.05
PATIENCE_S = 600.0


class NotServing(Exception):
    """The service ended, or does not get on."""


class Service(Struct, frozen=True):
    """The process. folder: where its log is."""

    process: subprocess.Popen[bytes]
    folder: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    @contextmanager
    def held(self) -> Iterator[None]:
        """Stopped by SIGSTOP, so that what goes on around it costs it nothing.

        Its membership of the group outlasts this as long as the session's time is not reached.
        """
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    async def assigned(self, books: Books, topics: Sequence[str]) -> None:
        """Waits until it has claimed every partition of every topic.

        The embedded broker answers the first member of a group after half a session's time.
        """
        while await self._goes_on():
            found = await handled(books)
            if all(found.get(topic, (0, 0))[0] == PARTITIONS for topic in topics):
                return

    async def reaches(self, books: Books, topic: str, records: int) -> None:
        """Waits until so many records of a topic are committed."""
        while await self._goes_on():
            if (await handled(books)).get(topic, (0, 0))[1] >= records:
                return

    async def _goes_on(self) -> bool:
        """True after a moment. Raises NotServing where the process has ended."""
        await asyncio.sleep(POLL_S)
        if self.process.poll() is not None:
            raise NotServing(f"the service ended: {last_line(self.folder)}")
        return True


def last_line(folder: Path) -> str:
    """What the service said last."""
    said = (folder / "log").read_text(errors="replace").strip().splitlines()
    return said[-1] if said else "it said nothing"


def settings(address: str, topics: Sequence[str], database: str) -> dict[str, str]:
    """Addresses and names; everything else as shipped."""
    return {
        "CRYOVIGIL_KAFKA__BOOTSTRAP_SERVERS": address,
        "CRYOVIGIL_KAFKA__TOPICS": ",".join(topics),
        "CRYOVIGIL_KAFKA__GROUP_ID": GROUP,
        "CRYOVIGIL_DATABASE_URL": database,
        "CRYOVIGIL_HTTP__PORT": str(free_port()),
    }


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """Ours without settings of anybody else's service."""
    bare = {name: value for name, value in os.environ.items() if not name.startswith("CRYOVIGIL_")}
    return {**bare, **given}


@contextmanager
def serve(given: Mapping[str, str], folder: Path) -> Iterator[Service]:
    """A serving process; asked to stop here, or killed if it does not."""
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "cryovigil", "serve"],
            env=environment(given),
            stdout=log,
            stderr=log,
            cwd=folder,
        )
        try:
            yield Service(process, folder)
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
