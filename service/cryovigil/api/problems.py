"""What an HTTP caller is told when there is no answer: a fixed sentence, nothing of the request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

import structlog
from fastapi import FastAPI, Request, Response
from fhir.resources.R4B.operationoutcome import OperationOutcome, OperationOutcomeIssue
from msgspec import Struct
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cryovigil.errors import CannotAnswer, Unavailable

log = structlog.get_logger(__name__)

IssueType: TypeAlias = Literal[
    "invalid", "not-found", "not-supported", "too-long", "incomplete", "transient", "exception"
]
RETRY_AFTER_S = "5"
READS = ["GET", "HEAD"]  # RFC 9110, 9.1: whoever answers one answers the other


class Refusal(Struct, frozen=True):
    """A way to refuse. status: HTTP; sentence: fixed text, never built from a request."""

    status: int
    code: IssueType
    sentence: str


class Problem(Exception):
    """A request that is refused."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.sentence)
        self.refusal = refusal


NOT_FOUND = Refusal(404, "not-found", "There is nothing at this address.")
NO_SUCH_METHOD = Refusal(405, "not-supported", "This address does not answer that method.")
REFUSED = Refusal(400, "invalid", "The request cannot be read.")
OUT_OF_REACH = Refusal(
    412, "incomplete", "Data that this service needs for an answer are out of its reach."
)
UNAVAILABLE = Refusal(503, "transient", "A part of this service is not available. Try again.")
FAILED = Refusal(500, "exception", "The service failed. It has been logged.")
RULE_FAILED = Refusal(
    500, "exception", "A rule failed, so that a card might be missing. It has been logged."
)
_BY_STATUS = {404: NOT_FOUND, 405: NO_SUCH_METHOD}


def outcome(refusal: Refusal, headers: Mapping[str, str] | None = None) -> Response:
    """The refusal as a FHIR OperationOutcome."""
    issue = OperationOutcomeIssue(severity="error", code=refusal.code, diagnostics=refusal.sentence)
    body = OperationOutcome(issue=[issue]).model_dump_json()
    return Response(body, refusal.status, headers=headers, media_type="application/fhir+json")


def install(app: FastAPI) -> None:
    """Makes every error of `app` an OperationOutcome, those of the framework too."""

    @app.exception_handler(Problem)
    async def refused(_: Request, problem: Problem) -> Response:
        return outcome(problem.refusal)

    @app.exception_handler(CannotAnswer)
    async def out_of_reach(_: Request, __: CannotAnswer) -> Response:
        return outcome(OUT_OF_REACH)

    @app.exception_handler(Unavailable)
    async def unavailable(_: Request, __: Unavailable) -> Response:
        return outcome(UNAVAILABLE, {"Retry-After": RETRY_AFTER_S})

    @app.exception_handler(HTTPException)
    async def of_the_framework(_: Request, error: HTTPException) -> Response:
        return outcome(_BY_STATUS.get(error.status_code, REFUSED), error.headers)

    app.add_middleware(_LastWord)


class _LastWord:
    """Answers 500 for what nobody expected, and logs its class: a message may quote a record.

    The framework's own handler hands the exception on to the server, which prints it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:  # noqa: BLE001 (the edge: no request may end in a traceback)
            log.error("request_failed", error=type(error).__name__)
            if not started:
                await outcome(FAILED)(scope, receive, send)
