"""The HTTP side: CDS Hooks, cards for a resync, health. Parts come in, an application comes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeAlias

from fastapi import FastAPI
from msgspec import Struct
from prometheus_client import CollectorRegistry

from cryovigil.adapters.ports import Record, Store
from cryovigil.api import cards, cds_hooks, health, problems
from cryovigil.facts.coverage import Coverage
from cryovigil.lifecycle import CardState
from cryovigil.rules.needs import Need

Card: TypeAlias = Mapping[str, Any]
DEFAULT_MAX_BODY_BYTES = 16 * 1024 * 1024


class Advise(Protocol):
    """The journey for a hook: a patient's record and known cards in, CDS Hooks cards out."""

    def __call__(
        self, record: Record, known: Sequence[CardState], as_of: datetime
    ) -> Sequence[Card]:
        """Pure. Known open cards lend their uuid. Raises Problem where a card may be missing."""
        ...


class ApiParts(Struct, frozen=True, kw_only=True):
    """Everything the HTTP side is made of.

    sources: keys of those whose patients callers without a token may ask about; needs: what the
    rules read; now: the clock; started: intake has started and nothing is draining; alive: none of
    this process's own workers has died; max_body_bytes: of a hook request.
    """

    store: Store
    needs: Mapping[str, Need]
    coverage: Coverage
    sources: tuple[str, ...]
    advise: Advise
    now: Callable[[], datetime]
    started: Callable[[], bool]
    alive: Callable[[], bool]
    registry: CollectorRegistry
    max_body_bytes: int = DEFAULT_MAX_BODY_BYTES


def build_api(parts: ApiParts, *, with_health: bool = True) -> FastAPI:
    """The application of the HTTP port. with_health: no admin port of its own is set."""
    app = _bare()
    app.include_router(cds_hooks.router(parts))
    app.include_router(cards.router(parts))
    if with_health:
        app.include_router(health.router(parts))
    return app


def build_admin(parts: ApiParts) -> FastAPI:
    """The application of the admin port: health and metrics, no patient data."""
    app = _bare()
    app.include_router(health.router(parts))
    return app


def _bare() -> FastAPI:
    app = FastAPI(
        title="CryoVigil",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,  # it would lead to whichever host the caller named
    )
    problems.install(app)
    return app
