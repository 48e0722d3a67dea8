"""How far a running service has come through its topics."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from tests.support.service import WAIT_S, Service


async def until_consumed(service: Service, records: Mapping[str, int]) -> None:
    """Waits until so many records of each topic are committed."""
    async with asyncio.timeout(WAIT_S):
        for topic, count in records.items():
            line = f'cryovigil_events_consumed_total{{topic="{topic}"}}'
            while await service.metric(line) < count:
                assert service.process.poll() is None, service.errors
                await asyncio.sleep(0.05)
