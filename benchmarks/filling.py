"""Brings a load into the broker, evenly over a topic's partitions."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer
from tests.support.broker import producer

from benchmarks.hospital import Arrival

PARTITIONS = 4


async def fill(address: str, topic: str, arrivals: Sequence[Arrival]) -> None:
    """Sends everything and waits until the broker has it. Partition n holds every fourth."""
    async with producer(address) as sender:
        await asyncio.gather(
            *(
                _fill_partition(sender, topic, number, arrivals[number::PARTITIONS])
                for number in range(PARTITIONS)
            )
        )


async def _fill_partition(
    sender: AIOKafkaProducer, topic: str, partition: int, arrivals: Sequence[Arrival]
) -> None:
    """Batches of 16 KiB, a producer's default. Record by record would take longer than to read."""
    batch = sender.create_batch()
    for arrival in arrivals:
        if batch.append(key=arrival.key, value=arrival.value, timestamp=None) is None:
            await (await sender.send_batch(batch, topic, partition=partition))
            batch = sender.create_batch()
            batch.append(key=arrival.key, value=arrival.value, timestamp=None)
    if batch.record_count():
        await (await sender.send_batch(batch, topic, partition=partition))
