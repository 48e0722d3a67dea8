"""Runs the workers of one process: all of them, or none.

A worker that dies takes the process with it, with one log line and exit code 1; whoever started
the process starts it again. A signal asks the workers to finish what they have in hand; a second
one ends the process at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeAlias

import structlog

log = structlog.get_logger(__name__)

Worker: TypeAlias = Callable[[asyncio.Event], Awaitable[None]]
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Supervisor:
    """The workers, by name, and the event that asks them to stop."""

    def __init__(self, stop_s: float) -> None:
        self._workers: dict[str, Worker] = {}
        self._stop_s = stop_s
        self._tasks: dict[asyncio.Task[None], str] = {}
        self.stopping = asyncio.Event()

    def add(self, name: str, worker: Worker) -> None:
        """One more worker, before `run`."""
        self._workers[name] = worker

    @property
    def alive(self) -> bool:
        """Whether every worker still works."""
        return bool(self._tasks) and not any(task.done() for task in self._tasks)

    async def run(self) -> int:
        """The exit code: 0 after a signal, 1 where a worker died or had to be cut off."""
        stopped = asyncio.create_task(self.stopping.wait())
        self._tasks = {
            asyncio.create_task(_run(worker, self.stopping), name=name): name
            for name, worker in self._workers.items()
        }
        await asyncio.wait([stopped, *self._tasks], return_when=asyncio.FIRST_COMPLETED)
        asked = self.stopping.is_set()
        self.stopping.set()
        stopped.cancel()
        log.info("service_stopping")
        done, late = await asyncio.wait(self._tasks, timeout=self._stop_s)
        for task in late:
            log.error("worker_cut_off", worker=self._tasks[task])
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=1.0)
        for task in done:
            if error := task.exception():
                log.error("worker_died", worker=self._tasks[task], exc_info=error)
        failed = any(task.exception() for task in done)
        return 0 if asked and not failed and not late else 1

    @contextlib.contextmanager
    def signals(self) -> Iterator[None]:
        """SIGTERM and SIGINT stop the workers while this holds."""
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self._on_signal, number)
        try:
            yield
        finally:
            for number in _SIGNALS:
                loop.remove_signal_handler(number)

    def _on_signal(self, number: int) -> None:
        if self.stopping.is_set():
            os._exit(128 + number)
        self.stopping.set()


async def _run(worker: Worker, stopping: asyncio.Event) -> None:
    await worker(stopping)
    if not stopping.is_set():
        raise RuntimeError("a worker ended without being asked to")
