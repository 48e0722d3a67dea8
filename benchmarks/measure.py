"""One run: every load on every store, and bare consumption of the same records beside it."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec
from msgspec import Struct
from tests.support.broker import broker, make_topics
from tests.support.databases import new_postgres, new_sqlite, postgres_server, postgres_template

from benchmarks.bare import Cost
from benchmarks.books import Books, check, open_books
from benchmarks.filling import PARTITIONS, fill
from benchmarks.hospital import Expected, Hospital, Load
from benchmarks.processes import cpu_s, family_cpu_s, peak_mib
from benchmarks.service import PATIENCE_S, NotServing, Service, environment, serve, settings

Store: TypeAlias = Literal["sqlite", "postgres"]
Say: TypeAlias = Callable[[str], None]

WARM_UP = "warm-up"
WARM_UP_EVENTS = 2_000
# How large each load is beside the mix: enough seconds of work for ticks of 10 ms.
PARTS: Mapping[str, int] = {"irrelevant": 2, "context": 4, "anchor": 20}


class Measured(Struct, frozen=True, kw_only=True):
    """What one load cost. database_s: CPU of the database server, None where it is in process."""

    store: Store
    load: str
    events: int
    service_s: float
    bare_s: float
    database_s: float | None
    wall_s: float

    def us(self, seconds: float) -> float:
        """Microseconds an event."""
        return seconds / self.events * 1e6

    @property
    def above_bare_s(self) -> float:
        return self.service_s - self.bare_s


class Run(Struct, frozen=True, kw_only=True):
    """What was measured on one store. cards: open ones, as expected and as found."""

    store: Store
    version: str
    loads: list[Measured]
    peak_mib: float
    readings: int
    cards: int


def make_loads(events: int, seed: int, today: date) -> list[Load]:
    """A warm-up, the mix, and each class alone, in the order they are consumed."""
    return [
        Hospital(WARM_UP, seed, today).mix(WARM_UP_EVENTS),
        Hospital("mix", seed, today).mix(events),
        Hospital("irrelevant", seed, today).alone("irrelevant", events // PARTS["irrelevant"]),
        Hospital("context", seed, today).alone("context", events // PARTS["context"]),
        Hospital("anchor", seed, today).alone("anchor", events // PARTS["anchor"]),
    ]


async def measure(stores: Sequence[Store], loads: Sequence[Load], say: Say) -> list[Run]:
    """Measures everything. Raises Mismatch and NotServing."""
    runs: list[Run] = []
    for store in stores:
        async with _stage(store, [load.name for load in loads], say) as stage:
            runs.append(await stage.run(loads))
    return runs


class _Stage(Struct, frozen=True):
    """Everything that runs while one store is measured."""

    store: Store
    address: str
    given: Mapping[str, str]
    service: Service
    books: Books
    say: Say

    async def run(self, loads: Sequence[Load]) -> Run:
        self.say(f"{self.store}: waiting for the group's first assignment")
        async with _patience():
            await self.service.assigned(self.books, [load.name for load in loads])
        expected = Expected()
        measured: list[Measured] = []
        for load in loads:
            self.say(f"{self.store}: {load.name}, {len(load.arrivals):,} events")
            found = await self._measure(load)
            if load.name != WARM_UP:
                measured.append(found)
            expected.readings.update(load.expected.readings)
            expected.cards.update(load.expected.cards)
            await check(self.books, expected)
        return Run(
            store=self.store,
            version=await self.books.version(),
            loads=measured,
            peak_mib=peak_mib(self.service.pid),
            readings=expected.readings.total(),
            cards=expected.cards.total(),
        )

    async def _measure(self, load: Load) -> Measured:
        server = await self.books.server()
        service = self.service
        with service.held():
            await fill(self.address, load.name, load.arrivals)
            before, database = cpu_s(service.pid), family_cpu_s(server) if server else 0.0
            began = time.perf_counter()
        async with _patience():
            await service.reaches(self.books, load.name, len(load.arrivals))
        wall_s = time.perf_counter() - began
        service_s = cpu_s(service.pid) - before
        database_s = family_cpu_s(server) - database if server else None
        with service.held():
            bare = await _bare(self.given, load)
        return Measured(
            store=self.store,
            load=load.name,
            events=len(load.arrivals),
            service_s=service_s,
            bare_s=bare.cpu_s,
            database_s=database_s,
            wall_s=wall_s,
        )


async def _bare(given: Mapping[str, str], load: Load) -> Cost:
    """A child process reads the same topic to its end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.bare"),
        *(load.name, str(PARTITIONS), str(len(load.arrivals))),
        env=environment(given),
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()
    if process.returncode:
        raise NotServing("bare consumption failed")
    return msgspec.json.decode(said, type=Cost)


@asynccontextmanager
async def _patience() -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(PATIENCE_S):
            yield
    except TimeoutError:
        raise NotServing(f"the service is not done after {PATIENCE_S:.0f} s") from None


@asynccontextmanager
async def _stage(store: Store, topics: Sequence[str], say: Say) -> AsyncIterator[_Stage]:
    """A broker, a database and a service of a store's own, running."""
    with broker() as address, tempfile.TemporaryDirectory(prefix="cv-bench-") as folder:
        await make_topics(address, dict.fromkeys(topics, PARTITIONS))
        async with _database(store, Path(folder)) as url, open_books(url) as books:
            given = settings(address, topics, url)
            with serve(given, Path(folder)) as service:
                yield _Stage(store, address, given, service, books, say)


@asynccontextmanager
async def _database(store: Store, folder: Path) -> AsyncIterator[str]:
    """A migrated database of its own, by its URL."""
    if store == "sqlite":
        yield new_sqlite(folder)
        return
    with postgres_server() as server:
        await asyncio.to_thread(postgres_template, server)
        yield await new_postgres(server)
