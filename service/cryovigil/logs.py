"""JSON logs that cannot carry patient data by accident.

An event is a name of `EVENTS` with fields of `FIELDS`. A field that is not listed is replaced by
the name of its type, an unlisted name by `unlisted_event`, so that something new has to be thought
about before it is seen. Of an exception its class and place are kept: messages quote what they
choked on. Libraries log through the same door, with their logger's name and level alone.
"""

from __future__ import annotations

import logging
import sys
from types import TracebackType
from typing import TextIO

import structlog
from structlog.typing import EventDict, WrappedLogger

EVENTS = frozenset(
    {
        # the process
        *("service_started", "service_stopping", "service_stopped", "worker_died"),
        *("worker_cut_off", "worker_postponed", "request_failed"),
        # intake
        *("intake_started", "broker_unavailable", "partitions_assigned", "partitions_revoked"),
        *("slice_postponed", "partition_fenced", "partition_claimed"),
        *("offset_out_of_range", "dead_letters_kept", "due_drained"),
        # journey
        "rule_failed",
        # courier
        *("delivered", "delivery_postponed", "delivery_parked", "delivery_lease_lost"),
        *("deliveries_expired", "rows_purged"),
        # another library had something to say
        *("library_log", "unlisted_event"),
    }
)
FIELDS = frozenset(
    {
        *("event", "level", "timestamp", "logger", "version", "error", "place"),
        *("topic", "partition", "offset", "partitions", "letters", "patients"),
        *("rule", "digest", "worker", "reason", "code", "attempt", "seconds", "count"),
        *("store", "sink", "port", "rules", "status"),
    }
)


def places_only(_: WrappedLogger, __: str, fields: EventDict) -> EventDict:
    """Of an exception, its class and where it was raised."""
    info = fields.pop("exc_info", None)
    if info is True:
        info = sys.exc_info()
    error = info[1] if isinstance(info, tuple) else info
    if isinstance(error, BaseException):
        fields["error"] = type(error).__name__
        fields["place"] = place_of(error.__traceback__)
    for name in ("exception", "stack_info", "stack"):
        fields.pop(name, None)
    return fields


def place_of(trace: TracebackType | None) -> str:
    """`module:line` of the innermost frame."""
    if trace is None:
        return "unknown"
    while trace.tb_next:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_globals.get('__name__')}:{trace.tb_lineno}"


def allow_listed(_: WrappedLogger, __: str, fields: EventDict) -> EventDict:
    """The last word: what is not on the lists does not get out."""
    if fields.get("event") not in EVENTS:
        fields["event"] = "unlisted_event"
    return {
        name: value if name in FIELDS else f"<{type(value).__name__}>"
        for name, value in fields.items()
    }


class LibraryHandler(logging.Handler):
    """Takes what libraries log, and keeps the logger's name, the level and an exception's place."""

    def emit(self, record: logging.LogRecord) -> None:
        logger = structlog.get_logger(record.name)
        level = min(max(record.levelno, logging.DEBUG), logging.CRITICAL)
        logger.log(level, "library_log", logger=record.name, exc_info=record.exc_info)


def configure(level: str = "info", stream: TextIO | None = None) -> None:
    """Sends every log line of this process through the processors above, to standard output."""
    threshold = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            places_only,
            allow_listed,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.WriteLoggerFactory(file=stream or sys.stdout),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [LibraryHandler()]
    # A library tells at INFO which addresses it asks for, and those may name a patient.
    root.setLevel(max(threshold, logging.WARNING))
    logging.captureWarnings(capture=True)
