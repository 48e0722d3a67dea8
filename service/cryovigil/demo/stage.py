"""Starts the broker, the EHR simulator and the service, and stops them in the opposite order."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
from aiokafka import AIOKafkaProducer
from msgspec import Struct

from cryovigil.demo.broker import broker, free_port, stop
from cryovigil.demo.ehr import CARDS_PATH, serving
from cryovigil.demo.inbox import Inbox
from cryovigil.demo.patients import Story
from cryovigil.errors import Unavailable

TOPIC = "hospital.fhir"
_CONNECTIONS = tuple(
    f"CRYOVIGIL_{name}"
    for name in ("ADMIN", "DATABASE", "EHR", "HTTP", "KAFKA", "PUBLIC_URL", "SECRET")
)
READY_S = 30.0
_PAUSE_S = 0.1
_DRAIN_S = 30.0


class Stage(Struct, frozen=True):
    """What runs. cast: the patients that have appeared; page: the simulator's address."""

    producer: AIOKafkaProducer
    inbox: Inbox
    cast: list[Story]
    page: str
    service: asyncio.subprocess.Process


@asynccontextmanager
async def stage(port: int) -> AsyncIterator[Stage]:
    """Everything started and ready. Raises Unavailable with what did not start."""
    inbox, cast = Inbox(), list[Story]()
    with tempfile.TemporaryDirectory(prefix="cryovigil-demo-") as folder:
        async with (
            broker(TOPIC) as address,
            serving(inbox, cast, port) as page,
            _service(Path(folder), address, page) as process,
            _producer(address) as producer,
        ):
            yield Stage(producer, inbox, cast, page, process)


@asynccontextmanager
async def _service(
    folder: Path, broker_address: str, page: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """`cryovigil serve` as a child process, ready."""
    port = free_port()
    settings = {
        "CRYOVIGIL_KAFKA__BOOTSTRAP_SERVERS": broker_address,
        "CRYOVIGIL_KAFKA__TOPICS": TOPIC,
        "CRYOVIGIL_KAFKA__GROUP_ID": "cryovigil-demo",
        # The embedded broker waits half a session's time before it assigns partitions.
        "CRYOVIGIL_KAFKA__SESSION_TIMEOUT_MS": "6000",
        "CRYOVIGIL_KAFKA__HEARTBEAT_INTERVAL_MS": "2000",
        "CRYOVIGIL_DATABASE_URL": f"sqlite:///{folder / 'demo.db'}",
        "CRYOVIGIL_EHR__SINK": "cloudevents",
        "CRYOVIGIL_EHR__URL": page + CARDS_PATH,
        "CRYOVIGIL_HTTP__PORT": str(port),
        "CRYOVIGIL_SITE__TIME_ZONE": "UTC",
    }
    log = folder / "service.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cryovigil", "serve"),
            env=_without_connections(os.environ) | settings,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            await _ready(process, f"http://127.0.0.1:{port}/readyz", log)
            yield process
        finally:
            await stop(process, _DRAIN_S)


def _without_connections(given: Mapping[str, str]) -> dict[str, str]:
    """The environment without what would lead synthetic patients to a real database, broker or EHR.

    Rules may be switched off and the site described from outside.
    """
    return {name: value for name, value in given.items() if not name.startswith(_CONNECTIONS)}


async def _ready(process: asyncio.subprocess.Process, url: str, log: Path) -> None:
    try:
        async with asyncio.timeout(READY_S):
            await _until_ready(process, url)
    except TimeoutError:
        raise Unavailable(f"the service is not ready: {_last_line(log)}") from None
    if process.returncode is not None:
        raise Unavailable(f"the service did not start: {_last_line(log)}")


async def _until_ready(process: asyncio.subprocess.Process, url: str) -> None:
    """Returns when it answers, or has ended."""
    async with httpx2.AsyncClient(trust_env=False) as client:
        while process.returncode is None:
            if await _answers(client, url):
                return
            await asyncio.sleep(_PAUSE_S)


async def _answers(client: httpx2.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(url)).status_code == httpx2.codes.OK
    except httpx2.TransportError:
        return False


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"


@asynccontextmanager
async def _producer(address: str) -> AsyncIterator[AIOKafkaProducer]:
    """Not idempotent: the embedded broker refuses that, and repeats do the service no harm."""
    producer = AIOKafkaProducer(bootstrap_servers=address, enable_idempotence=False, acks="all")
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()
