"""Probes and metrics. Liveness looks at this process only: a neighbor's outage is not ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from cryovigil.api.problems import READS

if TYPE_CHECKING:
    from cryovigil.api import ApiParts


def router(parts: ApiParts) -> APIRouter:
    """/livez, /readyz, /metrics."""
    routes = APIRouter()

    @routes.api_route("/livez", methods=READS)
    async def livez() -> Response:
        return _answer({"workers": parts.alive()})

    @routes.api_route("/readyz", methods=READS)
    async def readyz() -> Response:
        return _answer({"store": await parts.store.ready(), "started": parts.started()})

    @routes.api_route("/metrics", methods=READS)
    async def metrics() -> Response:
        return Response(generate_latest(parts.registry), media_type=CONTENT_TYPE_LATEST)

    return routes


def _answer(checks: dict[str, bool]) -> Response:
    """200 when every check holds, else 503 with those that do not."""
    ok = all(checks.values())
    content = {"status": "ok" if ok else "failed", "checks": checks}
    return JSONResponse(content, 200 if ok else 503)
