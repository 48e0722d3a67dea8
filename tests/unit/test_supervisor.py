"""All workers, or none."""

from __future__ import annotations

import asyncio

from cryovigil.supervisor import Supervisor


async def patient_worker(stopping: asyncio.Event) -> None:
    await stopping.wait()


async def broken_worker(stopping: asyncio.Event) -> None:
    raise ValueError("a bug")


async def fickle_worker(stopping: asyncio.Event) -> None:
    """Ends without being asked to."""


async def stubborn_worker(stopping: asyncio.Event) -> None:
    await asyncio.Event().wait()


async def test_a_stop_that_was_asked_for_is_a_success() -> None:
    supervisor = Supervisor(1)
    supervisor.add("patient", patient_worker)
    running = asyncio.create_task(supervisor.run())
    await asyncio.sleep(0.01)
    assert supervisor.alive
    supervisor.stopping.set()
    assert await running == 0
    assert not supervisor.alive


async def test_a_worker_that_dies_takes_the_others_with_it() -> None:
    supervisor = Supervisor(1)
    supervisor.add("patient", patient_worker)
    supervisor.add("broken", broken_worker)
    assert await supervisor.run() == 1


async def test_a_worker_may_not_end_by_itself() -> None:
    supervisor = Supervisor(1)
    supervisor.add("fickle", fickle_worker)
    assert await supervisor.run() == 1


async def test_a_worker_that_does_not_stop_is_cut_off() -> None:
    supervisor = Supervisor(0.05)
    supervisor.add("stubborn", stubborn_worker)
    running = asyncio.create_task(supervisor.run())
    await asyncio.sleep(0.01)
    supervisor.stopping.set()
    assert await running == 1
