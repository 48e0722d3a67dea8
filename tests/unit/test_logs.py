"""Whatever is logged, by us or by a library, nothing of a patient's record gets out."""

from __future__ import annotations

import io
import json
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from cryovigil import logs

CANARY = "Mrs Canary, C4 0.02 g/L"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    written = io.StringIO()
    logs.configure("debug", written)
    yield written
    logging.captureWarnings(capture=False)
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def fail() -> None:
    raise ValueError(CANARY)


def test_an_event_and_its_listed_fields_are_written(stream: io.StringIO) -> None:
    structlog.get_logger("x").info("dead_letters_kept", topic="lab", partition=3)
    (line,) = lines(stream)
    assert line["event"] == "dead_letters_kept"
    assert (line["topic"], line["partition"], line["level"]) == ("lab", 3, "info")


def test_a_field_that_is_not_listed_is_replaced_by_its_type(stream: io.StringIO) -> None:
    structlog.get_logger("x").info("dead_letters_kept", patient=CANARY)
    (line,) = lines(stream)
    assert line["patient"] == "<str>"


def test_an_event_that_is_not_listed_is_not_written(stream: io.StringIO) -> None:
    structlog.get_logger("x").info(f"read {CANARY}")
    (line,) = lines(stream)
    assert line["event"] == "unlisted_event"


def test_of_an_exception_class_and_place_are_kept(stream: io.StringIO) -> None:
    try:
        fail()
    except ValueError as error:
        structlog.get_logger("x").error("worker_died", exc_info=error)
    (line,) = lines(stream)
    assert line["error"] == "ValueError"
    assert line["place"] == f"{__name__}:{fail.__code__.co_firstlineno + 1}"
    assert "Canary" not in stream.getvalue()


@pytest.mark.parametrize("name", ["aiokafka", "uvicorn.error", "httpx2", "alembic", "asyncio"])
def test_of_a_library_only_logger_and_level_are_kept(stream: io.StringIO, name: str) -> None:
    try:
        fail()
    except ValueError:
        logging.getLogger(name).exception("failed on %s", CANARY, extra={"patient": CANARY})
    (line,) = lines(stream)
    assert (line["event"], line["logger"], line["level"]) == ("library_log", name, "error")
    assert line["error"] == "ValueError"
    assert "Canary" not in stream.getvalue()


def test_what_a_library_tells_at_info_is_not_written(stream: io.StringIO) -> None:
    logging.getLogger("httpx2").info("POST https://ehr.example/Patient/1")
    assert not stream.getvalue()


def test_a_warning_is_logged_without_its_text(stream: io.StringIO) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn(CANARY, stacklevel=1)
        logging.captureWarnings(capture=False)
    (line,) = lines(stream)
    assert line["logger"] == "py.warnings"
    assert "Canary" not in stream.getvalue()


def test_each_listed_name_is_used_somewhere() -> None:
    """A name that nothing emits promises operators a line that they would wait for in vain."""
    package = Path(logs.__file__).parent
    code = "".join(f.read_text() for f in package.rglob("*.py") if f.name != "logs.py")
    by_logging = {"event", "level", "timestamp", "logger", "error", "place"}
    by_logging |= {"library_log", "unlisted_event"}
    names = (logs.EVENTS | logs.FIELDS) - by_logging
    assert [n for n in sorted(names) if f'"{n}"' not in code and f"{n}=" not in code] == []
