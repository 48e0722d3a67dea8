"""What aiokafka alone costs: reads a topic to its end with the service's own consumer options.

`python -m benchmarks.bare TOPIC PARTITIONS RECORDS`, a process of its own, with the service's
settings in its environment. Prints JSON: cpu_s and wall_s, from the first request to the last
record, start-up left out.
"""

from __future__ import annotations

import asyncio
import sys
import time

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from benchmarks.service import PATIENCE_S
from cryovigil import settings
from cryovigil.adapters.kafka_intake import POLL_MS, consumer_options
from cryovigil.settings.parts import Kafka


class Cost(msgspec.Struct, frozen=True):
    """Seconds of CPU and of the clock."""

    cpu_s: float
    wall_s: float


async def consume(kafka: Kafka, topic: str, partitions: int, records: int) -> Cost:
    """Takes so many records off a topic and does nothing with them."""
    consumer = AIOKafkaConsumer(**consumer_options(kafka))
    await consumer.start()
    try:
        places = [TopicPartition(topic, number) for number in range(partitions)]
        consumer.assign(places)
        for place in places:
            consumer.seek(place, 0)
        cpu, wall = time.process_time(), time.perf_counter()
        async with asyncio.timeout(PATIENCE_S):
            await _drain(consumer, records)
        return Cost(time.process_time() - cpu, time.perf_counter() - wall)
    finally:
        await consumer.stop()


async def _drain(consumer: AIOKafkaConsumer, records: int) -> None:
    while records > 0:
        batches = await consumer.getmany(timeout_ms=POLL_MS)
        for batch in batches.values():
            for _record in batch:
                records -= 1


def main() -> None:
    """Measures what the arguments name."""
    topic, partitions, records = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    cost = asyncio.run(consume(settings.load().kafka, topic, partitions, records))
    sys.stdout.write(msgspec.json.encode(cost).decode())


if __name__ == "__main__":
    main()
