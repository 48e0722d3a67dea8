"""`cryovigil serve` with its ports wrapped: at one call the process is killed, or an error raised.

Usage: python serve_with_faults.py POINT [ERROR MESSAGE]

POINT is `Port.method:before:n`, where the n-th call of the method begins, or `Port.method:after:n`,
where the n-th call that succeeds has ended: `Store.transaction:after:1` is after the first COMMIT.
Ports are those of PORTS. What `open_store` and `open_consumer` call themselves is not passed by.
Without ERROR, the name of a built-in exception, the process ends there by SIGKILL.
"""

from __future__ import annotations

import asyncio
import builtins
import inspect
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any, cast

from aiokafka import AIOKafkaConsumer

from cryovigil import logs
from cryovigil.adapters.databases import open_store
from cryovigil.adapters.delivery import Sink
from cryovigil.adapters.kafka_intake import open_consumer
from cryovigil.adapters.ports import Store, Transaction
from cryovigil.app import World, build, open_sink
from cryovigil.clock import Clock
from cryovigil.settings import Settings, load
from cryovigil.settings.parts import Kafka

PORTS = {"Store": Store, "Transaction": Transaction, "Sink": Sink, "Consumer": AIOKafkaConsumer}
YIELDED = {"transaction": "Transaction"}  # methods that give a port of their own, as a context


class Fault:
    """What happens at one point, once. error: None where the process ends there."""

    def __init__(self, point: str, error: Exception | None) -> None:
        """Raises AttributeError, KeyError or ValueError where there is no such point."""
        call, moment, number = point.split(":")
        port, _, method = call.partition(".")
        getattr(PORTS[port], method)
        self._at = (port, method, ("before", "after").index(moment))
        self._left = int(number)
        self._error = error

    def before(self, port: str, method: str) -> None:
        self._pass(port, method, 0)

    def after(self, port: str, method: str) -> None:
        self._pass(port, method, 1)

    def _pass(self, *at: str | int) -> None:
        if at != self._at:
            return
        self._left -= 1
        if self._left != 0:
            return
        if self._error is not None:
            raise self._error
        os.kill(os.getpid(), signal.SIGKILL)


class Wrapped:
    """A port whose every method passes by a fault as it begins and when it has succeeded."""

    def __init__(self, port: object, name: str, fault: Fault) -> None:
        self._port = port
        self._name = name
        self._fault = fault

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if inspect.iscoroutinefunction(found):
            return partial(self._await, name, found)
        if inspect.isasyncgenfunction(found):
            return partial(self._iterate, name, found)
        if name in YIELDED:
            return partial(self._enter, name, found)
        return partial(self._call, name, found) if callable(found) else found

    async def _await(
        self, name: str, method: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any
    ) -> Any:
        self._fault.before(self._name, name)
        result = await method(*args, **kwargs)
        self._fault.after(self._name, name)
        return result

    async def _iterate(
        self, name: str, method: Callable[..., AsyncIterator[Any]], *args: Any, **kwargs: Any
    ) -> AsyncIterator[Any]:
        self._fault.before(self._name, name)
        async for item in method(*args, **kwargs):
            yield item
        self._fault.after(self._name, name)

    @asynccontextmanager
    async def _enter(
        self, name: str, method: Callable[[], AbstractAsyncContextManager[Any]]
    ) -> AsyncIterator[Any]:
        self._fault.before(self._name, name)
        async with method() as port:
            yield Wrapped(port, YIELDED[name], self._fault)
        self._fault.after(self._name, name)

    def _call(self, name: str, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        self._fault.before(self._name, name)
        result = method(*args, **kwargs)
        self._fault.after(self._name, name)
        return result


def faulty(fault: Fault) -> World:
    """The world as `serve` has it, every port wrapped."""

    @asynccontextmanager
    async def store(settings: Settings) -> AsyncIterator[Store]:
        async with open_store(settings) as opened:
            yield cast(Store, Wrapped(opened, "Store", fault))

    def sink(settings: Settings, clock: Clock) -> Sink | None:
        opened = open_sink(settings, clock)
        return cast(Sink, Wrapped(opened, "Sink", fault)) if opened else None

    async def consumer(settings: Kafka) -> tuple[AIOKafkaConsumer, str]:
        opened, cluster = await open_consumer(settings)
        return Wrapped(opened, "Consumer", fault), cluster

    return World(store=store, sink=sink, consumer=consumer)


def error_of(name: str = "", message: str = "") -> Exception | None:
    """The error to raise, None where none is named."""
    return cast(Exception, getattr(builtins, name)(message)) if name else None


if __name__ == "__main__":
    given = load()
    logs.configure(given.log.level)
    world = faulty(Fault(sys.argv[1], error_of(*sys.argv[2:])))
    sys.exit(asyncio.run(build(given, world).run()))
