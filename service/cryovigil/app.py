"""The composition root: the one place that knows every part.

`build` reads what the site mounted and loads the rulebook; `App.run` opens the store, starts the
workers and closes everything in reverse.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, closing
from functools import partial
from importlib.resources import files
from pathlib import Path
from zoneinfo import ZoneInfo

import structlog
from msgspec import Struct, field

from cryovigil import __version__, site_files
from cryovigil.adapters.casework import Announcing, Casework
from cryovigil.adapters.courier import Courier, CourierTools
from cryovigil.adapters.databases import open_store
from cryovigil.adapters.delivery import Sink
from cryovigil.adapters.due_rows import DueRows
from cryovigil.adapters.kafka_intake import Intake, Open, open_consumer
from cryovigil.adapters.partition_work import Tools
from cryovigil.adapters.ports import Store
from cryovigil.adapters.sinks.cloudevents import CloudEventsSink
from cryovigil.adapters.sinks.file import FileSink
from cryovigil.api import ApiParts, build_admin, build_api
from cryovigil.api.advice import advice
from cryovigil.clock import Clock, WallClock
from cryovigil.decode import Source
from cryovigil.facts.coverage import Coverage
from cryovigil.journey import Journey
from cryovigil.metrics import Metrics
from cryovigil.normalize import Site
from cryovigil.normalize.tables import Tables
from cryovigil.rules.book import Rulebook, load_rulebook
from cryovigil.rules.needs import Need
from cryovigil.server import HttpServer, listen
from cryovigil.settings import Settings
from cryovigil.settings.checks import base_url
from cryovigil.supervisor import Supervisor
from cryovigil.updates import Reader

log = structlog.get_logger(__name__)

UNNAMED = "urn:cryovigil"
CUT_OFF_S = 2.0  # what is left of shutdown_s once workers have had their time
ANSWERS_SHARE = 0.8  # of the workers' time: how long answers are awaited, the rest records them


class Loaded(Struct, frozen=True, kw_only=True):
    """What is read before anything runs: it never changes afterwards.

    needs: how much of each concept the store has to give; sources: by topic, the default under "".
    """

    tables: Tables
    book: Rulebook
    needs: Mapping[str, Need]
    coverage: Coverage
    sources: Mapping[str, Source]
    site: Site


def open_sink(settings: Settings, clock: Clock) -> Sink | None:
    """Where cards go; None where nobody is owed any."""
    ehr = settings.ehr
    if ehr.sink == "none" or ehr.url is None:
        return None
    if ehr.sink == "file":
        return FileSink(Path(ehr.url))
    return CloudEventsSink(
        ehr.url,
        token=ehr.token.get_secret_value() if ehr.token else None,
        timeout_s=ehr.timeout_s,
        concurrency=ehr.concurrency,
        clock=clock,
    )


class World(Struct, frozen=True, kw_only=True):
    """Who offers each port. Tests bring their own clock, and wrap the rest to make it fail."""

    clock: Clock = field(default_factory=WallClock)
    store: Callable[[Settings], AbstractAsyncContextManager[Store]] = open_store
    sink: Callable[[Settings, Clock], Sink | None] = open_sink
    consumer: Open = open_consumer


class App:
    """The service, ready to run once."""

    def __init__(self, settings: Settings, world: World, loaded: Loaded) -> None:
        self._settings = settings
        self._world = world
        self._clock = world.clock
        self._loaded = loaded
        self._metrics = Metrics()

    async def run(self) -> int:
        """Serves until a signal; the exit code. Raises CryoVigilError where it cannot start."""
        settings = self._settings
        supervisor = Supervisor(settings.shutdown_s - CUT_OFF_S)
        async with AsyncExitStack() as stack:
            stack.enter_context(supervisor.signals())  # before anything that a signal could cut
            http = settings.http
            sockets = [listen(http.host, http.port, "CRYOVIGIL_HTTP__PORT")]
            stack.enter_context(closing(sockets[0]))
            if settings.admin.port is not None:
                sockets.append(listen(http.host, settings.admin.port, "CRYOVIGIL_ADMIN__PORT"))
                stack.enter_context(closing(sockets[1]))
            store = await stack.enter_async_context(self._world.store(settings))
            await store.align(self._loaded.needs)
            port: int = sockets[0].getsockname()[1]
            journey = self._journey(await self._secret(store), port)
            intake = await self._add_workers(supervisor, store, journey, stack)
            parts = self._api_parts(supervisor, intake, store, journey)
            shared = settings.admin.port is None
            supervisor.add("http", HttpServer(build_api(parts, with_health=shared), sockets[0]).run)
            if not shared:
                supervisor.add("admin", HttpServer(build_admin(parts), sockets[1]).run)
            self._announce(port)
            code = await supervisor.run()
        log.info("service_stopped", status=code)
        return code

    async def _add_workers(
        self, supervisor: Supervisor, store: Store, journey: Journey, stack: AsyncExitStack
    ) -> Intake:
        """Intake, due rows and, where somebody is owed cards, the courier."""
        settings, loaded = self._settings, self._loaded
        committed: Callable[[], None] = _nothing
        sink = self._world.sink(settings, self._clock)
        if sink is not None:
            stack.push_async_callback(sink.close)
            courier = self._courier(store, sink)
            committed = courier.wake
            supervisor.add("courier", courier.run)
        casework = Casework(
            Reader(loaded.tables, loaded.site),
            journey,
            loaded.needs,
            loaded.sources,
            announcing=self._announcing() if sink is not None else None,
            now=self._clock.now,
        )
        tools = self._tools(store, casework, committed)
        intake = Intake(settings.kafka, tools, self._world.consumer)
        due = DueRows(
            store=store,
            drain=casework.drain,
            needs=loaded.needs,
            clock=self._clock,
            metrics=self._metrics,
            committed=committed,
        )
        supervisor.add("intake", intake.run)
        supervisor.add("due-rows", due.run)
        return intake

    def _tools(self, store: Store, casework: Casework, committed: Callable[[], None]) -> Tools:
        kafka = self._settings.kafka
        return Tools(
            store=store,
            casework=casework,
            clock=self._clock,
            metrics=self._metrics,
            max_record_bytes=kafka.max_record_bytes,
            reclaim_after_s=kafka.session_timeout_ms / 1000,
            committed=committed,
        )

    def _announcing(self) -> Announcing:
        now = self._clock.now()
        expiry = {rule.id: rule.expiry.after(now) - now for rule in self._loaded.book.rules}
        return Announcing(self._settings.public_url or UNNAMED, expiry)

    def _courier(self, store: Store, sink: Sink) -> Courier:
        return Courier(
            CourierTools(
                store=store,
                sink=sink,
                clock=self._clock,
                metrics=self._metrics,
                concurrency=self._settings.ehr.concurrency,
                grace_s=ANSWERS_SHARE * (self._settings.shutdown_s - CUT_OFF_S),
            )
        )

    async def _secret(self, store: Store) -> bytes:
        given = self._settings.secret
        return given.get_secret_value().encode() if given else await store.secret()

    def _journey(self, secret: bytes, port: int) -> Journey:
        settings, loaded = self._settings, self._loaded
        return Journey(
            book=loaded.book,
            also=loaded.tables.also,
            coverage=loaded.coverage,
            zone=loaded.site.zone,
            secret=secret,
            public_url=settings.public_url or base_url(settings.http.host, port),
            language=settings.site.language,
            on_failure=self._rule_failed,
        )

    def _rule_failed(self, rule: str, error: str) -> None:
        """A bug in one rule: its answer is "cannot tell", and somebody has to hear of it."""
        self._metrics.rule_failures.labels(rule).inc()
        log.error("rule_failed", rule=rule, error=error)

    def _api_parts(
        self, supervisor: Supervisor, intake: Intake, store: Store, journey: Journey
    ) -> ApiParts:
        return ApiParts(
            store=store,
            needs=self._loaded.needs,
            coverage=self._loaded.coverage,
            sources=callers_sources(self._settings.kafka.topics, self._loaded.sources),
            advise=partial(advice, journey),
            now=self._clock.now,
            started=lambda: intake.started and not supervisor.stopping.is_set(),
            alive=lambda: supervisor.alive,
            registry=self._metrics.registry,
            max_body_bytes=self._settings.http.max_body_bytes,
        )

    def _announce(self, port: int) -> None:
        """Says what runs: to the log, and in words where a person watches."""
        settings, book = self._settings, self._loaded.book
        store = settings.database_url.get_secret_value().partition(":")[0]
        log.info(
            "service_started",
            version=__version__,
            port=port,
            store=store,
            sink=settings.ehr.sink,
            rules=len(book.rules),
            digest=book.digest,
        )
        if sys.stderr.isatty():
            address = base_url(settings.http.host, port)
            sys.stderr.write(
                f"CryoVigil {__version__} on {address}, store {store}, "
                f"sink {settings.ehr.sink}. Callers are not authenticated.\n"
            )


def build(settings: Settings, world: World | None = None) -> App:
    """The service of these settings. Raises RulebookInvalid and SettingsInvalid."""
    root = files("cryovigil") / "mappings"
    book = load_rulebook(root, disabled=frozenset(settings.rules.disabled))
    loaded = Loaded(
        tables=site_files.tables(settings, root),
        book=book,
        needs=book.needs,
        coverage=site_files.coverage(settings),
        sources=site_files.sources(settings),
        site=Site(ZoneInfo(settings.site.time_zone), site_files.opt_out_tags(settings)),
    )
    return App(settings, world or World(), loaded)


def callers_sources(topics: Iterable[str], sources: Mapping[str, Source]) -> tuple[str, ...]:
    """Keys of the sources that topics feed and that callers without a token belong to."""
    own = sources[""]
    fed = {sources.get(topic, own) for topic in topics}
    same = {one.key for one in fed if (one.issuer, one.tenant) == (own.issuer, own.tenant)}
    return tuple(sorted(same))


def _nothing() -> None:
    """Nobody waits for commits where no sink is set."""
