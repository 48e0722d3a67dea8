"""What must hold of a service that was killed or failed, whatever the point.

It is told by what the EHR wrote to disk and by the database, never by the service itself.
"""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from aiokafka import AIOKafkaConsumer, TopicPartition
from tests.support.databases import query
from tests.support.ehr import Ehr, Request
from tests.support.service import WAIT_S, Service

Cards: TypeAlias = set[tuple[str, str]]
# A dead member's partition is free after the session's time.
BRIEF = {
    "CRYOVIGIL_KAFKA__SESSION_TIMEOUT_MS": "2000",
    "CRYOVIGIL_KAFKA__HEARTBEAT_INTERVAL_MS": "500",
}
_OBSERVATIONS = re.compile(rb"Observation/[a-z]+-(\d+)")  # `kind-PATIENT`, as tests name them


async def eventually(service: Service, holds: Callable[[], Awaitable[bool]]) -> None:
    """Waits for what has to be asked for, while the service lives."""
    async with asyncio.timeout(WAIT_S):
        while not await holds():
            assert service.process.poll() is None, service.errors
            await asyncio.sleep(0.05)


async def count(url: str, table: str, where: str = "1 = 1") -> int:
    """How many rows of a table meet a condition."""
    ((rows,),) = await query(url, f"SELECT count(*) FROM {table} WHERE {where}")  # noqa: S608
    assert isinstance(rows, int)
    return rows


async def stored_offset(url: str) -> int | None:
    """Where the one partition stands in the database, None where it was never advanced."""
    found = await query(url, "SELECT next_offset FROM consumer_offset")
    offset = found[0][0] if found else None
    assert offset is None or isinstance(offset, int)
    return offset


async def kafka_offset(address: str, topic: str) -> int | None:
    """What Kafka was told of the topic's one partition, None where nothing was."""
    group = f"group-{topic}"
    async with AIOKafkaConsumer(bootstrap_servers=address, group_id=group) as consumer:
        where = TopicPartition(topic, 0)
        consumer.assign([where])
        offset: int | None = await consumer.committed(where)
        return offset


async def unmarked(url: str) -> set[str]:
    """Deliveries that were attempted, of which the database does not know what came."""
    rows = await query(
        url, "SELECT delivery_id FROM outbox WHERE status = 'pending' AND attempts > 0"
    )
    return {str(name) for (name,) in rows}


def arrived(receiver: Ehr) -> dict[str, list[Request]]:
    """What the EHR took, by delivery id, oldest first."""
    found: dict[str, list[Request]] = defaultdict(list)
    for request in receiver.requests():
        found[request.event["id"]].append(request)
    return dict(found)


def open_at_ehr(receiver: Ehr) -> Cards:
    """(patient, rule) of each open card, as a receiver has them that drops repeats by their id."""
    cards: dict[str, tuple[str, str]] = {}
    for request, *_ in arrived(receiver).values():
        event = request.event
        for card in event["data"]["cards"]:
            cards[card["uuid"]] = (event["subject"], card["source"]["topic"]["code"])
        if event["type"].endswith("retracted.v1"):
            del cards[event["data"]["extension"]["org.cryovigil.retracted"]["uuid"]]
    assert len(set(cards.values())) == len(cards), "a card under two ids"
    return set(cards.values())


def assert_delivered_faithfully(receiver: Ehr) -> None:
    """One id, one content; patients in their order; nothing of another patient in a card."""
    last: dict[str, tuple[str, str]] = {}
    for request in receiver.requests():
        event = request.event
        patient = event["subject"]
        assert request.headers["idempotency-key"] == event["id"]
        place = (event["sequence"], event["id"])
        before = last.get(patient, ("", ""))
        assert place == before or place[0] > before[0], "out of order"
        last[patient] = place
        owners = {f"Patient/{n.decode()}" for n in _OBSERVATIONS.findall(request.body)}
        assert owners == ({patient} if event["data"]["cards"] else set())
    for repeats in arrived(receiver).values():
        assert len({repeat.body for repeat in repeats}) == 1, "one id, two contents"


async def assert_settled(url: str, receiver: Ehr, expected: Cards, end: int) -> None:
    """Every event is handled, each card that is due is open here and at the EHR, and no other.

    end: the offset after the last event.
    """
    assert open_at_ehr(receiver) == expected, open_at_ehr(receiver) ^ expected
    assert_delivered_faithfully(receiver)
    opened = await query(
        url,
        "SELECT identity, rule FROM card JOIN patient USING (patient_key) WHERE state = 'open'",
    )
    assert {(str(who).rpartition("|")[2], rule) for who, rule in opened} == expected
    sent = await query(url, "SELECT delivery_id, body FROM outbox WHERE status = 'delivered'")
    bodies = {str(name): body for name, body in sent}
    assert bodies == {name: found[0].body for name, found in arrived(receiver).items()}
    assert await count(url, "outbox", "status NOT IN ('delivered', 'superseded')") == 0
    assert await count(url, "dead_letter") == 0
    assert await stored_offset(url) == end
