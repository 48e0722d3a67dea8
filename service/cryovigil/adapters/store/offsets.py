"""Where each partition stands, and who may say so."""

from __future__ import annotations

import time

from cryovigil.adapters.ports import Claim, Partition
from cryovigil.adapters.store.session import Session

_CLAIM = """INSERT INTO consumer_offset
    (group_id, cluster_id, topic, partition, next_offset, epoch, updated_at)
    VALUES ($1, $2, $3, $4, $5, 1, $6)
    ON CONFLICT (group_id, cluster_id, topic, partition) DO UPDATE SET
        epoch = consumer_offset.epoch + 1,
        next_offset = COALESCE(consumer_offset.next_offset, excluded.next_offset),
        updated_at = excluded.updated_at
    RETURNING next_offset, epoch"""
# Offsets begin at 0, so that -1 may stand for a partition that was never advanced.
_ADVANCE = """UPDATE consumer_offset SET next_offset = $5, updated_at = $6
    WHERE group_id = $1 AND cluster_id = $2 AND topic = $3 AND partition = $4
        AND epoch = $7 AND COALESCE(next_offset, -1) = $8::bigint"""


class Offsets:
    """The part of a transaction that advances a partition."""

    _session: Session

    async def advance(self, claim: Claim, next_offset: int) -> bool:
        before = -1 if claim.next_offset is None else claim.next_offset
        where = _where(claim.partition)
        values = (next_offset, _now(), claim.epoch, before)
        return await self._session.execute(_ADVANCE, *where, *values) == 1


async def claim(session: Session, partition: Partition, committed: int | None) -> Claim:
    """Raises the epoch of a partition; committed counts where nothing is known here."""
    found = await session.fetch(_CLAIM, *_where(partition), committed, _now())
    next_offset, epoch = found[0]
    return Claim(partition, epoch, next_offset)


def _where(partition: Partition) -> tuple[str, str, str, int]:
    return partition.group, partition.cluster, partition.topic, partition.number


def _now() -> int:
    """For whoever looks at the table; nothing is decided by it."""
    return time.time_ns() // 1000
