"""A real `cryovigil serve` process and what can be asked of it from outside."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
from tests.support.broker import free_port
from tests.support.ehr import Ehr

WAIT_S = 60.0


class Service:
    """One process. Its log goes to a file, standard error to another."""

    def __init__(self, settings: Mapping[str, str], folder: Path, command: list[str]) -> None:
        self.port = free_port()
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        bare = {n: v for n, v in os.environ.items() if not n.startswith("CRYOVIGIL_")}
        # The embedded broker assigns partitions half a session's time after the first join.
        quick = {
            "CRYOVIGIL_KAFKA__SESSION_TIMEOUT_MS": "6000",
            "CRYOVIGIL_KAFKA__HEARTBEAT_INTERVAL_MS": "1000",
        }
        with (folder / "log").open("ab") as log, (folder / "errors").open("ab") as errors:
            self.process = subprocess.Popen(
                command,
                env={**bare, **quick, **settings, "CRYOVIGIL_HTTP__PORT": str(self.port)},
                stdout=log,
                stderr=errors,
                cwd=folder,
            )

    @property
    def log(self) -> list[dict[str, Any]]:
        """Its log lines; each has to be JSON."""
        return [json.loads(line) for line in (self._folder / "log").read_text().splitlines()]

    @property
    def errors(self) -> str:
        return (self._folder / "errors").read_text()

    def terminate(self) -> int:
        """Asks it to stop; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(35)

    async def get(self, path: str) -> httpx2.Response:
        async with httpx2.AsyncClient(trust_env=False) as client:
            return await client.get(f"http://127.0.0.1:{self.port}{path}")

    async def metric(self, line: str) -> float:
        """The value of the metric's line, without its value; 0 where there is none."""
        text = (await self.get("/metrics")).text
        found = [row for row in text.splitlines() if row.startswith(f"{line} ")]
        return float(found[0].rpartition(" ")[2]) if found else 0.0

    async def ready(self) -> None:
        """Waits until it says that it is."""
        async with asyncio.timeout(WAIT_S):
            while not await self._says_ready():
                assert self.process.poll() is None, self.errors
                await asyncio.sleep(0.1)

    async def _says_ready(self) -> bool:
        try:
            return (await self.get("/readyz")).status_code == 200
        except httpx2.TransportError:
            return False

    async def until(self, holds: Callable[[], bool]) -> None:
        """Waits while it lives."""
        async with asyncio.timeout(WAIT_S):
            while not holds():
                assert self.process.poll() is None, self.errors
                await asyncio.sleep(0.05)


def settings(address: str, topic: str, database: str, receiver: Ehr | None) -> dict[str, str]:
    """One topic, one group and one database for each test."""
    sink = {"CRYOVIGIL_EHR__SINK": "none"}
    if receiver is not None:
        sink = {"CRYOVIGIL_EHR__SINK": "cloudevents", "CRYOVIGIL_EHR__URL": receiver.url}
    return {
        "CRYOVIGIL_KAFKA__BOOTSTRAP_SERVERS": address,
        "CRYOVIGIL_KAFKA__TOPICS": topic,
        "CRYOVIGIL_KAFKA__GROUP_ID": f"group-{topic}",
        "CRYOVIGIL_DATABASE_URL": database,
        **sink,
    }


@contextmanager
def serve(
    settings: Mapping[str, str],
    folder: Path,
    clock: Path | None = None,
    fault: Sequence[str] = (),
    rule_bug: Sequence[str] = (),
) -> Iterator[Service]:
    """A serving process, ended at the latest here.

    clock: a file that says what time it is; fault: where it fails, as serve_with_faults.py says;
    rule_bug: the module of a rule that raises, and with what message.
    """
    command = [sys.executable, "-m", "cryovigil", "serve"]
    if clock is not None:
        command = _script("serve_with_clock.py", str(clock))
    if fault:
        command = _script("serve_with_faults.py", *fault)
    if rule_bug:
        command = _script("serve_with_rule_bug.py", *rule_bug)
    service = Service(settings, folder, command)
    try:
        yield service
    finally:
        if service.process.poll() is None:
            service.process.kill()
        service.process.wait()


def _script(name: str, *arguments: str) -> list[str]:
    """A script of this folder. -P: its neighbors must not be imported in place of libraries."""
    return [sys.executable, "-P", str(Path(__file__).with_name(name)), *arguments]
