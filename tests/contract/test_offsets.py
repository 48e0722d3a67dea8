"""Compare and set: only who holds the newest epoch and the last offset may advance."""

from __future__ import annotations

from msgspec.structs import replace
from tests.support.open_stores import AnyStore

from cryovigil.adapters.ports import Claim, Partition

HERE = Partition("g", "c", "lab-results", 3)


async def advance(store: AnyStore, claim: Claim, next_offset: int) -> bool:
    async with store.transaction() as tx:
        return await tx.advance(claim, next_offset)


async def test_a_new_partition_starts_where_kafka_committed(store: AnyStore) -> None:
    assert await store.claim(HERE, 40) == Claim(HERE, 1, 40)


async def test_a_partition_without_any_commit_has_no_offset_until_advanced(store: AnyStore) -> None:
    claim = await store.claim(HERE, None)
    assert claim.next_offset is None
    assert await advance(store, claim, 7)
    assert await store.claim(HERE, None) == Claim(HERE, 2, 7)


async def test_the_offset_kept_here_wins_over_the_one_of_kafka(store: AnyStore) -> None:
    assert await advance(store, await store.claim(HERE, 10), 20)
    assert (await store.claim(HERE, 15)).next_offset == 20


async def test_a_stale_epoch_is_refused(store: AnyStore) -> None:
    zombie = await store.claim(HERE, 10)
    owner = await store.claim(HERE, 10)
    assert not await advance(store, zombie, 11)
    assert await advance(store, owner, 11)


async def test_a_stale_offset_is_refused(store: AnyStore) -> None:
    claim = await store.claim(HERE, 10)
    assert await advance(store, claim, 12)
    assert not await advance(store, claim, 13)
    assert await advance(store, replace(claim, next_offset=12), 13)


async def test_partitions_groups_and_clusters_are_apart(store: AnyStore) -> None:
    claim = await store.claim(HERE, 10)
    for other in (
        replace(HERE, number=4),
        replace(HERE, group="h"),
        replace(HERE, cluster="d"),
        replace(HERE, topic="other"),
    ):
        assert await store.claim(other, None) == Claim(other, 1, None)
    assert await advance(store, claim, 11)
